"""What the ledger and the registry know after a step has run."""

from __future__ import annotations

import json

import pytest

from drystone.core.errors import DrystoneError
from drystone.ledger import lineage, names, runs, traces
from drystone.objects.tree import read_tree
from drystone.pipeline.results import StepRegistered
from drystone.pipeline.trace import load


def test_an_execution_is_a_run_with_output_environment_and_trace(shop) -> None:
    shop.step("a", "echo hello; echo a > a.txt")
    shop.run()
    row = runs.get(shop.ledger, shop.result("a").run)
    assert (row.kind, row.name, row.status, row.exit_code) == ("step", "a", "succeeded", 0)
    assert row.command == ("sh", "steps/a.sh")
    assert shop.store.read(row.output) == b"hello\n"
    assert "system" in json.loads(shop.store.read(row.environment))
    (recorded,) = traces.for_step(shop.ledger, "a")
    assert (recorded.run, recorded.trace, recorded.label) == (row.run, shop.lock.steps["a"], "proven")


def test_a_trace_is_canonical_json_that_says_what_was_read_and_written(shop) -> None:
    shop.write("in.txt", "1\n")
    shop.step("a", "mkdir out; cat in.txt > out/a.txt; [ -f extra ] || true")
    shop.run()
    data = shop.store.read(shop.lock.steps["a"])
    document = json.loads(data)
    assert data == json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert document["format"] == 1
    assert list(document["reads"]) == ["in.txt", "steps/a.sh"]
    assert [name for name in document["absent"] if not name.startswith("/")] == ["extra"]
    assert document["made"] == ["out"]
    assert list(document["writes"]) == ["out/a.txt"]
    assert load(shop.store, shop.lock.steps["a"]).writes == shop.lock.paths


def test_what_a_step_printed_before_it_failed_is_kept(shop) -> None:
    shop.step("a", "echo oh no >&2; exit 1")
    shop.run()
    row = runs.get(shop.ledger, shop.result("a").run)
    assert (row.status, row.exit_code) == ("failed", 1)
    assert shop.store.read(row.output) == b"oh no\n"


def test_lineage_leads_from_a_result_to_its_source(shop) -> None:
    shop.write("data/source.csv", "1\n")
    shop.step("ingest", "{ echo raw; cat data/source.csv; } > data/raw.txt")
    shop.step("train", "mkdir -p models/m; { echo w; cat data/raw.txt; } > models/m/w")
    shop.run()
    model = shop.lock.paths["models/m"].object
    train = lineage.producer(shop.ledger, model)
    assert train.name == "train"
    (edge,) = [edge for edge in lineage.edges(shop.ledger, train.run) if edge.path == "data/raw.txt"]
    assert lineage.producer(shop.ledger, edge.object).name == "ingest"


def test_whoever_reads_in_a_model_has_read_the_model(shop) -> None:
    shop.step("train", "mkdir -p models/m; echo w > models/m/w; echo x > models/m/x")
    shop.step("use", "cat models/m/w > used.txt")
    shop.run()
    shop.run()
    edges = lineage.edges(shop.ledger, shop.result("use").run or runs.recent(shop.ledger, name="use")[0].run)
    assert [edge.object for edge in edges if edge.path == "models/m"] == [shop.lock.paths["models/m"].object]


def test_models_and_data_that_a_step_writes_become_versions(shop) -> None:
    shop.step(
        "a", "mkdir -p data/parts models/m; echo 1 > data/raw.csv; echo 2 > data/parts/2; echo w > models/m/w"
    )
    shop.run()
    published = {(version.kind, version.name): version for version in shop.result("a").published}
    assert set(published) == {("data", "raw"), ("data", "parts"), ("model", "m")}
    assert published["data", "raw"].path == "data/raw.csv"
    parts = published["data", "parts"]
    assert (parts.path, parts.size) == ("data/parts", 2)
    assert [entry.name for entry in read_tree(shop.store, parts.object)] == ["2"]
    assert published["model", "m"].object == shop.lock.paths["models/m"].object


def test_the_same_bytes_stay_the_same_version(shop) -> None:
    shop.step("a", "mkdir -p models/m; cat source > models/m/w")
    for content in ("1", "2", "1"):
        shop.write("source", content)
        shop.run(force=True)
    assert len(names.versions(shop.ledger, "model", "m")) == 2


def test_files_that_differ_only_in_their_suffix_keep_it_in_their_names(shop) -> None:
    shop.step("a", "mkdir -p data; echo 1 > data/x.csv; echo 2 > data/x.parquet")
    shop.run()
    assert names.names(shop.ledger, "data") == ["x.csv", "x.parquet"]


def test_data_and_models_are_kept_out_of_git(shop) -> None:
    shop.step("a", "mkdir -p data models/m; echo 1 > data/x; echo w > models/m/w")
    shop.run()
    assert shop.read(".gitignore") == "/data/\n/models/\n"


def test_folders_that_git_tracks_files_in_are_left_to_the_user(shop, git) -> None:
    shop.write("data/README.md", "hello\n")
    git("add", "data")
    shop.step("a", "echo 1 > data/x")
    shop.run()
    assert not (shop.root / ".gitignore").exists()


def test_the_lock_names_outputs_and_traces_and_nothing_of_this_machine(shop) -> None:
    shop.step("a.py", "open('a.txt', 'w').write('a')\n")
    shop.run()
    assert list(shop.lock.paths) == ["a.txt"]
    trace = shop.store.read(shop.lock.steps["a"]).decode()
    assert str(shop.root) not in trace


def test_an_execution_that_came_too_early_becomes_no_version(shop) -> None:
    shop.step("a", "mkdir -p data; { cat b.txt || echo none; } > data/a.txt 2> /dev/null")
    shop.step("b", "echo b > b.txt")
    shop.run()
    (version,) = names.versions(shop.ledger, "data", "a")
    assert (version.version, version.run) == (1, shop.result("a").run)
    assert shop.store.read(version.object) == b"b\n"
    assert shop.result("a").published == (version,)
    assert [event.step for event in shop.events if isinstance(event, StepRegistered)] == ["a"]


def test_what_was_owed_when_a_run_was_stopped_becomes_a_version_if_it_stands(shop) -> None:
    shop.step("a", "mkdir -p data; { cat b.txt || echo none; } > data/a.txt 2> /dev/null")
    shop.step("b", "exit 1")

    def stop(name: str) -> None:
        if name == "attempt ended":
            raise InterruptedError(name)

    shop.failpoint = stop
    with pytest.raises(DrystoneError):
        shop.run("a")
    shop.failpoint = None
    assert names.versions(shop.ledger, "data", "a") == []
    shop.step("b", "echo b > b.txt")
    shop.run()
    (version,) = names.versions(shop.ledger, "data", "a")
    assert shop.store.read(version.object) == b"b\n"
    shop.step("b", "echo 2 > b.txt")
    shop.run()
    assert shop.run() == {"a": "unchanged", "b": "unchanged"}
    assert [each.version for each in names.versions(shop.ledger, "data", "a")] == [1, 2]


def test_an_execution_that_came_too_early_says_which_one_counts(shop) -> None:
    shop.step("a", "cat b.txt > a.txt 2> /dev/null; true")
    shop.step("b", "echo b > b.txt")
    shop.run()
    counts, early = runs.recent(shop.ledger, name="a")
    assert shop.result("a").run == counts.run
    assert runs.tags(shop.ledger, early.run)["drystone.superseded_by"] == counts.run
    assert "drystone.superseded_by" not in runs.tags(shop.ledger, counts.run)
