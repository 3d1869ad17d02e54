"""What `drystone test` and the pytest process say to each other: a session file in, outcome lines out."""

from __future__ import annotations

from typing import Literal

import msgspec

from drystone.checks.claims import Claim
from drystone.ledger.facts import AssetKind

Kind = Literal["model", "data", "other"]
TestVerdict = Literal["pass", "fail", "unsure", "skipped"]


class Given(msgspec.Struct, frozen=True):
    """A version that the session is about, restored where the checks can read it.

    Attributes:
        about: the reference, e.g. `model:late-arrival@v1`.
        path: absolute path of its file or directory.
        place: where it lies in the work tree, relative to the root, posix.
    """

    kind: AssetKind
    name: str
    about: str
    object: str
    path: str
    place: str


class Session(msgspec.Struct, frozen=True):
    """What the plugin is told.

    Attributes:
        root: top of the project, absolute.
        outcomes: file to append outcome lines to.
        now: nanoseconds since the epoch, the time by which freshness is judged.
        given: versions that the session is about; empty for all that lies in the work tree.
        scratch: folder for what checks restore from the store.
    """

    root: str
    outcomes: str
    now: int
    scratch: str
    given: tuple[Given, ...] = ()


class Read(msgspec.Struct, frozen=True):
    """Something that a test used: an input of the run."""

    place: str
    object: str
    tree: bool


class Outcome(msgspec.Struct, frozen=True, tag="outcome"):
    """How one test ended.

    Attributes:
        check: `checks/FILE.py::test_name`.
        subjects: object by reference, of what the test judged; several where it judged several.
        about: the same references without versions; also of a test that found out that the session is
            not about its model.
        why: what went wrong outside the claims, or why it was skipped.
        at: where that was.
        reads: all that the test used, judged or not.
    """

    check: str
    kind: Kind
    verdict: TestVerdict
    seconds: float
    claims: tuple[Claim, ...] = ()
    subjects: dict[str, str] = {}
    about: tuple[str, ...] = ()
    why: str = ""
    at: str = ""
    reads: tuple[Read, ...] = ()


class Collected(msgspec.Struct, frozen=True, tag="collected"):
    """All tests that there are, before any is left out, with the kind of each."""

    checks: dict[str, Kind]


class Uncollected(msgspec.Struct, frozen=True, tag="uncollected"):
    """A file of checks that could not be read."""

    path: str
    why: str


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The session came to its end; pytest's exit status."""

    status: int


Message = Outcome | Collected | Uncollected | Finished

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Message).decode
