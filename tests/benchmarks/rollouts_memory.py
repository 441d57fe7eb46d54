"""Peak memory of generating and grading many samples, against reading the same samples into one table.

Usage: PYTHONPATH=workflow/scripts python tests/benchmarks/rollouts_memory.py [samples] [characters]
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLES_PER_PROMPT = 8


class Filler:
    """An engine that writes completions of a given length."""

    def __init__(self, characters: int):
        self.text = "So 1 + 1 = 2. " * (characters // 14)

    def generate(self, requests, sampling):
        from lossgeometry.generation.requests import Completion

        for start in range(0, len(requests), 256):
            yield [
                Completion(
                    one.problem_id,
                    one.sample,
                    one.decoding,
                    one.seed,
                    rf"{self.text}\boxed{{{one.seed % 3}}}",
                    "stop",
                    9,
                )
                for one in requests[start : start + 256]
            ]


def prompts(samples: int) -> list[dict]:
    return [{"id": f"p{n:06d}", "problem": f"{n} mod 3", "answer": "1"} for n in range(samples // SAMPLES_PER_PROMPT)]


def generate(folder: Path, samples: int, characters: int) -> None:
    from lossgeometry.generation.generate import generate_resumably
    from lossgeometry.generation.requests import rollout_requests
    from lossgeometry.settings.rollouts import Sampling

    requests = rollout_requests(prompts(samples), SAMPLES_PER_PROMPT, 0)
    load = lambda: Filler(characters)  # noqa: E731
    generate_resumably(requests, Sampling(), load, 256, folder / "checkpoints", "d", folder / "1.jsonl")


def grade(folder: Path, samples: int, characters: int) -> None:
    from lossgeometry.files.jsonl import write_atomic
    from lossgeometry.rollouts.bought import Bought
    from lossgeometry.rollouts.rewards import grade_rollouts

    write_atomic(folder / "train.jsonl", prompts(samples))
    files = [folder / name for name in ("rollouts.parquet", "summary.csv")]
    grade_rollouts(folder / "train.jsonl", [folder / "1.jsonl"], 1, 5.0, *files, Bought({}))


def table(folder: Path, samples: int, characters: int) -> None:
    import pandas as pd

    from lossgeometry.files.jsonl import read_lines

    pd.DataFrame(read_lines(folder / "1.jsonl"))


STAGES = {"generate": generate, "grade": grade, "table": table}


def peak_megabytes(stage: str, folder: str, samples: int, characters: int) -> float:
    """Run one stage in a process of its own and return its peak resident memory."""
    command = [sys.executable, __file__, stage, folder, str(samples), str(characters)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main(samples: int = 100_000, characters: int = 4_000) -> None:
    peaks = {}
    for count in (samples // 10, samples):
        with tempfile.TemporaryDirectory() as folder:
            for stage in STAGES:
                peaks[stage, count] = peak_megabytes(stage, folder, count, characters)
                print(f"{stage:8} {count:7} samples of {characters} characters: {peaks[stage, count]:6.0f} MB")
    for stage in ("generate", "grade"):
        growth = (peaks[stage, samples] - peaks[stage, samples // 10]) / (
            peaks["table", samples] - peaks["table", samples // 10]
        )
        print(f"{stage}: grows by {growth:.2f} of what one table of the samples grows by")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in STAGES:
        STAGES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    else:
        main(*map(int, sys.argv[1:]))
