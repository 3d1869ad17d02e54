"""DVC's remotes in S3, Google and Azure buckets and on web servers, read through obstore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import AzureStore, GCSStore, HTTPStore, S3Store

from drystone.interop.dvc.config import Remote
from drystone.interop.dvc.credentials import Credentials
from drystone.interop.dvc.unreadable import Unreadable
from drystone.objects.atomic import explained, temporary, write_all

SCHEMES = ("s3", "gs", "azure", "http", "https")

_PIECE = 4 << 20
_RETRY: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
#: DVC's options for Azure, and what the client calls them.
_AZURE = {
    "account_name": "account_name",
    "account_key": "account_key",
    "sas_token": "sas_key",
    "tenant_id": "tenant_id",
    "client_id": "client_id",
    "client_secret": "client_secret",
}


class Bucket:
    """A remote that answers requests. What is fetched lies in a file of its own meanwhile.

    Args:
        name: what to call it.
        remote: DVC's description of it.
        credentials: where to find some.
        scratch: folder for what is being fetched; it is made when needed.
    """

    def __init__(self, name: str, remote: Remote, credentials: Credentials, scratch: Path) -> None:
        self.name = name
        self.remote = remote.name
        self.near = False
        self._description = remote
        self._credentials = credentials
        self._scratch = scratch

    def address(self, key: str) -> str:
        return f"{self._description.url.rstrip('/')}/{key}"

    def size(self, key: str, version: str | None = None) -> int | None:
        found = self._get(key, version, head=True)
        return None if found is None else int(found.meta["size"])

    @contextmanager
    def fetched(self, key: str, version: str | None = None) -> Iterator[Path | None]:
        found = self._get(key, version, head=False)
        if found is None:
            yield None
            return
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explained(error, "what a remote has cannot be fetched", self._scratch) from error
        with temporary(self._scratch) as (descriptor, path):
            self._fill(descriptor, found)
            yield path

    def _fill(self, descriptor: int, found: Any) -> None:
        pieces = found.stream(min_chunk_size=_PIECE)
        while True:
            try:
                piece = next(pieces, None)
            except (BaseError, OSError) as error:
                raise Unreadable(_said(error)) from error
            if piece is None:
                return
            try:
                write_all(descriptor, bytes(piece))
            except OSError as error:
                raise explained(error, "what a remote has cannot be fetched", self._scratch) from error

    def _get(self, key: str, version: str | None, *, head: bool) -> Any:
        options: Any = {"head": head, **({"version": version} if version else {})}
        try:
            return obstore.get(self._store, key, options=options)
        except (NotFoundError, FileNotFoundError):
            return None
        except (BaseError, OSError, ValueError) as error:
            raise Unreadable(_said(error)) from error

    @cached_property
    def _store(self) -> Any:
        url, options = urlsplit(self._description.url), self._description.options
        prefix = url.path.strip("/") or None
        endpoint = options.get("endpointurl")
        client: Any = {"connect_timeout": timedelta(seconds=10)}
        if (endpoint or self._description.url).startswith("http://"):
            client["allow_http"] = True
        if options.get("ssl_verify", "").lower() == "false":
            client["allow_invalid_certificates"] = True
        common: Any = {"prefix": prefix, "client_options": client, "retry_config": _RETRY}
        anonymous = options.get("allow_anonymous_login", "").lower() == "true"
        if url.scheme == "s3":
            config: Any = {"region": "us-east-1", **self._credentials.aws(options)}
            if endpoint:
                config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
            if anonymous:
                config["skip_signature"] = True
            return S3Store(url.netloc, config=config, **common)
        if url.scheme == "gs":
            config = {"skip_signature": True} if anonymous else {}
            if options.get("credentialpath"):
                config["application_credentials"] = options["credentialpath"]
            return GCSStore(url.netloc, config=config, **common)
        if url.scheme == "azure":
            config = {theirs: options[ours] for ours, theirs in _AZURE.items() if options.get(ours)}
            if options.get("connection_string"):
                config |= _connection(options["connection_string"])
            if anonymous:
                config["skip_signature"] = True
            return AzureStore(url.netloc, config=config, **common)
        return HTTPStore(self._description.url, client_options=client, retry_config=_RETRY)


def _connection(text: str) -> dict[str, str]:
    """The parts of an Azure connection string that a client needs."""
    parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    names = {
        "AccountName": "account_name",
        "AccountKey": "account_key",
        "SharedAccessSignature": "sas_key",
        "BlobEndpoint": "endpoint",
    }
    return {ours: parts[theirs] for theirs, ours in names.items() if theirs in parts}


def _said(error: Exception) -> str:
    """The client's words in one line, without the response's body, which may hold anything."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
