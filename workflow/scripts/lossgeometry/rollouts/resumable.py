"""Generation that survives being killed: batches are appended as they are done, and the file appears when complete."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from lossgeometry.atomic import clear_write_errors
from lossgeometry.checkpoints import CheckpointFolder
from lossgeometry.jsonl import append, read_lines, write_atomic
from lossgeometry.rollouts.generation import Completion, Engine, Request
from lossgeometry.settings.rollouts import Sampling
from lossgeometry.stopping import StopSignals


def generate_resumably(
    requests: Sequence[Request],
    sampling: Sampling,
    load_engine: Callable[[], Engine],
    batch_size: int,
    checkpoints: Path,
    digest: str,
    output: Path,
) -> None:
    """Write the completions of all requests, in their order, as JSON Lines.

    A killed call continues after its last complete batch, and ends with the bytes of an uninterrupted one: batches are cut at
    the same requests. The engine is loaded only if anything is left to generate.

    Parameters
    ----------
    checkpoints
        Undeclared folder of this job.
    digest
        Of everything the completions depend on.
    """
    with CheckpointFolder(checkpoints, digest) as folder, StopSignals() as stop, clear_write_errors(output):
        folder.path.mkdir(parents=True, exist_ok=True)
        partial = folder.path / "completions.jsonl"
        done = _complete_batches(partial, requests, batch_size)
        if done:
            print(f"continuing after {done} of {len(requests)} completions")
        if done < len(requests):
            engine = load_engine()
            start, tokens, first = time.monotonic(), 0, done
            for batch in engine.generate(requests[done:], sampling):
                append(partial, map(asdict, batch))
                done += len(batch)
                tokens += sum(completion.n_tokens for completion in batch)
                _report(done, len(requests), done - first, tokens, time.monotonic() - start)
                if stop.requested and done < len(requests):
                    stop.leave(f"{done} of {len(requests)} completions")
        output.parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial, output)
        folder.clear()


def _complete_batches(partial: Path, requests: Sequence[Request], batch_size: int) -> int:
    """Cut a partial file after its last complete batch and return how many completions that leaves."""
    rows = []
    if partial.exists():
        try:
            rows = list(read_lines(partial))
        except ValueError:
            print(f"Ignored the completions in {partial}: the file was damaged after it was written.")
    done = len(rows) if len(rows) == len(requests) else len(rows) // batch_size * batch_size
    expected = [(request.problem_id, request.sample, request.seed) for request in requests[:done]]
    if [(row["problem_id"], row["sample"], row["seed"]) for row in rows[:done]] != expected:
        print(f"Ignored the completions in {partial}: they answer other requests.")
        done = 0
    write_atomic(partial, rows[:done])
    return done


def _report(done: int, total: int, generated: int, tokens: int, seconds: float) -> None:
    rate = generated / seconds
    print(f"{done} of {total} completions, {tokens / seconds:.0f} tokens/s, {(total - done) / rate:.0f} s to go")


def read_completions(path: Path):
    """Yield the completions of a file that `generate_resumably` wrote."""
    return (Completion(**row) for row in read_lines(path))
