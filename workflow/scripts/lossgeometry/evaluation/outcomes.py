"""Graded answers as arrays over (problems, samples), the form that statistics take."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lossgeometry.errors import InputError
from lossgeometry.files import jsonl


@dataclass(frozen=True)
class Outcomes:
    """What one run did on one benchmark under one decoding; every array is (problems, samples)."""

    problems: tuple[str, ...]
    correct: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    """The token budget cut the completion, whether or not its answer was right."""
    no_answer: NDArray[np.bool_]
    timeout: NDArray[np.bool_]
    tokens: NDArray[np.int64]


def read_graded(
    evaluation: Path, runs: Iterable[str], benchmarks: Iterable[str]
) -> dict[tuple[str, str, str], Outcomes]:
    """Return the outcomes of runs below the folder `evaluation`, by (run, benchmark, decoding).

    Raises
    ------
    InputError
        If two runs answered different problems of a benchmark: paired comparisons need the same.
    """
    graded = {
        (run, benchmark, decoding): outcomes
        for run, benchmark in product(runs, benchmarks)
        for decoding, outcomes in read_outcomes(evaluation / run / f"{benchmark}.jsonl").items()
    }
    first: dict[tuple[str, str], tuple[str, Outcomes]] = {}
    for (run, benchmark, decoding), outcomes in graded.items():
        other, expected = first.setdefault((benchmark, decoding), (run, outcomes))
        if outcomes.problems != expected.problems:
            raise InputError(
                f"{run} and {other} answered different problems of {benchmark}; delete the older one's completions "
                "of this benchmark to generate them anew."
            )
    return graded


def read_outcomes(path: str | Path) -> dict[str, Outcomes]:
    """Outcomes by decoding (`greedy`, `sampled`) of one file of graded answers, problems in sorted order.

    Raises InputError when a sample is there twice or when problems differ in their number of samples, because averages
    over such a file would be wrong without a sign of it.
    """
    return outcomes_of(jsonl.read_lines(path), str(path))


def outcomes_of(rows: Iterable[dict], name: str) -> dict[str, Outcomes]:
    """The same for rows in memory; `name` is what an error calls them."""
    found: dict[str, dict[tuple[str, int], tuple]] = {}
    for row in rows:
        samples = found.setdefault(row["decoding"], {})
        key = (row["problem_id"], row["sample"])
        if key in samples:
            raise InputError(f"{name} holds sample {key[1]} of problem {key[0]} twice; delete it to grade anew.")
        verdict = row["verdict"]
        cut = row["finish_reason"] == "length"
        samples[key] = (row["correct"], cut, verdict == "no_answer", verdict == "timeout", row["n_tokens"])
    return {decoding: _arrays(found[decoding], decoding, name) for decoding in sorted(found)}


def _arrays(samples: dict[tuple[str, int], tuple], decoding: str, name: str) -> Outcomes:
    keys = sorted(samples)
    problems = sorted({problem for problem, _ in keys})
    numbers = sorted({number for _, number in keys})
    if keys != [(problem, number) for problem in problems for number in numbers]:
        raise InputError(
            f"{name} lacks {decoding} samples of some problems ({len(keys)} of {len(problems)} x {len(numbers)}); "
            "delete it and its completions to generate them."
        )
    table = np.array([samples[key] for key in keys], np.int64).reshape(len(problems), len(numbers), 5)
    correct, cut, unanswered, timeout = (table[..., column].astype(bool) for column in range(4))
    return Outcomes(tuple(problems), correct, cut, unanswered, timeout, table[..., 4])
