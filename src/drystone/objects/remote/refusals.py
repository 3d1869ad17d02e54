"""What obstore says when something fails, in a person's words."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from drystone.core.errors import RemoteUnavailable

_CREDENTIALS = {
    "s3": "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `profile` in `drystone.toml`",
    "gs": "set `GOOGLE_APPLICATION_CREDENTIALS`, or run `gcloud auth application-default login`",
    "az": "set `AZURE_STORAGE_ACCOUNT_KEY` or `AZURE_STORAGE_SAS_TOKEN`, or run `az login`",
    "": "see who may write there with `ls -ld`",
}
_SCHEMES = {"s3a": "s3", "azure": "az", "abfs": "az", "abfss": "az", "file": ""}
_NOT_ALLOWED = "credentials"
_NOT_THERE = "place"
_AWAY = "network"
_OTHER = "other"

#: What to look for in obstore's text, what it means, and of which kind that is; the first one counts.
_MEANINGS = (
    (r"RequestTimeTooSkewed", "this machine's clock and the remote's differ by too much", "clock"),
    (r"NoSuchBucket|bucket does not exist|ContainerNotFound", "there is no such bucket", _NOT_THERE),
    (r"InvalidAccessKeyId", "the access key is not known there", _NOT_ALLOWED),
    (r"SignatureDoesNotMatch", "the secret key is wrong", _NOT_ALLOWED),
    (r"ExpiredToken|TokenRefreshRequired", "the credentials have expired", _NOT_ALLOWED),
    (r"169\.254\.|metadata\.google|[Mm]issing.*credential", "no credentials were found", _NOT_ALLOWED),
    (r"\b401\b|Unauthorized|unauthenticated", "it wants credentials, or other ones (401)", _NOT_ALLOWED),
    (r"\b403\b|Forbidden|AccessDenied", "these credentials do not allow it (403)", _NOT_ALLOWED),
    (r"[Rr]ead-only file system", "read-only file system", _NOT_ALLOWED),
    (r"[Pp]ermission denied", "permission denied", _NOT_ALLOWED),
    (r"[Nn]o space left|os error 122", "no space left on device", "space"),
    (r"[Cc]onnection refused", "nothing listens there: connection refused", _AWAY),
    (r"dns error|failed to lookup", "its host is not known", _AWAY),
    (r"certificate", "its certificate is not trusted", _AWAY),
    (r"timed out|[Tt]imeout|deadline", "it does not answer in time", _AWAY),
    (r"connection (was )?(closed|reset)|broken pipe|unexpected e", "the connection was cut", _AWAY),
    (r"SendRequest|incomplete|error decoding|end of file|error sending", "the connection was cut", _AWAY),
    (r"\b404\b|not found|No such file", "it is not there", _NOT_THERE),
)  # fmt: skip

_TROUBLE = re.compile(r"status code: (5\d\d\b[^:\n]*):?[ ]?([^\n]*)")
_SAID = re.compile(r"<(?:Code|Message|title|h1)>([^<]+)")
_PATIENCE = re.compile(r"retry_timeout: \S+")  # how long obstore would have tried, told with every failure
_SHOWN = 200


def refused(error: Exception, name: str, url: str, key: str) -> RemoteUnavailable:
    """The error to raise in place of what obstore said.

    Args:
        error: what it raised.
        name: of the remote.
        url: of the remote, without secrets.
        key: what was asked for, "" for the whole.
    """
    because, kind = _meaning(str(error))
    return RemoteUnavailable(
        f"remote `{name}` {'refused' if kind == _NOT_ALLOWED else 'cannot be used'}",
        at=f"{url.rstrip('/')}/{key}",
        because=because,
        hints=[_hint(kind, url)],
    )


def _meaning(text: str) -> tuple[str, str]:
    if trouble := _TROUBLE.search(text):
        status, body = trouble[1].strip(), trouble[2]
        said = ", ".join(dict.fromkeys(_SAID.findall(body))) or body
        return f"it answered {status}{': ' if said else ''}{said}"[:_SHOWN].strip(), _AWAY
    text = _PATIENCE.sub("", text)
    for pattern, words, kind in _MEANINGS:
        if re.search(pattern, text):
            return words, kind
    first = text.strip().splitlines()[0] if text.strip() else "it gives no reason"
    return first[:_SHOWN], _OTHER


def _hint(kind: str, url: str) -> str:
    scheme = urlsplit(url).scheme
    scheme = _SCHEMES.get(scheme, scheme)
    if kind == _NOT_ALLOWED:
        return _CREDENTIALS.get(scheme, _CREDENTIALS[""])
    if kind == _NOT_THERE:
        return "make it, or correct its `url` in `drystone.toml`; `drystone remote` lists what is set"
    if kind == "clock":
        return "set this machine's clock: `timedatectl set-ntp true`"
    if kind == "space":
        return f"see what is full with `df -h {url}`" if not scheme else "make room there"
    return "run the same command again when it can be reached; what was sent or fetched so far is kept"
