"""What an address must not hold, told without repeating it: credentials, and what is no place at all."""

from __future__ import annotations

from urllib.parse import urlsplit

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "file")
#: Where credentials belong, as a hint.
BELONG = (
    "give the address alone: keys are looked for in the variables of the cloud's own tools, as"
    " `AWS_ACCESS_KEY_ID`, and in the `--profile` of `~/.aws/credentials`"
)
_CREDENTIALS = "credentials must not stand in it"


def objection(url: str, endpoint: str | None = None) -> str | None:
    """What speaks against an address; None if nothing does.

    What it gives repeats nothing of the address but its scheme.
    """
    return _against_url(url) or (_against_endpoint(endpoint) if endpoint else None)


def is_secret(objection: str) -> bool:
    """Whether the objection is to what nobody else should read."""
    return objection.startswith(_CREDENTIALS)


def _against_url(url: str) -> str | None:
    if "://" not in url:
        return None  # a folder, whose name may have any characters
    scheme, _, rest = url.partition("://")
    place = rest.partition("/")[0]
    if scheme in ("abfs", "abfss"):
        # CONTAINER@ACCOUNT; a key may hold `/`, so that only its beginning is in the place of the account
        held = ":" in place or place.count("@") > 1
    else:
        held = ":" in place or "@" in place
    if held and (scheme in SCHEMES or "@" in rest):
        return _CREDENTIALS
    if scheme not in SCHEMES:
        return (
            f"`{scheme}://` is none of the places that are known"
            if scheme.isalnum()
            else "its scheme is none that is known"
        )
    if scheme != "file" and ("?" in rest or "#" in rest):
        return f"{_CREDENTIALS}: what follows `?` or `#` names no place, and in signed URLs it is a key"
    return None


def _against_endpoint(endpoint: str) -> str | None:
    if "@" in endpoint or "?" in endpoint or "#" in endpoint:
        return f"{_CREDENTIALS}: an endpoint is `https://HOST` or `https://HOST:PORT`"
    try:
        parts = urlsplit(endpoint)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no number where the port belongs: perhaps a password with a slash in it
        is_one = False
    return None if is_one else "its endpoint is not `https://HOST` or `https://HOST:PORT`"
