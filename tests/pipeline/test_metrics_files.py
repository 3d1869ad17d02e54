"""Any language can leave numbers in `metrics*.json`."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from drystone.ledger import runs
from drystone.pipeline.metrics import is_metrics, read


def values(root: Path, text: str, name: str = "metrics.json") -> dict[str, float]:
    (root / name).write_text(text)
    found = read(root, [name])
    assert not found.warnings
    return found.values


def test_nested_keys_are_joined_by_dots(tmp_path) -> None:
    assert values(tmp_path, '{"a": 1, "b": {"c": 2.5, "d": {"e": -1e-3}}}') == {
        "a": 1,
        "b.c": 2.5,
        "b.d.e": -0.001,
    }


def test_what_is_no_number_is_passed_over_and_booleans_are_numbers(tmp_path) -> None:
    text = '{"a": "x", "b": null, "c": [1], "d": true, "e": false, "f": 1' + "0" * 400 + "}"
    assert values(tmp_path, text) == {"d": 1, "e": 0}


def test_nan_and_infinities_are_values(tmp_path) -> None:
    found = values(tmp_path, '{"a": NaN, "b": Infinity, "c": -Infinity}')
    assert math.isnan(found["a"])
    assert (found["b"], found["c"]) == (math.inf, -math.inf)


def test_the_name_of_the_file_comes_before_its_keys(tmp_path) -> None:
    assert values(tmp_path, '{"auc": 0.7}', "metrics-holdout.json") == {"holdout.auc": 0.7}


@pytest.mark.parametrize("text", ["", "{", '{"a": 1} x', "[1]", "\xff", "[" * 100_000])
def test_a_malformed_file_is_a_warning(tmp_path, text) -> None:
    (tmp_path / "metrics.json").write_bytes(text.encode("latin-1"))
    found = read(tmp_path, ["metrics.json"])
    assert found.values == {}
    assert found.warnings[0].startswith("`metrics.json` was not read: ")


def test_only_json_files_named_metrics_are_meant(tmp_path) -> None:
    assert is_metrics("out/metrics.json")
    assert is_metrics("metrics_test.json")
    assert not is_metrics("metrics.txt")
    assert not is_metrics("my-metrics.json")


def test_a_step_that_writes_them_has_them(shop) -> None:
    shop.step("a", """echo '{"loss": {"train": 0.25}, "bad": NaN}' > metrics.json""")
    shop.run()
    found = runs.latest_metrics(shop.ledger, shop.result("a").run)
    assert found["loss.train"] == 0.25
    assert math.isnan(found["bad"])


def test_a_step_that_writes_nonsense_has_a_warning_and_succeeds(shop) -> None:
    shop.step("a", "echo '{' > metrics.json")
    assert shop.run() == {"a": "ran"}
    assert shop.result("a").notes[0].startswith("`metrics.json` was not read")
    assert "drystone.warning.1" in runs.tags(shop.ledger, shop.result("a").run)
