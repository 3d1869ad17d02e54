"""One model version answering: predict, name each row, log, and only then let the answer go."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from drystone.core.clock import Clock, to_iso
from drystone.core.errors import WorkFailed
from drystone.core.ids import new_id
from drystone.core.signature import Signature
from drystone.ledger.facts import VersionRegistered
from drystone.ledger.requests import Line, RequestWriter
from drystone.registry.frames import Columns
from drystone.registry.predictor import Predictor
from drystone.serving.refusal import Refused

#: Fewer rows are predicted between two requests; more would keep others, and health checks, waiting.
_INLINE_ROWS = 64


class Answer(NamedTuple):
    """Predictions in the order of the rows: their ids, and the outputs by name."""

    ids: list[str]
    outputs: Columns


class Engine:
    """A model that is ready.

    Args:
        predictor: the loaded model, its golden outputs replayed.
        version: what it is registered as.
        writer: the log of its deployment.
        clock: tells the time of each answer.
    """

    def __init__(
        self, predictor: Predictor, version: VersionRegistered, writer: RequestWriter, clock: Clock
    ) -> None:
        self.version = version
        self.signature: Signature = predictor.signature
        self.loader = predictor.manifest.loader
        self._predictor = predictor
        self._writer = writer
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "predict")

    def now(self) -> int:
        """The time by the deployment's clock, nanoseconds since the epoch."""
        return self._clock.now()

    async def answer(self, columns: Columns, rows: int, event_time: int | None) -> Answer:
        """Predict checked columns and log each row.

        Args:
            columns: exactly the signature's inputs.
            rows: one or more.
            event_time: nanoseconds since the epoch when the rows happen; None for now.

        Raises:
            Refused: the model does not take these values (400), or the log cannot be written (503): a
                prediction that nobody could trace or monitor is not given.
        """
        started = time.perf_counter()
        try:
            if rows <= _INLINE_ROWS:
                outputs = self._predictor.predict_checked(columns, rows)
            else:
                outputs = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._predictor.predict_checked, columns, rows
                )
        except WorkFailed:
            hint = "a value may be one that it was never trained on; send the rows one by one to find it"
            raise Refused(400, "the model cannot answer these inputs", hint=hint) from None
        milliseconds = round((time.perf_counter() - started) * 1000, 3)
        now = self._clock.now()
        ids = [new_id(now) for _ in range(rows)]
        self._log(ids, columns, outputs, now, now if event_time is None else event_time, milliseconds)
        return Answer(ids, outputs)

    def _log(
        self, ids: list[str], columns: Columns, outputs: Columns, now: int, event_time: int, ms: float
    ) -> None:
        names, results = tuple(columns), tuple(outputs)
        inputs = zip(*(values.tolist() for values in columns.values()), strict=True)
        answers = zip(*(values.tolist() for values in outputs.values()), strict=True)
        version = self.version
        at, about = to_iso(now), to_iso(event_time)
        lines = [
            Line(
                identifier,
                at,
                about,
                version.name,
                version.version,
                version.object,
                dict(zip(names, row, strict=True)),
                dict(zip(results, answer, strict=True)),
                ms,
            )
            for identifier, row, answer in zip(ids, inputs, answers, strict=True)
        ]
        try:
            self._writer.append(event_time, lines)
        except OSError as error:
            raise Refused(
                503,
                f"the request log cannot be written: {error.strerror}",
                hint="nothing was predicted; free the disk of the server and send the request again",
                headers=[(b"retry-after", b"5")],
            ) from None

    def close(self) -> None:
        """Finish what is being predicted."""
        self._thread.shutdown()
