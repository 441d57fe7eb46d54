"""Accuracies of methods rather than of runs: with intervals over seeds as well as over problems."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from lossgeometry.evaluation.differences import Graded
from lossgeometry.evaluation.intervals import crossed_seeds
from lossgeometry.experiment.runs import BASE, Run, first_of_each_start

COLUMNS = [
    "quantity",
    "method_a",
    "method_b",
    "benchmark",
    "decoding",
    "seeds",
    "problems",
    "samples",
    "value",
    "low",
    "high",
    "standard_error",
    "degrees_of_freedom",
    "sd_between_seeds",
]


def across_seeds_table(graded: Graded, runs: Sequence[Run]) -> pd.DataFrame:
    """One row per method, per method against the base, and per pair of methods, where they share two seeds or more.

    Default learning rates. `quantity` is `accuracy` or `difference` (the second's accuracy minus the first's on the same
    seeds and problems). Unlike every other interval these hold for other seeds of training too. Columns `COLUMNS`.
    """
    methods: dict[str, dict[str, Run]] = {}
    for run in first_of_each_start(runs):
        if run.default and run.origin == "trained":
            methods.setdefault(run.label, {})[run.seed] = run
    rows: list[dict[str, Any]] = []
    for benchmark, decoding in dict.fromkeys((benchmark, decoding) for _, benchmark, decoding in graded):

        def shares(run: str, place: tuple[str, str] = (benchmark, decoding)) -> np.ndarray:
            return graded[run, *place].correct.mean(axis=1)

        solved = {label: {seed: shares(run.id) for seed, run in of.items()} for label, of in methods.items()}
        base = shares(BASE)
        samples = graded[BASE, benchmark, decoding].correct.shape[1]
        place = {"benchmark": benchmark, "decoding": decoding, "samples": samples}
        for label, by_seed in solved.items():
            rows += _row("accuracy", label, "", by_seed, place)
            rows += _row("difference", BASE, label, {seed: x - base for seed, x in by_seed.items()}, place)
        for a, b in combinations(solved, 2):
            common = {seed: solved[b][seed] - solved[a][seed] for seed in solved[a] if seed in solved[b]}
            rows += _row("difference", a, b, common, place)
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(
    quantity: str, a: str, b: str, by_seed: Mapping[str, np.ndarray], place: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if len(by_seed) < 2:
        return []
    values = np.array(list(by_seed.values()))
    found = crossed_seeds(values)
    return [
        {"quantity": quantity, "method_a": a, "method_b": b, **place}
        | {"seeds": ";".join(by_seed), "problems": values.shape[1], "value": found.mean}
        | {"low": max(found.low, 0.0 if quantity == "accuracy" else -1.0), "high": min(found.high, 1.0)}
        | {"standard_error": found.error, "degrees_of_freedom": found.freedom, "sd_between_seeds": found.between_seeds}
    ]
