"""Stop at the next safe point when the cluster, or a person, asks for it.

SLURM sends SIGTERM before the time limit and at preemption, a terminal sends SIGINT at Ctrl-C. Both only set a flag:
the loop saves a checkpoint where its state is consistent, and leaves with :data:`STOPPED_EXIT_CODE`.
"""

import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

# What a shell reports for a process that ended by SIGTERM (128 + 15): not zero, so Snakemake retries the job.
STOPPED_EXIT_CODE = 143


class Stopped(SystemExit):
    """Leaves the process with :data:`STOPPED_EXIT_CODE`; not an ``Exception``, so nothing mistakes it for a failure."""

    def __init__(self) -> None:
        super().__init__(STOPPED_EXIT_CODE)


class StopSignals:
    """Within the ``with`` block SIGTERM and the first SIGINT set :attr:`requested` instead of ending the process.

    Only the main thread may enter it. A second SIGINT ends the process at once.
    """

    def __init__(self) -> None:
        self.requested: str | None = None  # the name of the signal that came
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def leave(self, what_is_saved: str) -> None:
        """Print one line and raise :class:`Stopped`; call it after the checkpoint was saved."""
        print(
            f"Stopped by {self.requested}: saved {what_is_saved}; the next attempt continues there.",
            file=sys.stderr,
            flush=True,
        )
        raise Stopped

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.requested = signal.Signals(number).name
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
