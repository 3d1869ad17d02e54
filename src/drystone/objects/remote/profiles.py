"""What the files of Amazon's tools say of a profile."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path


def profile(
    name: str,
    environ: Mapping[str, str],
    home: Path | None,
    *,
    config: str | None = None,
    credentials: str | None = None,
) -> dict[str, str]:
    """A profile's values under the names that they have there; those for credentials count more.

    Args:
        name: of the profile.
        environ: may say where the files are.
        home: of the user, where they are else; None if there is none.
        config, credentials: files to read instead.

    Raises:
        ValueError: a file cannot be understood. One that is not there says nothing.
    """
    folder = home / ".aws" if home is not None else None
    files = (
        (config or environ.get("AWS_CONFIG_FILE"), "config", (f"profile {name}", name)),
        (credentials or environ.get("AWS_SHARED_CREDENTIALS_FILE"), "credentials", (name,)),
    )
    told: dict[str, str] = {}
    for given, usual, sections in files:
        file = Path(given) if given else folder / usual if folder is not None else None
        if file is None:
            continue
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError) as error:
            raise ValueError(f"`{file}` cannot be understood: {str(error).splitlines()[0]}") from error
        section = next(filter(parser.has_section, sections), None)
        if section is not None:
            told |= dict(parser.items(section))
    return told
