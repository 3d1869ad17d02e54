"""From a remote's settings to its bucket: folder, S3 and what speaks like it, Google Cloud, Azure.

Credentials never stand in the settings. They come from where each cloud's own tools look for them:
environment variables, for S3 also the profiles of `~/.aws`, and the machine's identity in a cloud.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store, from_url

from drystone.core.errors import ProjectInvalid
from drystone.objects.remote.bucket import Bucket

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

_SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "file")
_PATIENCE: RetryConfig = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3), "base": 2},
}


class Address(NamedTuple):
    """Where a remote is, as the project's settings say.

    Attributes:
        name: what the project calls it.
        url: `s3://BUCKET/PREFIX`, `gs://...`, `az://ACCOUNT/CONTAINER/...`, or a folder.
        endpoint: URL of a service that speaks S3, None for Amazon's.
        region: of the bucket.
        profile: section of `~/.aws/credentials`.
    """

    name: str
    url: str
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None


class Surroundings(NamedTuple):
    """What a process knows besides: its environment, the user's home, where relative folders begin."""

    environ: Mapping[str, str]
    home: Path
    root: Path


def open_bucket(address: Address, around: Surroundings) -> Bucket:
    """The bucket of a remote. Nothing is asked of it yet.

    Raises:
        ProjectInvalid: the address cannot be.
    """
    scheme = urlsplit(address.url).scheme
    if "://" in address.url and scheme not in _SCHEMES:
        raise _invalid(address, f"`{scheme}://` is none of the places that are known")
    try:
        if scheme in ("s3", "s3a"):
            return Bucket(_s3(address, around), address.name, address.url)
        if scheme in ("", "file"):
            path = Path(urlsplit(address.url).path if scheme else address.url).expanduser()
            folder = around.root / path
            return Bucket(LocalStore(folder, mkdir=True), address.name, str(folder), folder=folder)
        client = from_url(address.url, retry_config=_PATIENCE, client_options=_client(address, around))
        return Bucket(client, address.name, address.url)
    except (BaseError, OSError, ValueError) as error:
        raise _invalid(address, str(error).splitlines()[0]) from error


def _s3(address: Address, around: Surroundings) -> ObjectStore:
    environ = around.environ
    profile = address.profile or environ.get("AWS_PROFILE")
    told = _profile(profile or "default", around) if profile or "AWS_ACCESS_KEY_ID" not in environ else {}
    if profile and not told:
        raise ValueError(f"there is no profile `{profile}` in `~/.aws/credentials` or `~/.aws/config`")
    endpoint = address.endpoint or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    endpoint = endpoint or told.get("endpoint_url")
    region = address.region or told.get("region") or environ.get("AWS_REGION")
    region = region or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    settings: dict[str, object] = {"region": region}
    if endpoint:
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    for ours, theirs in (
        ("access_key_id", "aws_access_key_id"),
        ("secret_access_key", "aws_secret_access_key"),
        ("session_token", "aws_session_token"),
    ):
        found = told.get(theirs) if profile else environ.get(theirs.upper()) or told.get(theirs)
        if found:
            settings[ours] = found
    return S3Store.from_url(
        address.url,
        config=cast("S3Config", settings),
        retry_config=_PATIENCE,
        client_options=_client(address, around, endpoint),
    )


def _client(address: Address, around: Surroundings, endpoint: str | None = None) -> ClientConfig:
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=5),
        "timeout": timedelta(minutes=5),
        "read_timeout": timedelta(seconds=60),
    }
    plain = (endpoint or address.endpoint or "").startswith("http://")
    if plain or around.environ.get("AWS_ALLOW_HTTP", "").lower() == "true":
        options["allow_http"] = True
    return options


def _profile(name: str, around: Surroundings) -> dict[str, str]:
    """What the files of Amazon's tools say of a profile."""
    environ = around.environ
    files = {
        environ.get("AWS_CONFIG_FILE") or around.home / ".aws" / "config": f"profile {name}",
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or around.home / ".aws" / "credentials": name,
    }
    told: dict[str, str] = {}
    for file, section in files.items():
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (configparser.Error, OSError, UnicodeDecodeError) as error:
            raise ValueError(f"`{file}` cannot be understood: {error}") from error
        for wanted in (section, name):
            if parser.has_section(wanted):
                told |= dict(parser.items(wanted))
                break
    return told


def _invalid(address: Address, because: str) -> ProjectInvalid:
    return ProjectInvalid(
        f"remote `{address.name}` has no usable address: `{address.url}`",
        because=because,
        hints=[
            "give a folder, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://ACCOUNT/CONTAINER/PREFIX`"
        ],
    )
