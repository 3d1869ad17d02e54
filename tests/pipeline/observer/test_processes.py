"""How a command is started, watched and ended, with all that it starts."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.core.errors import UsageError
from drystone.pipeline.observer import observe

from .conftest import ENVIRONMENT, SYSTEM
from .seen import Run


def is_gone(pid: int, seconds: float = 20.0) -> bool:
    """Wait for the end of a process that need not be our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_exit_codes_are_those_of_a_shell(shell: Run, look: Run) -> None:
    assert (shell("exit 3").all.exit_code, shell("exit 3").all.ended) == (3, "exited")
    killed = shell("kill -9 $$")
    assert (killed.all.exit_code, killed.all.ended) == (137, "signal")
    missing = look("no-such-program")
    assert (missing.all.exit_code, missing.output) == (127, b"drystone: no-such-program: command not found\n")


def test_what_cannot_be_executed_ends_with_126(workspace: Path, look: Run) -> None:
    (workspace / "plain").write_text("x")
    seen = look("./plain")
    assert (seen.all.exit_code, seen.output) == (126, b"drystone: ./plain: permission denied\n")
    assert look("./gone").absent == {"gone"}
    script = workspace / "script"
    script.write_text("#!/no/such/interpreter")
    script.chmod(0o755)
    seen = look("./script")
    assert (seen.all.exit_code, seen.output) == (127, b"drystone: ./script: its interpreter was not found\n")
    assert (seen.reads, Path("/no/such/interpreter") in seen.all.absent) == ({"script"}, True)


def test_a_directory_that_is_not_there_is_said_to_be_missing(workspace: Path, look: Run) -> None:
    seen = look("true", cwd=workspace / "gone")
    assert (seen.all.exit_code, seen.all.label) == (126, "partial")
    assert seen.output == f"drystone: {workspace}/gone: no such file or directory\n".encode()


def test_an_empty_command_is_a_usage_error(look: Run) -> None:
    with pytest.raises(UsageError):
        look()


def test_both_outputs_arrive_whole_in_order_and_unchanged(python: Run) -> None:
    seen = python("import os\nfor n in range(200): os.write(1 + n % 2, bytes(range(256)) * 16)\n")
    assert seen.output == bytes(range(256)) * 16 * 200


def test_output_may_be_dropped_and_closed(shell: Run) -> None:
    assert shell("exec >&- 2>&-; exit 4").all.exit_code == 4
    assert shell("head -c 200000 /dev/zero", output=None).all.exit_code == 0


def test_an_output_that_raises_ends_everything(workspace: Path, shell: Run) -> None:
    pids: list[int] = []

    def broken(chunk: bytes) -> None:
        pids.extend(int(word) for word in chunk.split())
        raise BrokenPipeError("closed")

    with pytest.raises(BrokenPipeError, match="closed"):
        shell("sleep 600 & echo $! $$; wait", output=broken)
    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


def test_standard_input_is_empty_unless_inherited(workspace: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from drystone.pipeline.observer import observe\n"
        f"observe(['cat'], cwd=Path({str(workspace)!r}), env={ENVIRONMENT!r}, root=Path({str(workspace)!r}),"
        " output=lambda b: print('got', b), inherit_stdin=sys.argv[1] == 'inherit')"
    )
    for argument, expected in (("inherit", b"got b'typed'\n"), ("not", b"")):
        command = [sys.executable, "-c", program, argument]
        assert subprocess.run(command, input=b"typed", capture_output=True, check=True).stdout == expected


def test_the_environment_is_exactly_what_was_given(look: Run) -> None:
    seen = look("env", env={"PATH": "/usr/bin:/bin", "ONLY": "this"})
    assert set(seen.output.split()) == {b"PATH=/usr/bin:/bin", b"ONLY=this"}


def test_nothing_but_the_standard_streams_is_open_in_the_command(look: Run, tmp_path: Path) -> None:
    with (tmp_path / "held").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        seen = look("ls", "/proc/self/fd")
    assert seen.output.split() == [b"0", b"1", b"2", b"3"]  # 3 is the directory itself


def test_the_command_begins_with_no_signal_blocked_or_ignored(look: Run) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    ignored = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        seen = look("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    finally:
        signal.signal(signal.SIGUSR2, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    # Signals 32 and 33 are the C library's own: no program can ask for them, nor give them back.
    own = 1 << 31 | 1 << 32
    assert [int(line.split()[1], 16) & ~own for line in seen.output.splitlines()] == [0, 0]


def test_nothing_stays_open_in_the_observer(shell: Run, look: Run) -> None:
    before = open_descriptors()
    shell("for i in 1 2 3; do (cat /dev/null & wait); done")
    shell("sleep 600", timeout=0.1)
    look("no-such-program")
    assert open_descriptors() == before


def test_a_time_out_ends_the_whole_group(shell: Run) -> None:
    script = "(trap 'echo bye > tidied; exit' TERM; while :; do :; done) & wait"
    seen = shell(script, timeout=0.3, settle=60.0)
    assert (seen.all.ended, seen.all.exit_code) == ("timeout", 128 + signal.SIGTERM)
    assert (seen.writes, seen.all.label) == ({"tidied"}, "proven")


def test_whoever_ignores_the_request_is_killed(shell: Run) -> None:
    seen = shell("trap '' TERM; while :; do :; done", timeout=0.2, grace=0.2)
    assert (seen.all.ended, seen.all.exit_code) == ("timeout", 137)


def test_a_command_may_tidy_up_when_its_time_is_over(workspace: Path, shell: Run) -> None:
    seen = shell("trap 'echo bye > tidied; exit 0' TERM; sleep 600 & wait", timeout=0.3)
    assert (seen.all.ended, seen.all.exit_code, seen.writes) == ("timeout", 0, {"tidied"})


def test_an_interruption_by_event_and_by_keyboard(shell: Run) -> None:
    event = threading.Event()
    by_event = shell("echo ready; sleep 600", output=lambda _: event.set(), interrupted=event)

    def press(_: bytes) -> None:
        raise KeyboardInterrupt

    by_keyboard = shell("echo ready; sleep 600", output=press)
    for seen in (by_event, by_keyboard):
        assert (seen.all.ended, seen.all.exit_code) == ("interrupted", 128 + signal.SIGTERM)


def test_a_second_interruption_kills_at_once(shell: Run) -> None:
    def press(_: bytes) -> None:
        raise KeyboardInterrupt

    seen = shell("trap 'echo no' TERM; echo ready; while :; do :; done", output=press, grace=600.0)
    assert (seen.all.ended, seen.all.exit_code) == ("interrupted", 137)


DAEMON = (
    "import os, signal, time\n"
    "r, w = os.pipe()\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "        print(os.getpid(), flush=True); os.write(w, b'x'); time.sleep(600)\n"
    "    os._exit(0)\n"
    "os.read(r, 1)"
)


def test_a_daemon_left_behind_holding_the_output_is_named_and_killed(python: Run) -> None:
    seen = python(DAEMON, settle=0.1)
    assert (seen.all.exit_code, seen.all.ended, seen.all.label) == (0, "exited", "partial")
    assert "was still running when the command had ended, and was killed" in seen.all.why
    assert is_gone(int(seen.output))


def test_a_child_that_ends_soon_after_the_command_is_waited_for(workspace: Path, shell: Run) -> None:
    seen = shell("(read x < /dev/null; echo late > late) & exit 0", settle=60.0)
    assert (seen.all.label, seen.writes) == ("proven", {"late"})


def test_every_process_of_a_large_family_is_seen(workspace: Path, shell: Run) -> None:
    (workspace / "a").touch()
    seen = shell(
        "i=0; while [ $i -lt 1000 ]; do (: < a; : > out$((i % 7))) & i=$((i+1));"
        " [ $((i % 50)) -gt 0 ] || wait; done; wait"
    )
    assert (seen.all.exit_code, seen.all.label) == (0, "proven")
    assert (seen.reads, seen.writes) == ({"a"}, {f"out{n}" for n in range(7)})


def test_a_thousand_programs_one_after_the_other(
    workspace: Path, compiled: Callable[..., str], look: Run
) -> None:
    program = compiled(
        """
        #include <stdio.h>
        #include <stdlib.h>
        #include <fcntl.h>
        #include <unistd.h>
        #include <sys/wait.h>
        int main(int count, char **words) {
            if (count == 2) {
                if (open(words[1], O_CREAT | O_WRONLY, 0644) < 0) return 1;
                return 0;
            }
            for (int i = 0; i < 1000; i++) {
                char name[20]; int status;
                sprintf(name, "n%d", i);
                if (fork() == 0) { execl(words[0], words[0], name, NULL); _exit(127); }
                wait(&status);
                if (status) return 1;
            }
            return 0;
        }
        """,
        "-static",
    )
    seen = look(program)
    assert (seen.all.exit_code, seen.all.label) == (0, "proven")
    assert seen.writes == {f"n{number}" for number in range(1000)}
    assert Path(program) in seen.all.reads  # a static program is seen like any other


def test_threads_are_seen_each_with_its_own_calls(
    workspace: Path, compiled: Callable[..., str], look: Run
) -> None:
    program = compiled(
        """
        #include <pthread.h>
        #include <stdio.h>
        #include <fcntl.h>
        #include <unistd.h>
        void *work(void *number) {
            for (int i = 0; i < 50; i++) {
                char name[40];
                sprintf(name, "t%ld-%d", (long)number, i);
                close(open(name, O_CREAT | O_WRONLY, 0644));
                open(name, O_RDONLY);
            }
            return 0;
        }
        int main() {
            pthread_t threads[8];
            for (long i = 0; i < 8; i++) pthread_create(&threads[i], 0, work, (void *)i);
            for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
            return 0;
        }
        """
    )
    seen = look(program)
    assert seen.writes == {f"t{thread}-{n}" for thread in range(8) for n in range(50)}
    assert seen.reads == set()


def test_a_pool_of_processes_is_seen(workspace: Path, look: Run) -> None:
    for number in range(20):
        (workspace / f"i{number}").touch()
    (workspace / "pool.py").write_text(
        "import multiprocessing\n"
        "def work(n): open(f'i{n}').close(); open(f'o{n}', 'w').close()\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool: pool.map(work, range(20))\n"
    )
    seen = look(sys.executable, "-S", "pool.py")
    assert (seen.all.exit_code, seen.all.label) == (0, "proven")
    assert seen.reads == {"pool.py"} | {f"i{n}" for n in range(20)}
    assert {f"o{n}" for n in range(20)} <= seen.writes


def test_an_image_before_execve_does_not_speak_for_the_one_after(
    workspace: Path, compiled: Callable[..., str], look: Run
) -> None:
    # a vfork child shares its parent's memory until it executes: what was kept to read it must then go
    program = compiled(
        """
        #include <fcntl.h>
        #include <unistd.h>
        #include <sys/wait.h>
        char name[8] = "aaaa";
        int main(int count, char **words) {
            if (count == 2) { name[0] = 'c'; return open(name, O_RDONLY) < 0; }
            for (int i = 0; i < 20; i++) {
                int status;
                if (vfork() == 0) { open(name, O_RDONLY); execl(words[0], words[0], "x", NULL); _exit(127); }
                wait(&status);
                if (status) return 1;
            }
            return 0;
        }
        """,
        "-static",
        "-no-pie",
    )
    (workspace / "aaaa").touch()
    (workspace / "caaa").touch()
    seen = look(program)
    assert (seen.all.exit_code, seen.reads) == (0, {"aaaa", "caaa"})


def test_costs_are_those_of_the_command_and_not_of_its_observer(python: Run, look: Run) -> None:
    busy = python("import time\nwhile time.process_time() < 0.3: pass\nx = bytearray(80 << 20)")
    assert 0.3 <= busy.all.cpu < 20
    assert 80 << 20 < busy.all.peak < 200 << 20
    assert look("true").all.peak < 8 << 20


OBSERVER = (
    "import os, sys; from pathlib import Path; from drystone.pipeline.observer import observe\n"
    "root = Path(sys.argv[1])\n"
    "observe(['sh', '-c', sys.argv[2]], cwd=root, env={'PATH': '/usr/bin:/bin'}, root=root,"
    " output=lambda chunk: os.write(1, chunk))"
)


def test_when_the_observer_is_killed_nothing_of_the_step_goes_on(workspace: Path) -> None:
    script = "(setsid sleep 600 & echo $!); (while :; do : > running; done) & echo $! $$; sleep 600"
    with subprocess.Popen(
        [sys.executable, "-c", OBSERVER, str(workspace), script], stdout=subprocess.PIPE
    ) as observer:
        assert observer.stdout is not None
        pids = [int(word) for _ in range(2) for word in observer.stdout.readline().split()]
        assert len(pids) == 3
        observer.kill()
    assert all(is_gone(pid) for pid in pids)


def test_when_the_keeper_is_killed_the_step_dies_and_is_not_trusted(shell: Run) -> None:
    pids: list[int] = []

    def kill(chunk: bytes) -> None:
        pids.extend(map(int, chunk.split()))
        os.kill(pids[0], signal.SIGKILL)

    seen = shell("sleep 600 & echo $PPID $$ $!; wait", output=kill)
    assert (seen.all.exit_code, seen.all.ended, seen.all.label) == (137, "signal", "partial")
    assert seen.all.why == "its keeper process was killed"
    assert len(pids) == 3
    assert all(is_gone(pid) for pid in pids)


def test_two_observations_at_once_in_two_threads(tmp_path: Path) -> None:
    results = {}

    def run(name: str) -> None:
        root = tmp_path.resolve() / name
        root.mkdir()
        results[name] = observe(
            ["sh", "-c", f"for i in 1 2 3 4 5 6 7 8 9; do : > {name}$i; done"],
            cwd=root, env=ENVIRONMENT, root=root, output=None, ignore=SYSTEM,
        )  # fmt: skip

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, seen in results.items():
        assert seen.label == "proven"
        assert {path.name for path in seen.writes} == {f"{name}{number}" for number in range(1, 10)}
