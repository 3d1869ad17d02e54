"""The environment variables of a step: constructed, because no observer can see which are read."""

from __future__ import annotations

from collections.abc import Mapping

#: Let through, and different from machine to machine without meaning anything for a result.
_PLAIN = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_*",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "SSH_AUTH_SOCK",
    "AWS_*", "AZURE_*", "GOOGLE_*",
)  # fmt: skip
#: Let through, and part of the trace: they change how text sorts, parses and prints, which libraries are
#: loaded, how sums are split, and which data a cloud's client finds. No secrets: traces are shared.
_TELLING = (
    "LANG", "LANGUAGE", "LC_*", "TZ", "PYTHONPATH", "PYTHONHASHSEED", "SOURCE_DATE_EPOCH", "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE",
)  # fmt: skip


def constructed(variables: Mapping[str, str], passed: tuple[str, ...] = ()) -> dict[str, str]:
    """The user's variables that a step is given.

    Args:
        variables: the user's environment.
        passed: further names, or beginnings of names ending in `*`.
    """
    return _matching(variables, (*_PLAIN, *_TELLING, *passed))


def telling(variables: Mapping[str, str], passed: tuple[str, ...] = ()) -> dict[str, str]:
    """Those of the given variables that belong into the trace."""
    return _matching(variables, (*_TELLING, *passed))


def _matching(variables: Mapping[str, str], patterns: tuple[str, ...]) -> dict[str, str]:
    names = {pattern for pattern in patterns if not pattern.endswith("*")}
    beginnings = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
    return {
        name: value
        for name, value in sorted(variables.items())
        if name in names or name.startswith(beginnings)
    }
