"""AWS credentials by the usual chain, from values that the caller read: this module reads no environment."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}


class Credentials(NamedTuple):
    """Where credentials may be found.

    Attributes:
        environ: the user's environment.
        home: their home folder, None if there is none.
    """

    environ: Mapping[str, str]
    home: Path | None

    def aws(self, options: Mapping[str, str]) -> dict[str, str]:
        """Settings for an S3 client: `access_key_id`, `secret_access_key`, `session_token`, `region`.

        In this order: the remote's own keys, its profile, the environment, the default profile. Empty if
        none has any; the client then asks the machine's metadata service.

        Args:
            options: of DVC's remote.
        """
        found: dict[str, str] = {}
        profile = options.get("profile") or self.environ.get("AWS_PROFILE")
        stored = self._profile(profile or "default", options)
        from_environment = {
            ours: self.environ[key.upper()] for key, ours in _KEYS.items() if self.environ.get(key.upper())
        }
        own = {key: options[key] for key in _KEYS.values() if options.get(key)}
        candidates = (
            [own, stored, from_environment] if options.get("profile") else [own, from_environment, stored]
        )
        for candidate in candidates:
            if candidate.get("access_key_id") and candidate.get("secret_access_key"):
                found = {key: candidate[key] for key in _KEYS.values() if key in candidate}
                break
        region = (
            options.get("region")
            or self.environ.get("AWS_REGION")
            or self.environ.get("AWS_DEFAULT_REGION")
            or stored.get("region")
        )
        return {**found, **({"region": region} if region else {})}

    def _profile(self, name: str, options: Mapping[str, str]) -> dict[str, str]:
        """What the files of the AWS tools say about a profile."""
        found: dict[str, str] = {}
        for variable, option, file in (
            ("AWS_CONFIG_FILE", "configpath", "config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentialpath", "credentials"),
        ):
            place = options.get(option) or self.environ.get(variable)
            path = Path(place) if place else self.home / ".aws" / file if self.home else None
            if path is None:
                continue
            parser = configparser.RawConfigParser()
            try:
                parser.read_string(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError, configparser.Error):
                continue  # as the AWS tools do: what is not there or not theirs says nothing
            for section in (f"profile {name}", name):
                if parser.has_section(section):
                    values = dict(parser.items(section))
                    found |= {ours: values[key] for key, ours in _KEYS.items() if key in values}
                    if "region" in values:
                        found["region"] = values["region"]
        return found
