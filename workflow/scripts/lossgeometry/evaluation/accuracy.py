"""The tables of accuracies and of paired tests."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lossgeometry.errors import InputError
from lossgeometry.evaluation import statistics
from lossgeometry.evaluation.outcomes import Outcomes, read_outcomes
from lossgeometry.experiment.runs import BASE
from lossgeometry.files.atomic import atomic_file

GREEDY = "greedy"
MOST_TRUNCATED = 0.01
Graded = dict[tuple[str, str, str], Outcomes]
"""Outcomes by (run, benchmark, decoding)."""

ACCURACY_COLUMNS = [
    "run",
    "benchmark",
    "decoding",
    "problems",
    "samples",
    "accuracy",
    "low",
    "high",
    "interval",
    "standard_error",
    "pass_at_k",
    "truncation_rate",
    "truncation_flag",
    "no_answer_rate",
    "timeout_rate",
    "tokens_mean",
    "minimum_detectable_difference",
    "difference_to_base",
    "difference_low",
    "difference_high",
    "note",
]
MCNEMAR_COLUMNS = ["run_a", "run_b", "benchmark", "problems", "b", "c", "p", "p_holm"]


def tabulate_accuracy(cfg: dict[str, Any], evaluation: Path, accuracy: Path, mcnemar: Path) -> None:
    """Write accuracy.csv and mcnemar.csv from the graded answers below `evaluation`.

    Parameters
    ----------
    cfg
        `runs` and `benchmarks` in their order, `pairs` of run ids, `bootstrap`: number of resamples.
    """
    graded: Graded = {}
    for run in cfg["runs"]:
        for benchmark in cfg["benchmarks"]:
            for decoding, outcomes in read_outcomes(evaluation / run / f"{benchmark}.jsonl").items():
                graded[run, benchmark, decoding] = outcomes
    accuracies = accuracy_table(graded, cfg["bootstrap"])
    for row in accuracies[accuracies.truncation_flag].itertuples():
        print(
            f"WARNING: {row.run} on {row.benchmark} ({row.decoding}): {100 * row.truncation_rate:.1f} % of the "
            "completions were cut; their accuracy reads too low. Raise evaluation.sampling.max_new_tokens."
        )
    for path, table in ((accuracy, accuracies), (mcnemar, mcnemar_table(graded, cfg["pairs"]))):
        with atomic_file(path) as partial:
            table.to_csv(partial, index=False, lineterminator="\n", float_format="%.10g")


def accuracy_table(graded: Graded, resamples: int) -> pd.DataFrame:
    """One row per run, benchmark and decoding; columns `ACCURACY_COLUMNS`.

    Greedy accuracies carry Wilson's interval, sampled ones (avg@k) a normal interval of the standard error clustered by
    problem. Differences are to the base on the same problems, with a bootstrap over problems whose seed is fixed. The
    minimum detectable difference belongs to the benchmark: it uses what the runs' comparisons with the base show on
    average, and is undefined without such a comparison.
    """
    _require_same_problems(graded)
    detectable = _detectable(graded)
    rows = []
    for (run, benchmark, decoding), outcomes in graded.items():
        problems, samples = outcomes.correct.shape
        row = {"run": run, "benchmark": benchmark, "decoding": decoding, "problems": problems, "samples": samples}
        row |= _accuracy(outcomes, decoding) | _rates(outcomes)
        row["minimum_detectable_difference"] = detectable.get((benchmark, decoding), np.nan)
        base = graded.get((BASE, benchmark, decoding))
        if run != BASE and base is not None:
            row |= _difference(_shares(outcomes) - _shares(base), resamples)
        rows.append(row)
    return pd.DataFrame(rows, columns=ACCURACY_COLUMNS)


def mcnemar_table(graded: Graded, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Exact McNemar tests on greedy answers: every run against the base, then the given pairs; `MCNEMAR_COLUMNS`.

    b counts problems that only `run_a` solves. Holm's family is all comparisons on one benchmark.
    """
    runs = list(dict.fromkeys(run for run, _, _ in graded))
    benchmarks = list(dict.fromkeys(benchmark for _, benchmark, _ in graded))
    wanted = chain(((BASE, run) for run in runs if run != BASE), map(tuple, pairs))
    rows = []
    for a, b in dict.fromkeys(wanted):
        for benchmark in benchmarks:
            first, second = graded.get((a, benchmark, GREEDY)), graded.get((b, benchmark, GREEDY))
            if first is None or second is None:
                continue
            only_a, only_b = statistics.discordant(first.correct[:, 0], second.correct[:, 0])
            p = statistics.mcnemar(only_a, only_b)
            rows.append((a, b, benchmark, len(first.problems), only_a, only_b, p, np.nan))
    table = pd.DataFrame(rows, columns=MCNEMAR_COLUMNS)
    for _, family in table.groupby("benchmark"):
        table.loc[family.index, "p_holm"] = statistics.holm(family.p)
    return table


def _shares(outcomes: Outcomes) -> np.ndarray:
    """Share of correct samples of each problem, (problems,)."""
    return outcomes.correct.mean(axis=1)


def _accuracy(outcomes: Outcomes, decoding: str) -> dict[str, Any]:
    correct = outcomes.correct
    mean, error = statistics.average_at_k(correct)
    if decoding == GREEDY:
        low, high = statistics.wilson(int(correct.sum()), correct.size)
        return {"accuracy": mean, "low": low, "high": high, "interval": "wilson", "standard_error": error}
    half = statistics.normal_quantile() * error
    return {
        "accuracy": mean,
        "low": max(0.0, mean - half),
        "high": min(1.0, mean + half),
        "interval": "clustered",
        "standard_error": error,
        "pass_at_k": statistics.pass_at_k(correct, correct.shape[1]),
    }


def _rates(outcomes: Outcomes) -> dict[str, Any]:
    truncated = outcomes.truncated.mean()
    flag = bool(truncated > MOST_TRUNCATED)
    return {
        "truncation_rate": truncated,
        "truncation_flag": flag,
        "no_answer_rate": outcomes.no_answer.mean(),
        "timeout_rate": outcomes.timeout.mean(),
        "tokens_mean": outcomes.tokens.mean(),
        "note": f"more than {MOST_TRUNCATED:.0%} truncated: accuracy reads too low" if flag else "",
    }


def _difference(differences: np.ndarray, resamples: int) -> dict[str, float]:
    low, high = statistics.bootstrap_difference(differences, resamples, seed=0)
    return {"difference_to_base": differences.mean(), "difference_low": low, "difference_high": high}


def _detectable(graded: Graded) -> dict[tuple[str, str], float]:
    """Minimum detectable difference by (benchmark, decoding), from the comparisons with the base."""
    differences: dict[tuple[str, str], list[np.ndarray]] = {}
    for (run, benchmark, decoding), outcomes in graded.items():
        base = graded.get((BASE, benchmark, decoding))
        if run != BASE and base is not None:
            differences.setdefault((benchmark, decoding), []).append(_shares(outcomes) - _shares(base))
    detectable = {}
    for (benchmark, decoding), found in differences.items():
        if decoding == GREEDY:
            discordance = float(np.mean([np.abs(one).mean() for one in found]))
            value = statistics.minimum_detectable_accuracy_difference(len(found[0]), discordance)
        else:
            errors = [statistics.mean_and_error(one)[1] for one in found]
            value = statistics.minimum_detectable_mean_difference(float(np.sqrt(np.mean(np.square(errors)))))
        detectable[benchmark, decoding] = value
    return detectable


def _require_same_problems(graded: Graded) -> None:
    """Paired comparisons need the same problems in every run."""
    first: dict[tuple[str, str], tuple[str, Outcomes]] = {}
    for (run, benchmark, decoding), outcomes in graded.items():
        other, expected = first.setdefault((benchmark, decoding), (run, outcomes))
        if outcomes.problems != expected.problems:
            raise InputError(
                f"{run} and {other} answered different problems of {benchmark}; delete the older one's completions "
                "of this benchmark to generate them anew."
            )
