"""What a seed or a learning rate changes beside what the loss changes: pairs by the one thing that varies in them."""

import math
from collections.abc import Collection

import pandas as pd

REFERENCE = "sft"
BARRIER = ("barrier", "barrier_low", "barrier_high", "barrier_verdict")
"""Height of the barrier, its interval and the verdict, as in `tables/barriers.csv`."""
VARIES = (
    "order",
    "initialisation",
    "seed",
    "learning rate",
    "hyper-parameter",
    "control",
    "loss",
    "loss and learning rate",
)
COLUMNS = [
    "varies",
    "run_a",
    "run_b",
    "cosine",
    "cosine_chance",
    "cosine_chance_sd",
    "norm_a",
    "norm_b",
    "norm_ratio",
    "effective_rank_a",
    "effective_rank_b",
    "cosine_to_sft_a",
    "cosine_to_sft_b",
    *BARRIER,
    "benchmark",
    "accuracy_a",
    "accuracy_b",
]


def sensitivity_table(
    geometry: pd.DataFrame,
    barriers: pd.DataFrame | None = None,
    accuracy: pd.DataFrame | None = None,
    controls: Collection[str] = (),
) -> pd.DataFrame:
    """Return the pairs in which one thing varies, or the loss with its learning rate, in the order of `VARIES`.

    Parameters
    ----------
    geometry, barriers, accuracy
        The tables of these names; a stage that was not run leaves its columns undefined. Barriers are those of the
        first loss, accuracies the sampled ones of the first benchmark, or the greedy ones where nothing was sampled.
    controls
        Labels of methods that are controls: their distance from a loss is not that of two losses.

    Returns
    -------
    Columns `COLUMNS`. `norm_ratio` is that of b to a; the cosine to SFT is to the SFT run of the same seed at its first
    learning rate, and undefined where the two were not compared.
    """
    whole = geometry[geometry.scope == "global"]
    pairs = whole[whole.metric == "cosine"].copy()
    pairs["varies"] = [what_varies(row, controls) for row in pairs.to_dict("records")]
    pairs = pairs[pairs.varies.isin(VARIES)]
    place = pairs.varies.map({name: number for number, name in enumerate(VARIES)})
    pairs = pairs.iloc[place.argsort(kind="stable")]
    values = {
        (row.run_a, row.run_b, row.metric): row.value
        for row in whole[whole.metric.str.match(r"(norm|effective_rank)_[ab]$|cosine$")].itertuples()
    }
    references = _reference_runs(whole)
    solved, benchmark = _accuracies(accuracy)
    crossed = _barriers(barriers)
    rows = []
    for pair in pairs.itertuples():
        row = {"varies": pair.varies, "run_a": pair.run_a, "run_b": pair.run_b, "cosine": pair.value}
        row |= {"cosine_chance": pair.null_mean, "cosine_chance_sd": pair.null_sd, "benchmark": benchmark}
        for side, run, seed in (("a", pair.run_a, pair.seed_a), ("b", pair.run_b, pair.seed_b)):
            for metric in ("norm", "effective_rank"):
                row[f"{metric}_{side}"] = values.get((pair.run_a, pair.run_b, f"{metric}_{side}"), math.nan)
            row[f"cosine_to_sft_{side}"] = _cosine(values, run, references.get(str(seed)))
            row[f"accuracy_{side}"] = solved.get(run, math.nan)
        row["norm_ratio"] = row["norm_b"] / row["norm_a"] if row["norm_a"] else math.nan
        row |= dict(
            zip(BARRIER, crossed.get((pair.run_a, pair.run_b), (math.nan, math.nan, math.nan, "")), strict=True)
        )
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def what_varies(pair: dict, controls: Collection[str] = ()) -> str:
    """Return which of `VARIES` tells two runs apart; empty if more than that does, or for a user's adapter.

    Parameters
    ----------
    pair
        `method`, `learning_rate` and `seed` of both runs, with `_a` and `_b`.
    """
    labels = pair["method_a"], pair["method_b"]
    rates = pair["learning_rate_a"], pair["learning_rate_b"]
    if not all(rate > 0 for rate in rates):
        return ""
    (init_a, order_a), (init_b, order_b) = (_seeds(pair["seed_a"]), _seeds(pair["seed_b"]))
    if set(labels) & set(controls):
        alike = labels[0] != labels[1] and rates[0] == rates[1] and (init_a, order_a) == (init_b, order_b)
        return "control" if alike else ""
    if (init_a, order_a) != (init_b, order_b):
        if labels[0] != labels[1] or rates[0] != rates[1]:
            return ""
        return "order" if init_a == init_b else "initialisation" if order_a == order_b else "seed"
    if labels[0] == labels[1]:
        return "learning rate"
    if labels[0].partition("@")[0] == labels[1].partition("@")[0]:
        return "hyper-parameter" if rates[0] == rates[1] else ""
    return "loss" if rates[0] == rates[1] else "loss and learning rate"


def _seeds(seed: object) -> tuple[str, str]:
    """Return the seeds of the initialisation and of the data order, from the way a run id writes them."""
    init, _, order = str(seed).partition("-o")
    return init, order or init


def _reference_runs(whole: pd.DataFrame) -> dict[str, str]:
    """Return the first SFT run of every seed, by the seed as it is written."""
    found: dict[str, str] = {}
    for side in "ab":
        rows = whole[whole[f"method_{side}"] == REFERENCE]
        for run, seed in zip(rows[f"run_{side}"], rows[f"seed_{side}"], strict=True):
            found.setdefault(str(seed), run)
    return found


def _cosine(values: dict[tuple[str, str, str], float], run: str, reference: str | None) -> float:
    if run == reference:
        return 1.0
    if reference is None:
        return math.nan
    return values.get((reference, run, "cosine"), values.get((run, reference, "cosine"), math.nan))


def _barriers(barriers: pd.DataFrame | None) -> dict[tuple[str, str], tuple[float, float, float, str]]:
    if barriers is None or barriers.empty:
        return {}
    rows = barriers[barriers.loss == barriers.loss.iloc[0]]
    return {
        (row.run_a, row.run_b): (row.difference, row.difference_low, row.difference_high, row.verdict)
        for row in rows.itertuples()
    }


def _accuracies(accuracy: pd.DataFrame | None) -> tuple[dict[str, float], str]:
    if accuracy is None or accuracy.empty:
        return {}, ""
    decoding = "sampled" if (accuracy.decoding == "sampled").any() else "greedy"
    rows = accuracy[(accuracy.decoding == decoding) & (accuracy.benchmark == accuracy.benchmark.iloc[0])]
    return dict(zip(rows.run, rows.accuracy, strict=True)), f"{rows.benchmark.iloc[0]}, {decoding}"
