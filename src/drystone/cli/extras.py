"""Which extra brings a package that a verb did not find."""

from __future__ import annotations

from drystone.core.errors import ProjectInvalid

_EXTRAS = {
    "duckdb": "features",
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


def explain(error: ModuleNotFoundError) -> ProjectInvalid | None:
    """The error for a missing optional package; None where the package is none of ours."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    return ProjectInvalid(
        f"this needs the package `{package}`, which is not installed",
        hints=[f"install it with `pip install 'drystone[{extra}]'`"],
    )
