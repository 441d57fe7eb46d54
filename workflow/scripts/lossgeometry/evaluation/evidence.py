"""What an experiment's tables say about runs and pairs of runs; everything may be missing."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from lossgeometry.experiment.runs import Run
from lossgeometry.geometry.chance import WIDTH


class Missing(LookupError):
    """A rule needs something that this experiment did not run; the message says what."""


class Value(NamedTuple):
    """A measurement with its chance level (NaN where there is none)."""

    value: float
    null_mean: float
    null_sd: float

    @property
    def above_chance(self) -> bool:
        """Whether it is above the band of chance."""
        return self.value > self.null_mean + WIDTH * self.null_sd


class Barrier(NamedTuple):
    """The verdict on a loss barrier, and its height with its interval, in nats per token."""

    loss: str
    verdict: str
    reason: str
    height: float
    low: float
    high: float


class Evidence:
    """Look-ups in the tables of one experiment; each raises Missing where the table or the row is not there.

    `tables` maps the contract's names (geometry, layers, barriers, cka, accuracy, mcnemar) to data frames. A method is
    stood for by its first run at its default learning rate.
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame], runs: Sequence[Run]) -> None:
        self.tables = tables
        self.runs = list(runs)

    def run(self, label: str) -> Run:
        """The run that stands for a method."""
        for run in self.runs:
            if run.label == label and run.default:
                return run
        raise Missing(f"{label} was not run")

    def present(self, labels: Sequence[str]) -> list[str]:
        """Those of the methods that were run."""
        known = {run.label for run in self.runs}
        return [label for label in labels if label in known]

    def table(self, name: str) -> pd.DataFrame:
        """A table of the contract."""
        table = self.tables.get(name)
        if table is None or table.empty:
            raise Missing(f"there is no table of {name}")
        return table

    def _pair(self, name: str, a: str, b: str, columns: tuple[str, str]) -> pd.DataFrame:
        """Rows of a pair, in whichever order it was named."""
        table = self.table(name)
        first, second = columns
        rows = table[((table[first] == a) & (table[second] == b)) | ((table[first] == b) & (table[second] == a))]
        if rows.empty:
            raise Missing(f"{a} and {b} are not compared in {name}")
        return rows

    def pair(self, a: str, b: str, metric: str, side: str = "none") -> Value:
        """Global value of a pairwise metric; of several k the largest that is defined."""
        rows = self._pair("geometry", a, b, ("run_a", "run_b"))
        rows = rows[(rows.scope == "global") & (rows.metric == metric) & (rows.side == side)]
        if rows.empty:
            raise Missing(f"{metric} of {a} and {b} is not in geometry")
        rows = rows.assign(undefined=rows.value.isna()).sort_values(["undefined", "k"], ascending=[True, False])
        row = rows.iloc[0]
        return Value(float(row.value), float(row.null_mean), float(row.null_sd))

    def both(self, a: str, b: str, metric: str) -> tuple[float, float]:
        """Global values of a metric of single runs (norm, effective_rank) of two runs, over the modules they share."""
        rows = self._pair("geometry", a, b, ("run_a", "run_b"))
        rows = rows[rows.scope == "global"]
        values = []
        for run in (a, b):
            side = "a" if rows.iloc[0].run_a == run else "b"
            found = rows[rows.metric == f"{metric}_{side}"]
            if found.empty:
                raise Missing(f"{metric} of {run} is not in geometry")
            values.append(float(found.iloc[0].value))
        return values[0], values[1]

    def layers(self, a: str, b: str, metric: str) -> pd.Series:
        """A metric by layer, in their order."""
        rows = self._pair("layers", a, b, ("run_a", "run_b"))
        rows = rows[(rows.metric == metric) & rows.layer.notna()]
        return rows.set_index("layer").value.sort_index()

    def barriers(self, a: str, b: str) -> list[Barrier]:
        """The barrier between two runs under every loss."""
        rows = self._pair("barriers", a, b, ("run_a", "run_b")).fillna({"reason": ""})
        columns = ["loss", "verdict", "reason", "difference", "difference_low", "difference_high"]
        return [Barrier(*row) for row in rows[columns].itertuples(index=False)]

    def cka(self, a: str, b: str) -> pd.DataFrame:
        """Debiased CKA by layer: columns layer, value, low, high."""
        rows = self._pair("cka", a, b, ("run_a", "run_b"))
        rows = rows[rows.estimator == "debiased"].sort_values("layer")
        if rows.empty:
            raise Missing(f"{a} and {b} have no debiased CKA")
        return rows

    def benchmark(self) -> str:
        """The benchmark that claims are read on: gsm8k where it was run, else the first."""
        names = list(dict.fromkeys(self.table("accuracy").benchmark))
        return "gsm8k" if "gsm8k" in names else names[0]

    def accuracy(self, run: str) -> pd.Series:
        """Row of the greedy accuracy of a run on `benchmark()`."""
        table = self.table("accuracy")
        rows = table[(table.run == run) & (table.benchmark == self.benchmark()) & (table.decoding == "greedy")]
        if rows.empty:
            raise Missing(f"{run} was not evaluated greedily on {self.benchmark()}")
        return rows.iloc[0]

    def mcnemar(self, a: str, b: str) -> pd.Series:
        """Row of the McNemar test of two runs on `benchmark()`."""
        rows = self._pair("mcnemar", a, b, ("run_a", "run_b"))
        rows = rows[rows.benchmark == self.benchmark()]
        if rows.empty:
            raise Missing(f"{a} and {b} are not tested on {self.benchmark()}")
        return rows.iloc[0]

    def seed_pairs(self) -> list[tuple[str, str]]:
        """Pairs of runs of one method at one learning rate from two initial seeds, among those compared."""
        return self._compared(
            lambda a, b: a.label == b.label and a.learning_rate == b.learning_rate and a.init_seed != b.init_seed,
            "no method was run from two initial seeds",
        )

    def learning_rate_pairs(self) -> list[tuple[str, str, float]]:
        """(lower, higher, ratio) of learning rates a factor of 5 to 20 apart, one method and one seed."""
        pairs = self._compared(
            lambda a, b: a.label == b.label and a.seed == b.seed and 5 <= _ratio(a, b) <= 20,
            "no method was run at two learning rates a factor of ten apart",
        )
        rates = {run.id: run.learning_rate for run in self.runs}
        ordered = [sorted(pair, key=lambda run: rates[run]) for pair in pairs]
        return [(low, high, rates[high] / rates[low]) for low, high in ordered]

    def _compared(self, wanted, otherwise: str) -> list[tuple[str, str]]:
        runs = {run.id: run for run in self.runs}
        named = self.table("geometry")[["run_a", "run_b"]].drop_duplicates().itertuples(index=False, name=None)
        pairs = [(a, b) for a, b in named if a in runs and b in runs and runs[a].method and wanted(runs[a], runs[b])]
        if not pairs:
            raise Missing(otherwise)
        return pairs


def _ratio(a: Run, b: Run) -> float:
    low, high = sorted((a.learning_rate, b.learning_rate))
    return high / low if low > 0 else math.inf
