"""`drystone get`: what a reference means, where it is put, and what is never overwritten or believed."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from tests.project.conftest import ROWS, Drystone, git, verb  # type: ignore[import-not-found]

from drystone.core.errors import Conflict
from drystone.objects.entry import HEADER
from drystone.objects.hashing import hash_bytes
from drystone.project import getting
from drystone.project.reading import Reader
from drystone.project.settings import Settings
from drystone.workspace.lockfile import Lock


def _flip_all(folder: Path, pattern: str = "*.pack") -> None:
    """Damages every tenth byte behind the beginning of each file."""
    for path in folder.rglob(pattern):
        path.chmod(0o644)
        data = bytearray(path.read_bytes())
        for at in range(60, len(data), 10):
            data[at] ^= 0xFF
        path.write_bytes(data)


# what a reference means


@pytest.mark.parametrize(
    ("reference", "content"),
    [
        ("data:out/x.txt", "two\n"),  # as the lock has it
        ("out/x.txt", "two\n"),
        ("data:out@/x.txt", "two\n"),
        ("data:out@v1/x.txt", "one\n"),
        ("out@v1/x.txt", "one\n"),
        ("data:out@v2/deep/t.csv", "a,b\n1,2\n"),
        ("data:out@git:first/x.txt", "one\n"),
        ("data:out@git:HEAD~1/deep/t.csv", "a,b\n1,2\n"),
        ("data/out/x.txt", "two\n"),
        ("data/out/x.txt@git:first", "one\n"),
        ("model:m@champion/weights", "\0" * 1000),
        ("m@champion/weights", "\0" * 1000),
        ("models/m/weights", "\0" * 1000),
        (hash_bytes(b"one\n"), "one\n"),
        (hash_bytes(b"one\n")[:11], "one\n"),
    ],
)
def test_a_reference_means(drystone: Drystone, reference: str, content: str) -> None:
    assert drystone("pull", "--fetch-only", "models/m").code == 0  # the record of versions
    assert drystone("get", reference, "-o", "-") == (0, content, "")
    assert drystone("get", reference, "-o", "got").code == 0
    assert Path("got").read_text() == content


def test_an_object_that_is_a_folder_can_be_looked_into(drystone: Drystone, clone: Path) -> None:
    tree = Lock.read(clone / "drystone.lock").paths["data/out"].object
    assert drystone("get", f"{tree[:15]}/deep/t.csv", "-o", "-").out == "a,b\n1,2\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["data:outt"], 4, ["no data named `outt`", "data with a similar name exists: `data:out`"]),
        (["data:out@v7"], 4, ["`data:out` has no version v7"]),
        (["data:out@nobody"], 4, ["`data:out` has no alias `nobody`"]),
        (["data:out/x.tx"], 4, ["there is no `x.tx` in it", "is there: `x.txt`"]),
        (["data:out@git:nowhere/x.txt"], 4, ["no git revision"]),
        (["data/tabel.parquet"], 4, ["nothing is called", "`data/table.parquet`"]),
        (
            ["b3:0123456789"],
            4,
            ["an object that begins with `b3:0123456789` is not in the local store", "`lab`"],
        ),
        (["b3:xyz"], 2, ["not an object id"]),
        (["step:train"], 2, ["a step has no bytes"]),
        (["../data"], 2, ["outside of the project"]),
        (["data:out", "-o", "-"], 2, ["`data:out` is a folder", "`data:out/run`"]),
        (["data:out/link", "-o", "-"], 2, ["is a symbolic link to 'x.txt'"]),
        (["data:table", "--rows", "9..3"], 2, ["not a range of rows: `9..3`"]),
        (["data:out/x.txt", "--rows", "1..3"], 2, ["is not a Parquet file"]),
        (["data:table", "--rows", "1..3", "-o", "x.xlsx"], 2, ["`.csv` or `.parquet`"]),
        (["data:table", "--rows", "9999999.."], 2, ["has 300,000 rows"]),
        (["data:table", "--repo", "/nowhere"], 4, ["there is no repository `/nowhere`"]),
        (["data:table", "--repo", "file:///nowhere"], 4, ["git cannot read the repository"]),
        (["data:table", "--remote", "nobody"], 4, ["no remote is named `nobody`"]),
        (["data:table", "-o", "-", "--json"], 2, []),
    ],
)
def test_errors_say_what_was_wrong(
    drystone: Drystone, clone: Path, words: list[str], code: int, said: list[str]
) -> None:
    assert drystone("pull", "--fetch-only", "models/m").code == 0
    before = sorted(path.name for path in clone.iterdir())
    answer = drystone("get", *words)
    assert answer.code == code, answer.err
    for text in said:
        assert text in answer.err
    assert sorted(path.name for path in clone.iterdir()) == before


def test_an_ambiguous_beginning_of_an_id(drystone: Drystone, clone: Path) -> None:
    store = clone / ".drystone" / "objects"
    (store / "ab").mkdir(parents=True)
    for end in "12":
        (store / "ab" / ("c" * 61 + end)).write_text("x")
    answer = drystone("get", "b3:abcccccc")
    assert answer.code == 4
    assert "several objects begin with `b3:abcccccc`" in answer.err


def test_a_version_of_which_the_record_is_not_here_yet(drystone: Drystone) -> None:
    answer = drystone("get", "data:out@v1/x.txt")
    assert answer.code == 4
    assert "no version of `data:out` is on record here" in answer.err
    assert "`drystone pull`" in answer.err


# where it is put


def test_a_tracked_path_comes_to_its_own_place(drystone: Drystone, clone: Path) -> None:
    (clone / "notes").mkdir()
    answer = drystone("get", "data:out", at=clone / "notes")
    assert (answer.code, answer.err) == (0, "")
    out = clone / "data" / "out"
    assert (out / "x.txt").read_text() == "two\n"
    assert os.access(out / "run", os.X_OK)
    assert (out / "link").readlink() == Path("x.txt")
    assert drystone("get", "../data/out", at=clone / "notes").out.startswith("unchanged")
    assert not list((clone / "notes").iterdir())


def test_a_part_of_a_tracked_path_comes_alone(drystone: Drystone, clone: Path) -> None:
    assert drystone("get", "data/out/deep/t.csv").code == 0
    assert [path.name for path in (clone / "data").rglob("*")] == ["out", "deep", "t.csv"]
    (clone / "data" / "out" / "deep" / "t.csv").write_text("mine\n")
    answer = drystone("get", "data/out/deep/t.csv")
    assert answer.code == 5
    assert "only the work tree holds" in answer.err
    assert drystone("get", "data/out/deep/t.csv", "--force").code == 0
    kept = drystone("get", hash_bytes(b"mine\n"), "-o", "-")
    assert kept.out == "mine\n"


def test_unsaved_changes_of_a_tracked_path_stay(drystone: Drystone, clone: Path) -> None:
    assert drystone("get", "data/out").code == 0
    (clone / "data" / "out" / "x.txt").write_text("mine\n")
    answer = drystone("get", "data:out")
    assert answer.code == 5
    assert "drystone checkout --force data/out" in answer.err
    assert (clone / "data" / "out" / "x.txt").read_text() == "mine\n"


def test_anything_else_comes_to_the_current_folder(drystone: Drystone, clone: Path) -> None:
    assert drystone("pull", "--fetch-only", "models/m").code == 0
    here = clone / "here"
    here.mkdir()
    answer = drystone("get", "data:out@v1", "--json", at=here)
    told = json.loads(answer.out)
    assert (told["outcome"], told["kind"], told["path"]) == ("written", "tree", str(here / "out"))
    assert (here / "out" / "x.txt").read_text() == "one\n"
    assert drystone("get", "data:out@v1", at=here).out.startswith("unchanged")
    answer = drystone("get", "data:out@v2", at=here)
    assert answer.code == 5
    assert "is in the way" in answer.err
    assert (here / "out" / "x.txt").read_text() == "one\n"
    assert drystone("get", "data:out@v2", "--force", at=here).code == 0
    assert (here / "out" / "x.txt").read_text() == "two\n"
    assert drystone("get", "data:out@v1/x.txt", "-o", "out", "--force", at=here).code == 0  # into the folder
    assert (here / "out" / "x.txt").read_text() == "one\n"
    assert [path.name for path in here.iterdir()] == ["out"]


def test_a_file_replaces_a_folder_only_when_told(drystone: Drystone, clone: Path) -> None:
    (clone / "place").mkdir()
    (clone / "place" / "x.txt").mkdir()
    assert drystone("get", "data/out/x.txt", "-o", "place/").code == 5
    assert drystone("get", "data/out/x.txt", "-o", "place/", "--force").code == 0
    assert (clone / "place" / "x.txt").read_text() == "two\n"
    (clone / "target").write_text("precious")
    (clone / "pointer").symlink_to("target")
    assert drystone("get", "data/out/x.txt", "-o", "pointer").code == 5
    assert drystone("get", "data/out/x.txt", "-o", "pointer", "--force").code == 0
    assert (clone / "target").read_text() == "precious"
    assert not (clone / "pointer").is_symlink()


# rows


def test_rows_fetch_only_what_holds_them(drystone: Drystone, clone: Path, pushed: Path) -> None:
    answer = drystone("get", "data:table", "--rows", "30000..30004", "--verbose")
    assert answer.code == 0
    table = pq.read_table(pushed / "project" / "data" / "table.parquet")
    assert pyarrow.csv.read_csv(io.BytesIO(answer.out.encode())).equals(table.slice(30_000, 4))
    received = int(answer.err.split(" bytes received")[0].rpartition(" ")[2].replace(",", ""))
    assert received < 2_500_000 < table.nbytes / 2
    assert not (clone / ".drystone" / "objects" / "packs").exists()


def test_rows_across_groups_are_written_by_suffix(drystone: Drystone, clone: Path, pushed: Path) -> None:
    table = pq.read_table(pushed / "project" / "data" / "table.parquet")
    answer = drystone("get", "data:table", "--rows", "19990..40010", "-o", "new/some.parquet")
    assert (answer.code, answer.out) == (0, "written  new/some.parquet  20,020 of 300,000 rows\n")
    assert pq.read_table(clone / "new" / "some.parquet").equals(table.slice(19_990, 20_020))
    assert drystone("get", "data:table", "--rows", f"{ROWS - 2}..", "-o", "some.csv").code == 0
    assert pyarrow.csv.read_csv(clone / "some.csv").equals(table.slice(ROWS - 2))
    answer = drystone("get", "data:table", "--rows", "..2", "-o", "some.csv")
    assert answer.code == 5
    answer = drystone("get", "data:table", "--rows", "..2", "--json")
    told = json.loads(answer.out)
    assert (told["total"], told["rows"]) == (ROWS, table.slice(0, 2).to_pylist())
    answer = drystone("get", "data:table", "--rows", f"{ROWS}..{ROWS + 5}")
    assert (answer.code, answer.out) == (0, '"id","x","y"\n')
    assert "has only 300,000 rows" in answer.err


# other repositories


@pytest.mark.parametrize("spell", [str, lambda path: f"file://{path}"])
@pytest.mark.parametrize(
    ("reference", "content"),
    [
        ("data:out/x.txt", "two\n"),
        ("data:out@v1/x.txt", "one\n"),
        ("data/out/x.txt@git:first", "one\n"),
        ("data:out@git:first/x.txt", "one\n"),
        ("model:m@champion/weights", "\0" * 1000),
    ],
)
def test_another_repository_without_a_clone(
    drystone: Drystone, tmp_path: Path, pushed: Path, spell: type[str], reference: str, content: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    where = spell(str(pushed / "project"))
    assert drystone("get", reference, "--repo", where, "-o", "-", at=outside) == (0, content, "")
    assert drystone("get", reference, "--repo", where, "-o", "x", at=outside).code == 0
    assert [path.name for path in outside.iterdir()] == ["x"]
    assert (outside / "x").read_text() == content


def test_a_neighbour_that_has_nothing_itself_gives_from_its_remote(
    drystone: Drystone, base: Path, clone: Path
) -> None:
    outside = base / "outside"
    outside.mkdir()
    answer = drystone("get", "data:out", "--repo", "../clone", at=outside)
    assert (answer.code, answer.err) == (0, "")
    assert (outside / "out" / "x.txt").read_text() == "two\n"
    assert not (clone / ".drystone" / "objects").exists()  # it was only read


def test_a_remote_alone_without_a_repository(drystone: Drystone, base: Path) -> None:
    outside = base / "outside"
    outside.mkdir()
    lab = str(base / "lab")
    for reference, content in [
        (hash_bytes(b"one\n"), "one\n"),
        (hash_bytes(b"one\n")[:11], "one\n"),
        ("data:out@v1/x.txt", "one\n"),
        ("data:out/x.txt", "two\n"),
        ("model:m@champion/weights", "\0" * 1000),
    ]:
        assert drystone("get", reference, "--remote", lab, "-o", "-", at=outside) == (0, content, "")
    answer = drystone("get", "data:out@v1", "--remote", "../lab", at=outside)
    assert answer.code == 0, answer.err
    assert (outside / "out" / "x.txt").read_text() == "one\n"
    assert [path.name for path in outside.iterdir()] == ["out"]
    for words, code, said in [
        (["data/out/x.txt", "--remote", lab], 4, "nothing is called `data/out/x.txt`"),
        (
            ["data:out@git:main", "--remote", lab],
            3,
            "there is no git repository that could tell what `main` is",
        ),
        (["data:oth", "--remote", lab], 4, "`data:out`"),
        (["data:out@v1", "--remote", "../none"], 6, "there is no such folder"),
        (["data:out@v1", "--remote", "lab"], 3, "this is not a git repository"),
        (["data:out@v1"], 3, "--remote URL"),
    ]:
        answer = drystone("get", *words, "-o", "y", at=outside)
        assert (answer.code, said in answer.err) == (code, True), answer.err
    assert [path.name for path in outside.iterdir()] == ["out"]


def test_a_remote_beside_another_repositorys_clone_is_not_guessed(drystone: Drystone, base: Path) -> None:
    project = base / "clone"
    (project / "drystone.toml").write_text('[remotes.lab]\nurl = "../lab"\n')
    git(project, "commit", "-qam", "relative")
    outside = base / "outside"
    outside.mkdir()
    where = f"file://{project}"
    answer = drystone("get", "data:out", "--repo", where, at=outside)
    assert answer.code == 3
    assert "is a folder beside its clone: `../lab`" in answer.err
    assert drystone("get", "data:out", "--repo", where, "--remote", "../lab", at=outside).code == 0
    assert drystone("get", "data:table", "--repo", "../clone", "--rows", "1..2", at=outside).code == 0
    assert [path.name for path in outside.iterdir()] == ["out"]


# absent, damaged, hostile


def test_absent_everywhere_names_the_remotes(drystone: Drystone, base: Path, clone: Path) -> None:
    shutil.rmtree(base / "lab")
    (base / "lab").mkdir()
    answer = drystone("get", "data:table")
    assert answer.code == 4
    assert answer.err.startswith("error: `table.parquet` is not in the local store, and not on remote `lab`")
    assert "`drystone push`" in answer.err
    (clone / "drystone.toml").write_text("")
    assert "no remote is configured" in drystone("get", "data:table").err


def test_a_remote_that_is_gone_is_exit_6(drystone: Drystone, base: Path) -> None:
    shutil.rmtree(base / "lab")
    answer = drystone("get", "data:table", "--json")
    assert answer.code == 6
    assert json.loads(answer.out)["error"]["because"] == [
        "remote `lab` cannot be used",
        "there is no such folder",
    ]
    assert not (base / "lab").exists()


@pytest.mark.parametrize("words", [["data:table"], ["data:out/x.txt"], ["data:table", "--rows", "1..2"]])
def test_damaged_on_the_remote_is_exit_6_and_a_second_remote_helps(
    drystone: Drystone, base: Path, clone: Path, words: list[str]
) -> None:
    shutil.copytree(base / "lab", base / "second")
    _flip_all(base / "lab")
    answer = drystone("get", *words)
    assert answer.code == 6, answer
    assert "gives other bytes" in answer.err
    assert not (clone / "data").exists()
    assert drystone("remote", "add", "second", str(base / "second")).code == 0
    assert drystone("get", *words).code == 0


def test_damage_here_is_fetched_anew(drystone: Drystone, clone: Path) -> None:
    assert drystone("pull").code == 0
    shutil.rmtree(clone / "data")
    objects = clone / ".drystone" / "objects"
    for path in [*objects.rglob("*.pack"), *(p for p in objects.glob("??/*") if p.is_file())]:
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.seek(path.stat().st_size - 1)
            last = file.read(1)[0]
            file.seek(path.stat().st_size - 1)
            file.write(bytes([last ^ 1]))
    answer = drystone("get", "data")
    assert answer.code == 0, answer.err
    assert (clone / "data" / "out" / "x.txt").read_text() == "two\n"
    assert drystone("status").out.endswith("tracked: 3 clean\n")


def test_a_hostile_list_of_a_folder_is_refused(drystone: Drystone, base: Path, clone: Path) -> None:
    content = hash_bytes(b"two\n")
    tree = f"{HEADER}\nfile {content} 4 ../../escaped\n".encode()
    name = hash_bytes(tree)
    home = clone / ".drystone" / "objects" / name[3:5]
    home.mkdir(parents=True)
    (home / name[5:]).write_bytes(tree)
    (clone / "drystone.lock").write_text(f"# drystone.lock 1\n\npath data/out {name} tree 4\n")
    for words in (["data:out"], ["data/out", "-o", "there"], ["data/out/../../escaped"]):
        answer = drystone("get", *words)
        assert answer.code in (2, 3, 4), answer
    assert not list(base.rglob("escaped"))


def test_a_full_disk_leaves_nothing(clone: Path) -> None:
    limit = 1 << 20

    def narrow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    for words in (
        ["data:table", "-o", "big"],
        ["data:table"],
        ["data:table", "--rows", "1..", "-o", "big.csv"],
    ):
        done = subprocess.run(
            [str(Path(sys.executable).parent / "drystone"), "get", *words],
            cwd=clone,
            capture_output=True,
            text=True,
            preexec_fn=narrow,
        )
        assert done.returncode == 1, done.stderr
        assert "file too large" in done.stderr
    assert sorted(path.name for path in clone.iterdir()) == [
        ".drystone",
        ".git",
        ".gitignore",
        "drystone.lock",
        "drystone.toml",
    ]
    assert not list((clone / ".drystone" / "objects" / "incoming").iterdir())


# a bucket


def test_through_s3(
    drystone: Drystone, clone: Path, s3: str, pushed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": s3,
    }.items():
        monkeypatch.setenv(key, value)
    project = clone.parent / "project"
    shutil.copytree(pushed / "project", project, symlinks=True)
    verb(project, "remote", "add", "cloud", "s3://bucket/here")
    verb(project, "push", "cloud")
    (clone / "drystone.toml").write_text('[remotes.cloud]\nurl = "s3://bucket/here"\n')
    answer = drystone("get", "data:table", "--rows", "0..1", "--verbose")
    assert (answer.code, answer.out.count("\n")) == (0, 2)
    assert int(answer.err.split(" requests")[0]) < 12
    assert drystone("get", "data:out/x.txt", "--remote", "s3://bucket/here", "-o", "-").out == "two\n"
    assert drystone("get", "data:table").code == 0
    whole = (project / "data" / "table.parquet").read_bytes()
    assert (clone / "data" / "table.parquet").read_bytes() == whole


def test_what_is_fetched_and_what_is_put_in_place_is_told(clone: Path, tmp_path: Path) -> None:
    with Reader.at(clone, Settings.of({}), tmp_path) as reader:
        content = reader.find("models/m", under="")
        fetched: list[int] = []
        placed: list[int] = []
        getting.to_its_place(reader.origin, content, progress=fetched.append, placing=placed.append)
        assert sum(placed) == content.entry.size > 0
        assert sum(fetched) >= content.entry.size  # the lists of folders as well
        fetched.clear()
        getting.to(
            reader.origin, content.entry, tmp_path / "out", progress=fetched.append, placing=placed.append
        )
        assert (sum(fetched), sum(placed)) == (0, 2 * content.entry.size)


# several at once, and killed ones


def _reader(folder: Path) -> Reader:
    return Reader.at(folder, Settings.of({}), folder)


def test_of_two_at_once_the_second_does_not_replace_what_the_first_put_there(
    clone: Path, tmp_path: Path
) -> None:
    place = tmp_path / "here"
    with _reader(clone) as reader, _reader(clone) as other:
        slow, quick = reader.find("data/out"), other.find("models/m")

        def overtaken(_size: int) -> None:
            if not place.exists():
                getting.to(other.origin, quick.entry, place, progress=_silent, placing=_silent)

        with pytest.raises(Conflict, match="`here` is in the way"):
            getting.to(reader.origin, slow.entry, place, progress=_silent, placing=overtaken)
        assert [path.name for path in place.iterdir()] == ["weights"]
        shutil.rmtree(place)
        got = getting.to(reader.origin, slow.entry, place, force=True, progress=_silent, placing=overtaken)
        assert got.outcome == "written"
        assert (place / "x.txt").read_text() == "two\n"


def test_of_two_at_once_that_get_the_same_the_second_finds_it_there(clone: Path, tmp_path: Path) -> None:
    place = tmp_path / "here"
    with _reader(clone) as reader, _reader(clone) as other:
        entry = reader.find("data/out").entry

        def overtaken(_size: int) -> None:
            if not place.exists():
                getting.to(other.origin, entry, place, progress=_silent, placing=_silent)

        got = getting.to(reader.origin, entry, place, progress=_silent, placing=overtaken)
        assert got.outcome == "unchanged"
        assert (place / "x.txt").read_text() == "two\n"


def test_many_at_once_into_one_folder(clone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    drystone = str(Path(sys.executable).parent / "drystone")
    words = [["data/out/x.txt", "-o", "a"], ["data/out/deep/t.csv", "-o", "a"], ["data/out", "-o", "b"]]
    running = [
        subprocess.Popen(
            [drystone, "get", word, "-o", str(folder / name)], cwd=clone, stderr=subprocess.DEVNULL
        )
        for word, _, name in words * 2
    ]
    assert sorted(process.wait() for process in running) == [
        0,
        0,
        0,
        0,
        5,
        5,
    ]  # of the two files for `a`, one is in the other's way, twice
    assert (folder / "a").read_text() in ("two\n", "a,b\n1,2\n")
    assert (folder / "b" / "x.txt").read_text() == "two\n"
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]


def test_what_a_killed_get_left_is_swept_and_what_is_in_use_is_not(clone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with socket.socket() as silent:  # a git server that never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"git://127.0.0.1:{silent.getsockname()[1]}/x"
        waiting = [_get(folder, url) for _ in range(2)]
        try:
            while len(list(folder.glob(".drystone-get-*/git/config"))) < 2:
                assert all(process.poll() is None for process in waiting)
            waiting[0].kill()
            waiting[0].wait()
            assert len(list(folder.iterdir())) == 2
            assert _get(folder, str(clone)).wait() == 0
            assert (folder / "x.txt").read_text() == "two\n"
            assert len(list(folder.iterdir())) == 2  # what was got, and where the other still waits
        finally:
            waiting[1].terminate()
            waiting[1].wait()


def _get(folder: Path, repository: str) -> subprocess.Popen[bytes]:
    words = [str(Path(sys.executable).parent / "drystone"), "get", "data/out/x.txt", "--repo", repository]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _silent(_size: int) -> None:
    pass


def test_an_index_that_is_gone_or_damaged_is_named(base: Path, drystone: Drystone) -> None:
    indexes = sorted((base / "lab" / "indexes").iterdir())
    for index in indexes:
        _flip_all(index.parent, index.name)
    indexes[0].unlink()
    found = drystone("get", "data:out/x.txt", "-o", str(base / "x"))
    assert found.code == 6
    assert all(f"indexes/{index.name}" in found.err for index in indexes)
    assert "`drystone push lab --repair`" in found.err
