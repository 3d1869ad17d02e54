"""The cells into which two samples of one feature are counted, and how far the counts lie apart.

Numbers fall between the deciles of the reference; a value that alone holds a tenth of it is a cell
of its own, and where the two samples together have few values each value is one. Missing values,
-infinity and +infinity have cells of their own: 60 % of values turning NaN is a drift.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drystone.core.clock import to_iso
from drystone.monitoring.columns import Array, Kind, Sample

#: Up to so many distinct numbers in both samples together, each is a cell.
FEW = 20
MISSING, RARE, UNSEEN = "missing", "rare values", "unseen values"


class Cells(NamedTuple):
    """Rows of the reference and of the current sample, cell by cell; no cell is empty in both."""

    names: list[str]
    reference: Array
    current: Array

    @property
    def totals(self) -> Array:
        """Rows of both samples together, cell by cell."""
        return np.asarray(self.reference + self.current)

    def select(self, keep: Array) -> Cells:
        """Only these cells."""
        names = [name for name, kept in zip(self.names, keep, strict=True) if kept]
        return Cells(names, self.reference[keep], self.current[keep])


def count(reference: Sample, current: Sample) -> Cells:
    """Count two samples of one kind into cells."""
    if reference.kind in ("number", "time"):
        names, a, b = _count_numbers(reference.numbers, current.numbers, reference.kind)
    else:
        names = sorted({*reference.categories, *current.categories})
        a = np.array([reference.categories.get(name, 0) for name in names], dtype=np.int64)
        b = np.array([current.categories.get(name, 0) for name in names], dtype=np.int64)
    cells = Cells(
        [*(_quoted(name, reference.kind) for name in names), MISSING],
        np.append(a, reference.missing),
        np.append(b, current.missing),
    )
    return cells.select(cells.totals > 0)


def expected(cells: Cells) -> Array:
    """Rows that each cell of the smaller sample would hold if both came from one distribution."""
    smaller = min(int(cells.reference.sum()), int(cells.current.sum()))
    return np.asarray(cells.totals * (smaller / cells.totals.sum()))


def pool(cells: Cells, rare: Array, *, unseen_apart: bool = False) -> Cells:
    """Put the cells marked rare into one; if asked, those the reference never saw into one of their own."""
    unseen = rare & (cells.reference == 0) if unseen_apart else np.zeros_like(rare)
    kept = cells.select(~rare)
    names, a, b = list(kept.names), list(kept.reference), list(kept.current)
    for name, group in ((RARE, rare & ~unseen), (UNSEEN, unseen)):
        if group.any():
            names.append(cells.names[int(np.argmax(group))] if group.sum() == 1 else name)
            a.append(cells.reference[group].sum())
            b.append(cells.current[group].sum())
    return Cells(names, np.array(a, dtype=np.int64), np.array(b, dtype=np.int64))


def effect(cells: Cells) -> float:
    """Population stability index less what it would be by chance, never below 0.

    With k cells and n, m rows the plain index of two samples of one distribution has mean
    (k - 1)(1/n + 1/m) (Yurdakul and Naranjo 2020); half a row in each cell keeps it finite.
    """
    a, b = cells.reference + 0.5, cells.current + 0.5
    p, q = a / a.sum(), b / b.sum()
    plain = float(((p - q) * np.log(p / q)).sum())
    chance = (len(a) - 1) * (1 / cells.reference.sum() + 1 / cells.current.sum())
    return max(0.0, plain - float(chance))


def largest_change(cells: Cells) -> str:
    """The cell that weighs most in the effect, in words: `missing: 0.1 % → 61 %`."""
    a, b = cells.reference + 0.5, cells.current + 0.5
    p, q = a / a.sum(), b / b.sum()
    at = int(np.argmax((p - q) * np.log(p / q)))
    before = cells.reference[at] / cells.reference.sum()
    after = cells.current[at] / cells.current.sum()
    return f"{cells.names[at]}: {_percent(before)} → {_percent(after)}"


def _count_numbers(reference: Array, current: Array, kind: Kind) -> tuple[list[str], Array, Array]:
    """Cells of the finite numbers in ascending order, then -infinity and +infinity."""
    finite, now = _finite(reference), _finite(current)
    edges, atoms = _edges(finite, now)

    def count(numbers: Array, finite: Array) -> Array:
        # A cell begins at every edge, and behind each atom as well: an atom is a cell of its own.
        begins = np.sort(
            np.concatenate([finite.searchsorted(edges), finite.searchsorted(atoms, side="right")])
        )
        infinite = [np.count_nonzero(numbers == -np.inf), np.count_nonzero(numbers == np.inf)]
        return np.concatenate([np.diff(begins, prepend=0, append=len(finite)), infinite])

    names = [*_names(edges, atoms, kind), "-infinity", "+infinity"]
    return names, count(reference, finite), count(current, now)


def _finite(ascending: Array) -> Array:
    begin, end = ascending.searchsorted(-np.inf, side="right"), ascending.searchsorted(np.inf)
    return ascending[begin:end]


def _edges(reference: Array, current: Array) -> tuple[Array, Array]:
    """Where the cells of finite numbers meet, and which of these values are cells themselves."""
    if _distinct(reference, FEW) <= FEW and _distinct(current, FEW) <= FEW:
        # Of both samples, so that who saw a value first cannot matter to a permutation.
        together = np.union1d(reference, current)
        if len(together) <= FEW:
            return together, together
    if not len(reference):
        return reference, reference
    # The least values with at least k tenths of the rows at or below them.
    deciles = [-(-tenth * len(reference) // 10) - 1 for tenth in range(1, 10)]
    edges = np.unique(reference[deciles])
    rows = reference.searchsorted(edges, side="right") - reference.searchsorted(edges)
    return edges, edges[rows >= 0.1 * len(reference)]


def _distinct(ascending: Array, most: int) -> int:
    """How many distinct values there are, counted no further than just above `most`."""
    found = position = 0
    while position < len(ascending) and found <= most:
        position = int(ascending.searchsorted(ascending[position], side="right"))
        found += 1
    return found


def _names(edges: Array, atoms: Array, kind: Kind) -> list[str]:
    """Names of the cells that `edges` and `atoms` make, in their order."""
    texts = [_number(edge, kind) for edge in edges]
    if not texts:
        return ["finite values"]
    single = set(atoms.tolist())
    names = [f"< {texts[0]}"]
    for index, edge in enumerate(edges.tolist()):
        above = texts[index + 1] if index + 1 < len(texts) else None
        if edge in single:
            names += [texts[index], f"> {texts[index]}" if above is None else f"{texts[index]} to {above}"]
        else:
            names.append(f">= {texts[index]}" if above is None else f"{texts[index]} to {above}")
    return names


def _number(value: float, kind: Kind) -> str:
    if kind == "time" and abs(value) < 2e11:
        return to_iso(int(value) * 1_000_000_000)[:16]
    return f"{value:.4g}"


def _quoted(name: str, kind: Kind | None) -> str:
    return f"`{name}`" if kind == "text" else name


def _percent(share: float) -> str:
    if share == 0 or share >= 0.1:
        return f"{share:.0%}".replace("%", " %")
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 else "< 0.1 %"
