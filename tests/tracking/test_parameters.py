"""Parameters come from one file; whoever reads one is known to depend on it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from drystone.core.errors import NotFound, ProjectInvalid
from drystone.tracking.parameters import Parameters, answers, flatten, leaf, load, snapshot


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("params.toml", "[train]\ndepth = 3\nrate = 0.1\nnames = ['a', 'b']\n"),
        ("params.json", '{"train": {"depth": 3, "rate": 0.1, "names": ["a", "b"]}}'),
        ("params.yaml", "train:\n  depth: 3\n  rate: 0.1\n  names: [a, b]\n"),
    ],
)
def test_the_same_parameters_can_be_written_three_ways(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    path, values = load(tmp_path)
    assert path == tmp_path / name
    assert flatten(values) == {"train.depth": 3, "train.rate": 0.1, "train.names": '["a","b"]'}


def test_what_only_one_language_knows_is_text_for_scripts_and_steps_alike(tmp_path: Path) -> None:
    (tmp_path / "params.toml").write_text("since = 2013-03-04\nat = 2013-03-04T05:06:07Z\nmost = inf\n")
    values = load(tmp_path)[1]
    assert values == {"since": "2013-03-04", "at": "2013-03-04T05:06:07Z", "most": math.inf}
    assert json.loads(snapshot(values)) == values


def test_names_that_are_numbers_are_names(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("classes:\n  1: cat\n  2: dog\n")
    assert flatten(load(tmp_path)[1]) == {"classes.1": "cat", "classes.2": "dog"}


@pytest.mark.parametrize("text", ["true: 1\n", "~: 1\n", "? [1, 2]\n: 1\n"])
def test_what_can_be_no_name_is_refused_or_a_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    try:
        values = load(tmp_path)[1]
    except ProjectInvalid as error:
        assert "params.yaml" in error.message
    else:
        assert all(isinstance(name, str) for name in values)


def test_a_project_without_parameters_has_none(tmp_path: Path) -> None:
    assert load(tmp_path) == (None, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("params.toml", "depth = "),
        ("params.json", "{"),
        ("params.json", "[1]"),
        ("params.json", "[" * 100_000),
        ("params.yaml", "a: ["),
        ("params.toml", "\udcff"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ProjectInvalid, match=name):
        load(tmp_path)


def test_two_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "params.toml").write_text("")
    (tmp_path / "params.json").write_text("{}")
    with pytest.raises(ProjectInvalid, match="two files"):
        load(tmp_path)


@pytest.fixture
def asked() -> dict[str, Any]:
    return {}


@pytest.fixture
def parameters(asked: dict[str, Any]) -> Parameters:
    return Parameters({"seed": 7, "train": {"depth": 3, "rate": 0.1}, "data": {"days": [1, 2]}}, asked.update)


def test_only_what_is_read_counts(parameters: Parameters, asked: dict[str, Any]) -> None:
    assert parameters["train"]["depth"] == 3
    assert asked == {"train.depth": 3}


def test_taking_a_whole_table_counts_all_of_it(parameters: Parameters, asked: dict[str, Any]) -> None:
    assert dict(parameters["train"]) == {"depth": 3, "rate": 0.1}
    assert asked == {"train.*": '["depth","rate"]', "train.depth": 3, "train.rate": 0.1}


@pytest.mark.parametrize("ask", [len, list, lambda table: "depth" in table])
def test_asking_which_parameters_there_are_depends_on_their_names(
    parameters: Parameters, asked: dict[str, Any], ask: Any
) -> None:
    ask(parameters["train"])
    assert asked == {"train.*": '["depth","rate"]'}
    ask(parameters)
    assert asked["*"] == '["data","seed","train"]'


def test_every_question_has_its_answer_among_the_answers(
    parameters: Parameters, asked: dict[str, Any]
) -> None:
    repr(parameters)
    assert asked == answers({"seed": 7, "train": {"depth": 3, "rate": 0.1}, "data": {"days": [1, 2]}})


def test_a_number_beyond_64_bits_is_kept_as_text() -> None:
    assert flatten({"big": 10**30, "small": -(2**63)}) == {"big": str(10**30), "small": -(2**63)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], "[1,2]"),
        (["a"], '["a"]'),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (None, "null"),
        ("inf", '"inf"'),
    ],
)
def test_no_two_values_are_one_in_the_ledger(one: Any, other: Any) -> None:
    assert leaf(one) != leaf(other)
    assert leaf(one) is not None  # that is a parameter that is not there


def test_a_list_is_one_parameter(parameters: Parameters, asked: dict[str, Any]) -> None:
    assert parameters["data"]["days"] == [1, 2]
    assert asked == {"data.days": "[1,2]"}


def test_a_misspelt_parameter_names_the_right_one(parameters: Parameters) -> None:
    with pytest.raises(NotFound) as raised:
        parameters["train"]["dept"]
    assert raised.value.message == "no parameter `train.dept`"
    assert "`train.depth`" in raised.value.hints[0]
    assert parameters["train"].get("dept", 5) == 5


def test_a_parameter_that_is_not_there_was_asked_for_all_the_same(
    parameters: Parameters, asked: dict[str, Any]
) -> None:
    assert parameters["train"].get("later", 5) == 5
    assert asked == {"train.later": None}
