"""A store in a process of its own, told what to do line by line, that can be killed at any step."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import IO

from drystone.objects import batch as batch_module
from drystone.objects.collect import carry_out, plan
from drystone.objects.hashing import hash_bytes
from drystone.objects.reach import Reach
from drystone.objects.store import ObjectStore
from drystone.objects.trash import Trash


def content(number: int) -> bytes:
    """The object of a number: some lie in packs, some are files; some shrink."""
    size = (1 << 20) + 1 if number % 11 == 0 else number * 37 % 3000
    return (b"%d " % number * (size // 2 + 1))[:size] + b"%d" % number


def breed() -> None:
    """For each line of standard input, a store and two pipes, begin a process that serves there; tell its id.

    So that hundreds of processes can be killed without that hundreds of interpreters start.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        root, orders, answers = json.loads(line)
        child = os.fork()
        if not child:
            with open(orders) as orders_file, open(answers, "w") as answers_file:  # noqa: PTH123  pipes
                try:
                    serve(Path(root), orders_file, answers_file)
                except BaseException:  # noqa: BLE001  whatever it is, the test is told
                    answers_file.write(f"{traceback.format_exc()!r}\n")
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


def serve(root: Path, orders: IO[str], answers: IO[str]) -> None:
    """Obey each line of orders; answer each with a line when it is done."""
    batch_module.FULL = 4000
    left, step_to_die_at = -1, ""

    def failpoint(step: str) -> None:
        nonlocal left
        if step_to_die_at in (step, "any"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    store = ObjectStore(root, failpoint=failpoint)
    for line in orders:
        order = json.loads(line)
        if order["do"] == "die":
            step_to_die_at, left = order["at"], order["after"]
        elif order["do"] == "put":
            for number in order["numbers"]:
                store.put_bytes(content(number))
        elif order["do"] == "batch":
            with store.batch() as batch:
                for number in order["numbers"]:
                    batch.put(content(number), last=number % 7 == 0)
        elif order["do"] == "collect":
            collect(store, {hash_bytes(content(number)) for number in order["keep"]})
        elif order["do"] == "restore":
            with store.sharing.alone():
                store.loose.prepare()
                Trash(store).bring_back()
        answers.write("done\n")
        answers.flush()


def collect(store: ObjectStore, keep: set[str]) -> None:
    """What `drystone gc` does, the roots being given."""
    late = 1 << 62  # everything is old

    def reached() -> Reach:
        reach = Reach(store)
        for name in keep | store.sharing.living(clear=False).objects:
            list(reach.follow(name, "", tree=False))
        return reach

    todo = plan(store, reached(), late)
    folder = Trash(store).begin(len(list(store.root.glob("trash/*"))) + 1)
    carry_out(store, todo, folder, late, lambda: (reached(), store.sharing.living(clear=True).objects))


if __name__ == "__main__":
    breed()
