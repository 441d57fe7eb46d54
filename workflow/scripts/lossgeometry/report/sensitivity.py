"""What a seed or a learning rate changes beside what the loss changes: pairs by the one thing that varies in them."""

import math

import pandas as pd

from lossgeometry.report.markdown import table

REFERENCE = "sft"
BARRIER = ("barrier", "barrier_low", "barrier_high", "barrier_verdict")
"""Height of the barrier, its interval and the verdict, as in `tables/barriers.csv`."""
VARIES = ("order", "initialisation", "seed", "learning rate", "hyper-parameter", "loss", "loss and learning rate")
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
    geometry: pd.DataFrame, barriers: pd.DataFrame | None = None, accuracy: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the pairs in which one thing varies, or the loss with its learning rate, in the order of `VARIES`.

    Parameters
    ----------
    geometry, barriers, accuracy
        The tables of these names; a stage that was not run leaves its columns undefined. Barriers are those of the
        first loss, accuracies the sampled ones of the first benchmark, or the greedy ones where nothing was sampled.

    Returns
    -------
    Columns `COLUMNS`. `norm_ratio` is that of b to a; the cosine to SFT is to the SFT run of the same seed at its first
    learning rate, and undefined where the two were not compared.
    """
    whole = geometry[geometry.scope == "global"]
    pairs = whole[whole.metric == "cosine"].copy()
    pairs["varies"] = [what_varies(row) for row in pairs.to_dict("records")]
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


def what_varies(pair: dict) -> str:
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


def sensitivity_summary(sensitivity: pd.DataFrame) -> str:
    """Return a section of Markdown from `tables/sensitivity.csv`; empty without a seed or learning rate to compare."""
    if not sensitivity.varies.isin(["order", "initialisation", "seed", "learning rate", "hyper-parameter"]).any():
        return ""
    parts = [
        "## Seeds and learning rates beside the loss",
        "",
        "The pairs of runs in which one thing varies. A loss matters only as far as its pairs are further apart than"
        " those of a seed or of a learning rate. Two initialisations share no A, so their cosine is low even where both"
        " learnt the same function: the barrier and the accuracy tell.",
        "",
        table(_by_what_varies(sensitivity), {"norm ratio": "{:.2f}", "pairs": "{:d}"}),
    ]
    matched = _matched(sensitivity)
    if len(matched):
        formats = {"cosine to SFT": "{:.3f}", "norm / SFT's": "{:.2f}", "rank": "{:.1f}", "rank of SFT": "{:.1f}"}
        formats |= {"barrier (95 %)": "{}", "accuracy": "{:.1%}", "accuracy of SFT": "{:.1%}"}
        text = "Losses that run at several learning rates, at one that they share with SFT:"
        parts += ["", text, "", table(matched, formats)]
    return "\n".join(parts)


def _by_what_varies(sensitivity: pd.DataFrame) -> pd.DataFrame:
    """Return one line per thing that varies: range of the cosine, typical norm ratio, barriers, change of accuracy."""
    lines = []
    for name in VARIES:
        rows = sensitivity[sensitivity.varies == name]
        if rows.empty:
            continue
        measured = rows.dropna(subset="barrier")
        ratio = rows.norm_ratio.where(rows.norm_ratio >= 1, 1 / rows.norm_ratio)
        change = (rows.accuracy_b - rows.accuracy_a).abs().max()
        lines.append(
            {
                "varies": name,
                "pairs": len(rows),
                "cosine: median (range)": (
                    f"{rows.cosine.median():.3f} ({rows.cosine.min():.3f} to {rows.cosine.max():.3f})"
                ),
                "norm ratio": ratio.median(),
                "highest barrier (95 %)": _largest_barrier(measured),
                "largest change of accuracy": "" if math.isnan(change) else f"{change:.1%}",
            }
        )
    return pd.DataFrame(lines)


def _largest_barrier(measured: pd.DataFrame) -> str:
    if measured.empty:
        return ""
    largest = measured.loc[measured.barrier.idxmax()]
    return f"{largest.barrier:.4f} ({largest.barrier_low:.4f} to {largest.barrier_high:.4f}): {largest.barrier_verdict}"


def _matched(sensitivity: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of other losses with several learning rates, beside the SFT run at the same rate."""
    shifted = {run for pair in ("run_a", "run_b") for run in sensitivity[sensitivity.varies == "learning rate"][pair]}
    rows = sensitivity[(sensitivity.varies == "loss") & sensitivity.run_a.str.startswith(f"{REFERENCE}.")]
    lines = []
    for row in rows[rows.run_b.isin(shifted)].itertuples():
        lines.append(
            {
                "run": row.run_b,
                "SFT run": row.run_a,
                "cosine to SFT": row.cosine,
                "norm / SFT's": row.norm_ratio,
                "rank": row.effective_rank_b,
                "rank of SFT": row.effective_rank_a,
                "barrier (95 %)": _largest_barrier(sensitivity.loc[[row.Index]].dropna(subset="barrier")),
                "accuracy": row.accuracy_b,
                "accuracy of SFT": row.accuracy_a,
            }
        )
    return pd.DataFrame(lines)
