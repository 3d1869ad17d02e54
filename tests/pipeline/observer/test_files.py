"""What a command does to files is recorded as the kernel saw it."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SYSTEM
from .seen import Run


def fill(workspace: Path, **files: str) -> None:
    for name, text in files.items():
        (workspace / name).write_text(text)


def test_a_file_read_has_the_stat_that_it_had_when_it_was_opened(workspace: Path, python: Run) -> None:
    fill(workspace, a="before")
    before = (workspace / "a").stat()
    seen = python("open('a').read(); open('a', 'w').write('longer than before')")
    assert seen.all.reads[workspace / "a"] == (
        before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns
    )  # fmt: skip
    assert (seen.all.label, seen.all.why, seen.all.exit_code) == ("proven", "", 0)


def test_a_file_that_the_command_wrote_first_is_no_input(python: Run) -> None:
    seen = python("open('a', 'w').write('x'); open('a').read()")
    assert (seen.reads, seen.writes, seen.absent) == (set(), {"a"}, set())


def test_redirections_and_programs_of_a_shell(workspace: Path, shell: Run) -> None:
    fill(workspace, a="1", b="2")
    seen = shell("cat < a > c; cat b c >> d; test -e e")
    assert (seen.reads, seen.writes) == ({"a", "b"}, {"c", "d"})
    assert seen.absent == {"e"}
    assert seen.all.exit_code == 1


def test_what_is_appended_to_or_changed_in_part_was_read_too(workspace: Path, python: Run) -> None:
    fill(workspace, appended="1", updated="2", replaced="3", cut="4")
    seen = python(
        "import os; open('appended', 'a').write('x'); open('updated', 'r+').write('x');"
        "open('replaced', 'w'); os.truncate('cut', 0); os.truncate('updated', 1)"
    )
    assert seen.writes == {"appended", "updated", "replaced", "cut"}
    assert seen.reads == {"appended", "updated"}


def test_relative_paths_are_those_of_the_directory_the_process_is_in(workspace: Path, python: Run) -> None:
    (workspace / "d" / "e").mkdir(parents=True)
    fill(workspace / "d", a="1")
    seen = python(
        "import os; os.chdir('d'); open('a'); os.chdir('e'); open('../a2', 'w'); open('.././../b', 'w')"
    )
    assert (seen.reads, seen.writes) == ({"d/a"}, {"d/a2", "b"})


def test_paths_relative_to_an_open_directory(workspace: Path, python: Run) -> None:
    (workspace / "d").mkdir()
    fill(workspace / "d", a="1", b="2", c="3")
    seen = python(
        "import os; d = os.open('d', os.O_RDONLY); os.chdir('/'); os.open('a', os.O_RDONLY, dir_fd=d);"
        "os.rename('b', 'b2', src_dir_fd=d, dst_dir_fd=d); os.unlink('c', dir_fd=d); os.mkdir('m', dir_fd=d);"
        "os.symlink('a', 's', dir_fd=d); os.link('a', 'l', src_dir_fd=d, dst_dir_fd=d)\n"
        "try: os.stat('x', dir_fd=d)\nexcept OSError: pass"
    )
    assert seen.reads == {"d/a", "d/b"}
    assert seen.writes == {"d/b2", "d/m", "d/s", "d/l"}
    assert seen.removed == {"d/b", "d/c"}
    assert seen.absent == {"d/x"}


def test_an_input_behind_links_is_recorded_with_the_links(workspace: Path, python: Run) -> None:
    (workspace / "real").mkdir()
    fill(workspace / "real", a="1")
    (workspace / "folder").symlink_to("real")
    (workspace / "first").symlink_to("second")
    (workspace / "second").symlink_to(workspace / "folder" / "a")
    seen = python("open('first').read()")
    assert seen.reads == {"first", "second", "folder", "real/a"}
    link = (workspace / "first").lstat()
    assert seen.all.reads[workspace / "first"][:3] == (link.st_dev, link.st_ino, len("second"))


def test_what_is_outside_is_recorded_with_its_links(workspace: Path, tmp_path: Path, python: Run) -> None:
    fill(tmp_path, outside="1")
    (tmp_path / "link").symlink_to("outside")
    seen = python(f"open({str(tmp_path / 'link')!r}); open({str(tmp_path / 'new')!r}, 'w')")
    assert seen.all.reads.keys() == {tmp_path / "link", tmp_path / "outside"}
    assert seen.all.writes == {tmp_path / "new"}


def test_writing_through_a_dangling_link_writes_what_it_names(workspace: Path, python: Run) -> None:
    (workspace / "link").symlink_to("target")
    seen = python("open('link', 'w')")
    assert (seen.writes, seen.reads) == ({"target"}, {"link"})


def test_dots_after_a_link_are_those_of_where_it_leads(workspace: Path, python: Run) -> None:
    (workspace / "x" / "y").mkdir(parents=True)
    fill(workspace / "x", a="1")
    fill(workspace, a="2")
    (workspace / "link").symlink_to("x/y")
    seen = python("open('link/../a')")
    assert seen.reads == {"link", "x/a"}


def test_a_way_up_from_an_ignored_directory_is_looked_at_again_when_a_link_there_has_changed(
    workspace: Path, tmp_path: Path, python: Run
) -> None:
    library, inside = tmp_path / "lib", workspace / "x"
    for directory in (library / "a" / "b", inside / "b"):
        directory.mkdir(parents=True)
        fill(directory.parent, f="1")
    (library / "link").symlink_to("a/b")
    link, way = str(library / "link"), str(library / "link" / ".." / "f")
    seen = python(
        f"import os; open({way!r}); open({way!r})\n"
        f"os.unlink({link!r}); os.symlink({str(inside / 'b')!r}, {link!r})\n"
        f"open({way!r})",
        ignore=[library, *SYSTEM],
    )
    assert seen.reads == {"x/f"}


def test_a_slash_at_the_end_follows_a_link(workspace: Path, python: Run) -> None:
    (workspace / "real").mkdir()
    (workspace / "link").symlink_to("real")
    assert "real" not in python("import os; os.lstat('link')").present
    assert "real" in python("import os; os.lstat('link/')").present


def test_a_link_that_the_command_turns_elsewhere_leads_there(workspace: Path, python: Run) -> None:
    fill(workspace, a="1", b="2")
    (workspace / "link").symlink_to("a")
    seen = python(
        f"import os; link = {str(workspace / 'link')!r}; open(link); os.stat(link)\n"
        "os.unlink(link); os.symlink('b', link); open(link)"
    )
    assert seen.reads == {"link", "a", "b"}


def test_whoever_will_not_follow_does_not_read_what_a_link_names(workspace: Path, python: Run) -> None:
    fill(workspace, a="1", path="2")
    (workspace / "link").symlink_to("a")
    (workspace / "dangling").symlink_to("target")
    seen = python(
        "import os\n"
        "for f in (lambda: os.open('link', os.O_NOFOLLOW), lambda: open('dangling', 'x'),"
        " lambda: os.open('path', os.O_PATH)):\n"
        "    try: f()\n    except OSError: pass"
    )
    assert (seen.reads, seen.writes) == ({"link"}, set())
    assert "path" in seen.present


def test_in_a_directory_that_is_gone_nothing_is_found(workspace: Path, python: Run) -> None:
    seen = python(
        "import os; os.mkdir('d'); os.chdir('d'); os.rmdir('../d')\ntry: open('x')\nexcept OSError: pass"
    )
    assert (seen.absent, seen.removed) == (set(), {"d"})


def test_a_directory_may_serve_as_the_root_of_a_lookup(
    workspace: Path, compiled: Callable[..., str], look: Run
) -> None:
    # openat2 with RESOLVE_IN_ROOT
    program = compiled(
        """
        #include <fcntl.h>
        #include <unistd.h>
        int main() {
            unsigned long how[3] = {O_RDONLY, 0, 0x10}, write[3] = {O_CREAT | O_WRONLY, 0644, 0};
            int directory = open("d", O_RDONLY);
            return syscall(437, directory, "/a", how, sizeof how) < 0
                || syscall(437, directory, "b", write, sizeof write) < 0;
        }
        """
    )
    (workspace / "d").mkdir()
    fill(workspace / "d", a="1")
    seen = look(program)
    assert (seen.all.exit_code, seen.reads, seen.writes) == (0, {"d/a"}, {"d/b"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write what is write-protected")
def test_what_may_not_be_written_is_not(workspace: Path, python: Run) -> None:
    fill(workspace, a="1")
    (workspace / "a").chmod(0o444)
    seen = python("try: open('a', 'w')\nexcept OSError: pass")
    assert (seen.writes, seen.present) == (set(), {"a"})


def test_ignored_directories_are_left_out_also_when_reached_by_a_detour(workspace: Path, python: Run) -> None:
    (workspace / ".venv" / "lib").mkdir(parents=True)
    (workspace / ".drystone").mkdir()
    fill(workspace / ".venv" / "lib", a="1")
    (workspace / "venv").symlink_to(".venv")
    seen = python(
        "import os; os.stat('.venv'); os.stat('.drystone'); os.stat('/usr'); os.stat('..');"
        f"open('.venv/lib/a'); open('venv/lib/a'); open('.drystone/x', 'w');"
        f"open('{workspace}/.venv/../b', 'w')",
        ignore=[workspace / ".venv", *SYSTEM],
    )
    assert (seen.reads, seen.writes, seen.all.present) == ({"venv"}, {"b"}, set())


def test_of_the_devices_only_shared_memory_holds_files(python: Run) -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        seen = python(
            f"import os; open('{file.name}').close(); open('{file.name}-made', 'w').close(); "
            f"os.unlink('{file.name}-made'); os.listdir('/dev/shm'); os.stat('/dev/shm'); "
            "open('/dev/null', 'w'); open('/dev/urandom', 'rb'); os.path.exists('/dev/none')"
        )
        assert set(seen.all.reads) == {Path(file.name)}
        assert seen.all.writes == seen.all.removed == {Path(f"{file.name}-made")}
        looked_up = seen.all.present | seen.all.absent | seen.all.listed
        assert not [path for path in looked_up if path.is_relative_to("/dev")]


def test_the_repository_of_the_workspace_is_seen(workspace: Path, python: Run) -> None:
    (workspace / ".git").mkdir()
    fill(workspace / ".git", HEAD="ref: refs/heads/main")
    assert python("open('.git/HEAD')").reads == {".git/HEAD"}


def test_an_ignored_directory_that_contains_the_workspace_does_not_hide_it(
    workspace: Path, tmp_path: Path, python: Run
) -> None:
    fill(workspace, a="1")
    fill(tmp_path, b="1")
    seen = python("open('a'); open('../b')", ignore=[tmp_path, *SYSTEM])
    assert (seen.reads, tmp_path / "b" in seen.all.reads) == ({"a"}, False)


def test_lookups_tell_what_is_there_and_what_is_not(workspace: Path, python: Run) -> None:
    (workspace / "d").mkdir()
    fill(workspace, a="1", b="2")
    (workspace / "link").symlink_to("a")
    seen = python(
        "import os; os.path.exists('a'); os.path.exists('no'); os.access('b', os.R_OK); os.access('no2', 0);"
        "os.path.isdir('d'); os.path.exists('d/no3/deep'); os.path.islink('no4'); os.readlink('link')\n"
        "for f in (lambda: open('no5'), lambda: os.execv('no6', ['x']), lambda: os.chdir('no7'), "
        "lambda: os.listdir('no8'), lambda: os.rename('no9', 'y'), lambda: os.unlink('no10'), "
        "lambda: open('no11/new', 'w')):\n"
        "    try: f()\n"
        "    except OSError: pass"
    )
    expected = {f"no{n}" for n in range(4, 11)} | {"no", "no2", "d/no3/deep", "no11"}
    assert seen.absent == expected
    assert {"a", "b", "d"} <= seen.present
    assert (seen.reads, seen.writes, seen.removed) == ({"link"}, set(), set())


def test_what_the_command_removed_is_not_absent_by_itself(workspace: Path, python: Run) -> None:
    fill(workspace, a="1")
    seen = python("import os; os.unlink('a'); os.path.exists('a')")
    assert (seen.removed, seen.absent) == ({"a"}, set())


def test_listing_is_reading_names_and_opening_a_directory_is_not(workspace: Path, python: Run) -> None:
    for name in ("listed", "opened", "globbed"):
        (workspace / name).mkdir()
    seen = python(
        "import os; os.listdir('listed'); os.fsync(os.open('opened', os.O_RDONLY)); next(os.walk('globbed'))"
    )
    assert seen.listed == {"listed", "globbed"}
    assert "opened" in seen.present


def test_renaming_over_a_file_writes_it_and_removes_the_old_name(workspace: Path, python: Run) -> None:
    fill(workspace, a="1", b="2")
    seen = python("import os; open('t', 'w').write('x'); os.replace('t', 'a'); os.rename('b', 'c')")
    assert seen.writes == {"t", "a", "c"}
    assert seen.removed == {"t", "b"}
    assert seen.reads == {"b"}  # the content of c is that of b


def test_renaming_a_directory_moves_everything_below_it(workspace: Path, python: Run) -> None:
    (workspace / "d" / "e").mkdir(parents=True)
    fill(workspace / "d" / "e", a="1")
    seen = python("import os; os.rename('d', 'f'); open('f/e/a').read()")
    assert seen.writes == {"f", "f/e", "f/e/a"}
    assert seen.removed == {"d", "d/e", "d/e/a"}
    assert seen.reads == {"d/e/a"}


def test_exchanging_two_files_writes_both_and_removes_none(
    workspace: Path, compiled: Callable[..., str], look: Run
) -> None:
    fill(workspace, a="1", b="2")
    exchange = compiled(
        '#define _GNU_SOURCE\n#include <stdio.h>\nint main() { return renameat2(-100, "a", -100, "b", 2); }'
    )
    seen = look(exchange)
    assert (seen.writes, seen.removed, seen.reads) == ({"a", "b"}, set(), {"a", "b"})


def test_links_made_are_written(workspace: Path, python: Run) -> None:
    fill(workspace, a="1")
    seen = python("import os; os.link('a', 'hard'); os.symlink('a', 'soft'); open('soft').read()")
    assert (seen.writes, seen.reads) == ({"hard", "soft"}, {"a"})


def test_directories_made_and_removed(workspace: Path, python: Run) -> None:
    (workspace / "full" / "x").mkdir(parents=True)
    (workspace / "empty").mkdir()
    seen = python(
        "import os; os.makedirs('new/deep'); os.rmdir('empty')\n"
        "for f in (lambda: os.rmdir('full'), lambda: os.mkdir('full')):\n"
        "    try: f()\n    except OSError: pass"
    )
    assert (seen.writes, seen.removed) == ({"new", "new/deep"}, {"empty"})


def test_a_file_without_a_name_is_written_when_it_gets_one(workspace: Path, python: Run) -> None:
    seen = python(
        "import os; f = os.open('.', os.O_TMPFILE | os.O_WRONLY); os.write(f, b'x');"
        "os.link(f'/proc/self/fd/{f}', 'named', src_dir_fd=0, follow_symlinks=True)"
    )
    assert (seen.writes, seen.reads, seen.output) == ({"named"}, set(), b"")
    assert (workspace / "named").read_text() == "x"


def test_a_call_that_cannot_succeed_writes_nothing(workspace: Path, python: Run) -> None:
    (workspace / "d" / "e").mkdir(parents=True)
    fill(workspace, a="1", b="2")
    seen = python(
        "import os\n"
        "for f in (lambda: open('a', 'x'), lambda: os.symlink('z', 'a'), lambda: os.link('b', 'a'), "
        "lambda: open('.', 'w'), lambda: os.rename('d', 'd/e/f'), lambda: os.rename('a', 'd'), "
        "lambda: os.rename('d', 'a'), lambda: os.link('a', 'no/x'), lambda: os.unlink('d'), "
        "lambda: os.link('d', 'l')):\n"
        "    try: f()\n    except OSError: pass\n    else: print('done')"
    )
    assert (seen.output, seen.reads, seen.writes, seen.removed, seen.absent) == (
        b"",
        set(),
        set(),
        set(),
        {"no"},
    )


def test_making_a_file_executable_changes_it(workspace: Path, python: Run) -> None:
    fill(workspace, a="1", b="2")
    same = stat.S_IMODE((workspace / "b").stat().st_mode)
    seen = python(f"import os; os.chmod('a', 0o755); os.chmod('b', {same})")
    assert (seen.writes, seen.reads) == ({"a"}, {"a"})


def test_a_program_and_the_interpreter_of_a_script_are_read(workspace: Path, look: Run, shell: Run) -> None:
    (workspace / "interpreter").symlink_to("/bin/cat")
    script = workspace / "script"
    script.write_text(f"#!{workspace}/interpreter\n")
    script.chmod(0o755)
    seen = look("./script")
    assert seen.reads == {"script", "interpreter"}
    assert seen.output == script.read_bytes()


def test_names_that_are_no_text_and_names_across_pages(
    workspace: Path, compiled: Callable[..., str], look: Run
) -> None:
    # the name ends with the last byte of the last page that the process has there
    program = compiled(
        """
        #include <fcntl.h>
        #include <string.h>
        #include <sys/mman.h>
        int main() {
            char *pages = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            munmap(pages + 2 * 4096, 4096);
            char name[] = "d/\\xff" "name", deep[600] = "";
            while (strlen(deep) < 580) strcat(deep, "d/../");
            strcat(deep, "long");
            char *last = pages + 2 * 4096 - sizeof name, *across = pages + 4096 - 300;
            memcpy(last, name, sizeof name);
            memcpy(across, deep, strlen(deep) + 1);
            open((char *)1, O_RDONLY);
            return open(last, O_RDONLY) < 0 || open(across, O_RDONLY) < 0;
        }
        """
    )
    (workspace / "d").mkdir()
    odd = Path(os.fsdecode(bytes(workspace / "d") + b"/\xffname"))
    odd.touch()
    fill(workspace, long="1")
    seen = look(program)
    assert seen.all.exit_code == 0
    assert {odd, workspace / "long"} <= seen.all.reads.keys()
    assert seen.all.label == "proven"
