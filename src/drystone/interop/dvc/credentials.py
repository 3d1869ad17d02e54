"""AWS credentials by the usual chain, from values that the caller read: this module reads no environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from drystone.objects.remote.profiles import profile

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

        Raises:
            ValueError: a file with profiles cannot be understood.
        """
        found: dict[str, str] = {}
        name = options.get("profile") or self.environ.get("AWS_PROFILE") or "default"
        told = profile(
            name,
            self.environ,
            self.home,
            config=options.get("configpath"),
            credentials=options.get("credentialpath"),
        )
        stored = {ours: told[key] for key, ours in _KEYS.items() if key in told}
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
            or told.get("region")
        )
        return {**found, **({"region": region} if region else {})}
