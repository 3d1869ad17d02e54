"""Suggestions for misspelt names."""

from __future__ import annotations

from collections.abc import Iterable


def similar(word: str, known: Iterable[str]) -> list[str]:
    """Up to three known words near to `word`, nearest first."""
    from difflib import get_close_matches  # 7 ms, paid only when there is an error to explain

    return get_close_matches(word, list(known), n=3, cutoff=0.6)
