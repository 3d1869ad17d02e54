"""What went wrong outside of us, in the user's words: a package that is absent, a disk that is full."""

from __future__ import annotations

import errno
import sqlite3

from drystone.core.errors import DrystoneError, ProjectInvalid, WorkFailed

#: Which extra brings a package.
_EXTRAS = {
    "duckdb": "features",
    "fsspec": "fsspec",
    "httptools": "serve",
    "jinja2": "serve",
    "narwhals": "features",
    "numpy": "checks",
    "onnx": "models",
    "onnxruntime": "models",
    "pyarrow": "features",
    "pytest": "checks",
    "scipy": "monitor",
    "skl2onnx": "models",
    "sklearn": "checks",
    "skops": "models",
    "starlette": "serve",
    "uvicorn": "serve",
    "uvloop": "serve",
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain(error: Exception) -> DrystoneError | None:
    """The error for what is not our doing; None where it may be a bug of ours."""
    if isinstance(error, ModuleNotFoundError):
        return _absent(error)
    if isinstance(error, OSError) and error.errno in (*_FULL, *_FORBIDDEN):
        place = [str(name) for name in (error.filename,) if name]
        what = "the disk is full" if error.errno in _FULL else "this place cannot be written"
        return WorkFailed(what, at=place, because=(error.strerror or "").lower())
    if isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return WorkFailed("the disk is full", because=str(error))
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            return WorkFailed("this place cannot be written", because=str(error))
    return None


def _absent(error: ModuleNotFoundError) -> ProjectInvalid | None:
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    return ProjectInvalid(
        f"this needs the package `{package}`, which is not installed",
        hints=[f"install it with `pip install 'drystone[{extra}]'`"],
    )
