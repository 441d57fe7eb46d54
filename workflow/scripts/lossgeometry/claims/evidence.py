"""What an experiment's tables say about runs and pairs of runs; everything may be missing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from lossgeometry.evaluation.questions import groups, matched_groups
from lossgeometry.experiment.runs import Run, first_of_each_start
from lossgeometry.geometry.chance import ABOVE, verdicts

Members = dict[str, Run]
"""Runs by method label."""


class Missing(LookupError):
    """A rule needs something that this experiment did not run; the message says what."""


class Unsupported(Missing):
    """The methods were run, but not so that they can be compared; the message names the key that would change it."""


class Value(NamedTuple):
    """A measurement with its chance level, and what it is read beside (NaN where there is none)."""

    value: float
    null_mean: float
    null_sd: float
    control: float = math.nan
    """The same of a control."""
    replicate: float = math.nan
    """The same of a reshuffle, of the method or methods in `replicate_of`."""
    replicate_of: str = ""
    reshuffle: str = ""
    """Whether reshuffling the data sets a run as far from itself, as in `tables/geometry.csv`."""
    reshuffle_reason: str = ""
    name: str = ""
    """The methods of the pair."""
    predicted: float = math.nan
    """Of a cosine, what gradients said before training."""

    @property
    def above_chance(self) -> bool:
        """Whether it lies above its chance band; not where it has none."""
        return bool(verdicts(self.value, self.null_mean, self.null_sd) == ABOVE)


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

    `tables` maps the contract's names (geometry, layers, barriers, cka, behaviour, differences, predictions, matched,
    replicates) to data frames. Controls and snapshots are no evidence for what a method does.
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame], runs: Sequence[Run]) -> None:
        self.tables = tables
        self.runs = [run for run in runs if not (run.control or run.half or run.origin == "snapshot")]

    def groups(self, wanted: Sequence[str], matched: bool = False, required: Sequence[str] = ()) -> dict[str, Members]:
        """The runs of the wanted methods, by label, in every replicate that has all of the required ones.

        A replicate is a seed at the default learning rates; with `matched` a learning rate that methods share, and a seed.
        """
        runs = first_of_each_start(self.runs)
        everywhere = matched_groups(runs) if matched else groups(runs)
        found = {
            group: {label: members[label] for label in wanted if label in members}
            for group, members in everywhere.items()
            if all(label in members for label in required)
        }
        found = {group: members for group, members in found.items() if members}
        if not found:
            labels = {run.label for run in self.runs}
            absent = [label for label in required or wanted if label not in labels]
            if absent:
                raise Missing(f"{' and '.join(absent)} {'was' if len(absent) == 1 else 'were'} not run")
            shared = " and ".join(required)
            if matched:
                key = f"add one to methods.{required[-1]}.learning_rates, and to comparisons.matched"
                raise Unsupported(f"{shared} share no learning rate; {key}")
            raise Unsupported(f"{shared} share no seed; give them the same in seeds")
        return found

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
        return Value(
            *(float(row.value), float(row.null_mean), float(row.null_sd), float(row.control), float(row.replicate)),
            replicate_of="" if pd.isna(row.replicate_of) else row.replicate_of,
            reshuffle="" if pd.isna(row.reshuffle) else row.reshuffle,
            reshuffle_reason="" if pd.isna(row.reshuffle_reason) else row.reshuffle_reason,
            name=f"{a.partition('.')[0]}-{b.partition('.')[0]}",
            predicted=self._predicted(a, b) if metric == "cosine" else math.nan,
        )

    def _predicted(self, a: str, b: str) -> float:
        try:
            return float(self._pair("predictions", a, b, ("run_a", "run_b")).predicted.iloc[0])
        except Missing:
            return math.nan

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

    def divergence(self, run: str) -> float:
        """KL(base || run) per token, on the base's own answers."""
        table = self.table("behaviour")
        rows = table[
            (table.run == run) & (table.text == "base") & (table.part == "all") & (table.measure == "kl_base_run")
        ]
        if rows.empty:
            raise Missing(f"the texts of {run} are not in behaviour")
        return float(rows.iloc[0].value)

    def at_equal_size(self, a: str, b: str) -> dict[str, Value]:
        """Cosines of a pair at equal norm, and where it was measured at equal KL: where the one that gets less far ends."""
        rows = self._pair("matched", a, b, ("run_a", "run_b"))
        rows = rows[rows.end.astype(bool) & rows["at"].isin(["norm", "KL"]) & rows.cosine.notna()]
        return {row.at: Value(float(row.cosine), 0.0, float(row.cosine_sd)) for row in rows.itertuples()}

    def corrected(self, a: str, b: str) -> list[Any]:
        """Rows of two methods' cosines corrected for noise, one for every kind of replicate that both have."""
        table = self.table("replicates")
        ends = {a, b}
        return [row for row in table.itertuples() if {row.method_a, row.method_b} == ends]

    def differences(self, question: str) -> pd.DataFrame:
        """The paired differences of accuracy that answer a question, in the most precise decoding.

        On gsm8k where it was run, else on the first benchmark.
        """
        table = self.table("differences")
        table = table[table.most_precise.astype(bool)]
        names = list(dict.fromkeys(table.benchmark))
        rows = table[(table.benchmark == ("gsm8k" if "gsm8k" in names else names[0])) & (table.question == question)]
        if rows.empty:
            raise Missing("fewer than two of its methods were evaluated")
        return rows

    def seed_pairs(self) -> list[tuple[str, str]]:
        """Pairs of runs of one method at one learning rate from two initial seeds, among those compared.

        An order replicate is left out: it would count one initialisation twice.
        """
        first = {run.id for run in first_of_each_start(self.runs)}
        return self._compared(
            lambda a, b: (
                {a.id, b.id} <= first
                and a.label == b.label
                and a.learning_rate == b.learning_rate
                and a.init_seed != b.init_seed
            ),
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
