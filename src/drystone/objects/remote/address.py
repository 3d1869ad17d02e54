"""From a remote's settings to its bucket: folder, S3 and what speaks like it, Google Cloud, Azure.

Credentials never stand in the settings. They come from where each cloud's own tools look for them:
environment variables, for S3 also the profiles of `~/.aws`, and the machine's identity in a cloud.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store, from_url

from drystone.core.errors import ProjectInvalid
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.manners import BELONG, is_secret, objection
from drystone.objects.remote.profiles import profile as awsprofile

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config, S3Credential

_PATIENCE: RetryConfig = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3), "base": 2},
}


class Address(NamedTuple):
    """Where a remote is, as the project's settings say.

    Attributes:
        name: what the project calls it.
        url: `s3://BUCKET/PREFIX`, `gs://...`, `az://CONTAINER/PREFIX`, or a folder.
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
    if against := objection(address.url, address.endpoint):
        raise _invalid(address, against)
    scheme = urlsplit(address.url).scheme
    try:
        if scheme in ("s3", "s3a"):
            return Bucket(_s3(address, around), address.name, address.url)
        if scheme in ("", "file"):
            folder = _folder(address.url, around)
            return Bucket(folder, address.name, str(folder))
        client = from_url(address.url, retry_config=_PATIENCE, client_options=_client(address, around))
        return Bucket(client, address.name, address.url)
    except (BaseError, OSError, ValueError) as error:
        because = re.sub(r"^Generic \w+ error: ", "", str(error).splitlines()[0])
        if because == "Account must be specified":
            because = "its account is not known; set `AZURE_STORAGE_ACCOUNT_NAME`"
        raise _invalid(address, because) from error


def _folder(url: str, around: Surroundings) -> Path:
    """Where a folder is; `~` is the user's home, relative paths begin at the project's root."""
    if urlsplit(url).scheme:
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise ValueError(f"a folder is on this machine, not on `{parts.netloc}`; mount it")
        url = unquote(parts.path)
    if url == "~" or url.startswith("~/"):
        return around.home / url[2:]
    return Path(os.path.normpath(around.root / url))


def _s3(address: Address, around: Surroundings) -> ObjectStore:
    environ = around.environ
    profile = address.profile or ("" if environ.get("AWS_ACCESS_KEY_ID") else environ.get("AWS_PROFILE"))
    told = awsprofile(profile or "default", environ, around.home)
    if profile and not told:
        raise ValueError(f"there is no profile `{profile}` in `~/.aws/credentials` or `~/.aws/config`")
    if profile and "aws_access_key_id" not in told:
        raise ValueError(
            f"profile `{profile}` holds no access key; set variables from it with "
            f"`eval $(aws configure export-credentials --profile {profile} --format env)`"
        )
    endpoint = address.endpoint or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    endpoint = endpoint or told.get("endpoint_url")
    region = address.region or told.get("region") or environ.get("AWS_REGION")
    region = region or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    settings: dict[str, object] = {"region": region}
    if endpoint:
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    keys = None
    if profile or not environ.get("AWS_ACCESS_KEY_ID"):
        keys = _keys(told)
    else:
        for name in ("access_key_id", "secret_access_key", "session_token"):
            if found := environ.get(f"AWS_{name.upper()}"):
                settings[name] = found
    return S3Store.from_url(
        address.url,
        config=cast("S3Config", settings),
        retry_config=_PATIENCE,
        client_options=_client(address, around, endpoint),
        credential_provider=keys,
    )


def _keys(told: Mapping[str, str]) -> Callable[[], S3Credential] | None:
    """A profile's keys, without any that the environment has beside; None where it has none."""
    if "aws_access_key_id" not in told or "aws_secret_access_key" not in told:
        return None
    keys: S3Credential = {
        "access_key_id": told["aws_access_key_id"],
        "secret_access_key": told["aws_secret_access_key"],
        "token": told.get("aws_session_token"),
        "expires_at": None,
    }
    return lambda: keys


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


def _invalid(address: Address, because: str) -> ProjectInvalid:
    if is_secret(because):  # not to be repeated, nor is a name that is the address itself
        named = "" if address.name == address.url else f" `{address.name}`"
        return ProjectInvalid(f"remote{named} has no usable address", because=because, hints=[BELONG])
    return ProjectInvalid(
        f"remote `{address.name}` has no usable address: `{address.url}`",
        because=because,
        hints=["give a folder, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`"],
    )
