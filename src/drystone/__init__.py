"""Drystone: the whole cycle of data, model and code in any git repository.

    import drystone as ds

    ds.params["train"]["depth"]          # a parameter, recorded as read
    ds.log(loss=0.3, step=7)             # a metric point
    ds.model("churn", pipeline, inputs=X)  # a model with signature and example, in models/churn
    ds.open("data:flights@v3/x.parquet") # a file of a version, fetched as far as it is read

Everything here is loaded when it is first used: `import drystone` costs next to nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "log",
    "model",
    "open",
    "params",
    "run",
    "tag",
    "views",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from drystone.core.version import __version__

        return __version__
    if name in __all__:
        from drystone import api

        value = getattr(api, name)
        if name != "params":  # which `api` keeps itself
            globals()[name] = value  # found without this function from now on: `log` is called in loops
        return value
    raise AttributeError(f"module `drystone` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
