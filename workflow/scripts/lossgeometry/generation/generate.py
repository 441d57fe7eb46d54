"""Generation that survives being killed: batches are appended as they are done, and the file appears when complete."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from lossgeometry.files.atomic import clear_write_errors
from lossgeometry.files.jsonl import append, read_lines, write_atomic
from lossgeometry.files.resuming import CheckpointFolder
from lossgeometry.files.stopping import StopSignals
from lossgeometry.generation.requests import Engine, Request
from lossgeometry.settings.rollouts import Sampling

PROGRESS_SECONDS = 5.0


def generate_resumably(
    requests: Sequence[Request],
    sampling: Sampling,
    load_engine: Callable[[], Engine],
    unit: int,
    checkpoints: Path,
    digest: str,
    output: Path,
) -> None:
    """Write the completions of all requests, in their order, as JSON Lines.

    A killed call continues after its last complete unit, and ends with the bytes of an uninterrupted one. The engine is
    loaded only if anything is left to generate. Memory holds the requests and one batch, never the file.

    Parameters
    ----------
    unit
        Completions that must be generated together for the same bytes: the engine's batch, or 1.
    checkpoints
        Undeclared folder of this job.
    digest
        Of everything the completions depend on.
    """
    with CheckpointFolder(checkpoints, digest) as folder, StopSignals() as stop, clear_write_errors(output):
        folder.path.mkdir(parents=True, exist_ok=True)
        partial = folder.path / "completions.jsonl"
        done = _complete_units(partial, requests, unit)
        if done:
            print(f"continuing after {done} of {len(requests)} completions")
        if done < len(requests):
            engine = load_engine()
            progress = Progress(done, len(requests))
            for batch in engine.generate(requests[done:], sampling):
                if batch:
                    append(partial, map(asdict, batch))
                    done += len(batch)
                    progress.add(len(batch), sum(completion.n_tokens for completion in batch))
                if stop.requested and done < len(requests):
                    stop.leave(f"{done} of {len(requests)} completions")
        output.parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial, output)
        folder.clear()


def _complete_units(partial: Path, requests: Sequence[Request], unit: int) -> int:
    """Cut a partial file after its last complete unit and return how many completions that leaves."""
    append(partial, [])  # makes the file, or removes a torn last row
    found = 0
    try:
        for row in read_lines(partial):
            if found == len(requests) or not _answers(row, requests[found]):
                print(f"Ignored the completions in {partial}: they answer other requests.")
                found = 0
                break
            found += 1
    except ValueError:
        print(f"Ignored the completions in {partial}: the file was damaged after it was written.")
        found = 0
    done = found if found == len(requests) else found // unit * unit
    if done < found or not done:
        write_atomic(partial, islice(read_lines(partial), done))
    return done


def _answers(row: dict, request: Request) -> bool:
    asked = (request.problem_id, request.sample, request.decoding, request.seed)
    return (row["problem_id"], row["sample"], row["decoding"], row["seed"]) == asked


class Progress:
    """A line with the rate and the time to go, every few seconds and at the end."""

    def __init__(self, done: int, total: int):
        self.first = self.done = done
        self.total = total
        self.tokens = 0
        self.start = self.said = time.monotonic()

    def add(self, completions: int, tokens: int) -> None:
        """Count a batch."""
        if not completions:
            return
        self.done += completions
        self.tokens += tokens
        now = time.monotonic()
        if self.done == self.total or now - self.said >= PROGRESS_SECONDS:
            seconds = max(now - self.start, 1e-9)
            to_go = (self.total - self.done) * seconds / (self.done - self.first)
            print(f"{self.done} of {self.total} completions, {self.tokens / seconds:.0f} tokens/s, {to_go:.0f} s to go")
            self.said = now
