"""How often the drift rule alarms, with and without a change, beside a threshold of a kind in common use.

Ours: a window of ten features, one of which changes or none, judged as `drystone monitor` does (p-values
adjusted over the features, effect at least 0.02). Peer: Wasserstein distance over the standard deviation
of the reference, alarm from 0.1 on, on the changing feature alone; missing values are dropped first, as
such rules do. Reference: 5,000 rows. Each cell is a share of REPEATS windows; its standard error is at
most 0.07.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from scipy.stats import wasserstein_distance

from drystone.monitoring.columns import Array, Sample, sample
from drystone.monitoring.decision import drift
from drystone.monitoring.two_sample import compare

REPEATS = 60
REFERENCE = 5000
FEATURES = 10
SIZES = (30, 100, 1000, 20_000)

Change = Callable[[np.random.Generator, Array], Array]


def _some(share: float, value: float) -> Change:
    return lambda random, column: np.where(random.random(len(column)) < share, value, column)


CHANGES: dict[str, Change] = {
    "nothing changed": lambda _, column: column,
    "mean + 0.2 sd": lambda _, column: column + 0.2,
    "mean + 0.5 sd": lambda _, column: column + 0.5,
    "mean + 1 sd": lambda _, column: column + 1.0,
    "sd x 1.5": lambda _, column: column * 1.5,
    "5 % missing": _some(0.05, np.nan),
    "60 % missing": _some(0.6, np.nan),
    "1 % outliers of 100 sd": _some(0.01, 100.0),
    "5 % infinite": _some(0.05, np.inf),
}


def _columns(random: np.random.Generator, rows: int) -> list[Array]:
    return [random.normal(size=rows) for _ in range(FEATURES)]


def _read(column: Array) -> Sample:
    return sample([pa.array(column)], "number")


def main() -> None:
    print(f"{'alarms, share of windows':<26}" + "".join(f"{f'n = {n:,}':>16}" for n in SIZES))
    print(f"{'':<26}" + f"{'ours':>9}{'peer':>7}" * len(SIZES))
    for name, change in CHANGES.items():
        cells = []
        for rows in SIZES:
            random = np.random.default_rng([rows, *name.encode()])
            repeats = REPEATS if rows < 20_000 else REPEATS // 3
            ours = peer = 0
            for _ in range(repeats):
                before, now = _columns(random, REFERENCE), _columns(random, rows)
                now[0] = change(random, now[0])
                pairs = zip(before, now, strict=True)
                found = drift({str(k): compare(_read(a), _read(b)) for k, (a, b) in enumerate(pairs)})
                judged = found if name == "nothing changed" else found[:1]
                ours += any(one.verdict == "fail" for one in judged)
                left = now[0][np.isfinite(now[0])]
                peer += wasserstein_distance(before[0], left) / before[0].std() >= 0.1
            cells.append(f"{ours / repeats:>9.2f}{peer / repeats:>7.2f}")
        print(f"{name:<26}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
