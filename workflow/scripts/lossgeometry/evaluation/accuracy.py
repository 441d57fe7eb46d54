"""The tables of accuracies, of their paired differences, and of what several samples or seeds tell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lossgeometry.evaluation import statistics
from lossgeometry.evaluation.across_seeds import across_seeds_table
from lossgeometry.evaluation.contamination import overlapping_ids
from lossgeometry.evaluation.differences import Graded, differences_table, mcnemar_table
from lossgeometry.evaluation.intervals import clustered, few_problems, wilson
from lossgeometry.evaluation.outcomes import Outcomes, read_graded
from lossgeometry.evaluation.pass_curves import pass_table
from lossgeometry.evaluation.questions import questions
from lossgeometry.experiment.runs import BASE, Run
from lossgeometry.files.csv_rows import write_frame

MOST_TRUNCATED = 0.01
FEW_PROBLEMS = 100
"""Below this many problems, sampled accuracies take the beta-binomial interval."""

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
    "conditional_on",
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
    "problems_without_overlap",
    "accuracy_without_overlap",
    "low_without_overlap",
    "high_without_overlap",
    "note",
]


def tabulate_accuracy(
    runs: Sequence[Run],
    benchmarks: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    margin: float,
    evaluation: Path,
    contamination: Path | None,
    outputs: Mapping[str, Path],
) -> None:
    """Write the tables from the graded answers below `evaluation`.

    Parameters
    ----------
    runs, pairs
        All runs but the base, and the pairs of ids that are compared.
    contamination
        tables/contamination.csv; None where nothing was trained here.
    outputs
        Paths of accuracy, differences, mcnemar, pass_at_k and across_seeds.
    """
    graded = read_graded(evaluation, [BASE, *(run.id for run in runs)], benchmarks)
    differences = differences_table(graded, questions(runs, pairs), margin)
    tables = {
        "accuracy": accuracy_table(graded, differences, overlapping_ids(contamination) if contamination else {}),
        "differences": differences,
        "mcnemar": mcnemar_table(differences),
        "pass_at_k": pass_table(graded),
        "across_seeds": across_seeds_table(graded, runs),
    }
    for row in tables["accuracy"][tables["accuracy"].truncation_flag].itertuples():
        print(
            f"WARNING: {row.run} on {row.benchmark} ({row.decoding}): {100 * row.truncation_rate:.1f} % of the "
            "completions were cut; their accuracy reads too low. Raise evaluation.sampling.max_new_tokens."
        )
    for name, table in tables.items():
        write_frame(outputs[name], table)


def accuracy_table(graded: Graded, differences: pd.DataFrame, overlap: Mapping[str, frozenset[str]]) -> pd.DataFrame:
    """One row per run, benchmark and decoding; columns `ACCURACY_COLUMNS`.

    Single answers carry Wilson's interval. Several samples (avg@k) carry a beta-binomial interval below `FEW_PROBLEMS`
    problems, else Wilson's for the effective number of trials, problems being clusters. All are conditional on the trained
    weights. `minimum_detectable_difference` and the difference are those of the paired comparison with the base.

    Parameters
    ----------
    differences
        The table of `differences_table`, with every run's comparison with the base.
    overlap
        Ids of the problems that overlap with the training prompts, by benchmark; the columns without overlap are undefined
        where a benchmark is not named.
    """
    own = differences[(differences.run_a == BASE) & ~differences.question.str.startswith("the paper's")]
    to_base = {(row.run_b, row.benchmark, row.decoding): row for row in own.itertuples()}
    rows = []
    for (run, benchmark, decoding), outcomes in graded.items():
        problems, samples = outcomes.correct.shape
        row = {"run": run, "benchmark": benchmark, "decoding": decoding, "problems": problems, "samples": samples}
        row |= _accuracy(outcomes.correct) | _rates(outcomes) | {"conditional_on": "the trained weights"}
        if samples > 1:
            row["pass_at_k"] = statistics.pass_at_k(outcomes.correct, samples).mean()
        if (run, benchmark, decoding) in to_base:
            found = to_base[run, benchmark, decoding]
            row |= {"minimum_detectable_difference": found.smallest_difference, "difference_to_base": found.difference}
            row |= {"difference_low": found.low, "difference_high": found.high}
        if benchmark in overlap:
            row |= _without(outcomes, overlap[benchmark])
        rows.append(row)
    return pd.DataFrame(rows, columns=ACCURACY_COLUMNS)


def _accuracy(correct: np.ndarray) -> dict[str, Any]:
    mean, error = statistics.average_at_k(correct)
    if correct.shape[1] == 1:
        name, (low, high) = "wilson", wilson(correct.mean(), correct.size)
    elif len(correct) < FEW_PROBLEMS:
        name, (low, high) = "beta-binomial", few_problems(correct.sum(axis=1), correct.shape[1])
    else:
        name, (low, high) = "clustered wilson", clustered(correct.mean(axis=1))
    return {"accuracy": mean, "low": low, "high": high, "interval": name, "standard_error": error}


def _without(outcomes: Outcomes, overlap: frozenset[str]) -> dict[str, Any]:
    """The accuracy on the problems that share nothing with the training prompts."""
    clean = outcomes.correct[[problem not in overlap for problem in outcomes.problems]]
    row: dict[str, Any] = {"problems_without_overlap": len(clean)}
    if len(clean):
        found = _accuracy(clean)
        row |= {f"{name}_without_overlap": found[name] for name in ("accuracy", "low", "high")}
    return row


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
