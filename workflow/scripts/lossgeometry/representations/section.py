"""What the summary says about hidden states."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.geometry.chance import band_text

HEADINGS = {
    "debiased": "CKA",
    "debiased_standardised": "CKA, standardised",
    "biased_prompts": "CKA, biased, prompts",
    "relative_residual": "relative residual",
    "shift_cosine": "cosine of shifts",
}


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["cka"]) if "cka" in frames else ""


def _section(cka: pd.DataFrame) -> str:
    """Return a section of Markdown.

    Parameters
    ----------
    cka
        `tables/cka.csv`: one row per pair, layer and estimator.
    """
    last = cka[cka["layer"] == cka["layer"].max()]
    estimators = [name for name in HEADINGS if name in set(cka["estimator"])]
    lines = [
        "## Representations",
        "",
        "Hidden states after the last block, on the same held-out solutions, with 95 % intervals over sequences, and"
        " the layer where the debiased CKA is lowest. CKA is debiased unless it says otherwise. Two models with one"
        " base have a high CKA because of that base: the residual and the cosine of their shifts from it are not blind"
        " to it. After a semicolon: the same between a control, trained on shuffled verdicts, and either run.",
        "",
        *_chance(last),
        f"| pair | {' | '.join(HEADINGS[name] for name in estimators)} | lowest CKA |",
        f"|---|{'---|' * len(estimators)}---|",
    ]
    for (a, b), rows in last.groupby(["run_a", "run_b"], sort=False):
        cells = [_cell(rows[rows["estimator"] == name].iloc[0]) for name in estimators]
        lines.append(f"| {a} - {b} | {' | '.join(cells)} | {_lowest(cka[(cka['run_a'] == a) & (cka['run_b'] == b)])} |")
    return "\n".join(lines)


def _chance(last: pd.DataFrame) -> list[str]:
    """Return what unrelated shifts read, where that was measured."""
    levels = last[(last["estimator"] == "shift_cosine") & last["null_sd"].notna()]
    if levels.empty:
        return []
    band = band_text(*levels.iloc[0][["null_mean", "null_sd"]])
    return [f"Random directions in place of a trained update: a cosine of shifts of {band} (95 %).", ""]


def _cell(row: pd.Series) -> str:
    if pd.isna(row["value"]):
        return f"undefined: {row['note']}"
    text = f"{row['value']:.4f} ({row['low']:.4f}, {row['high']:.4f})"
    return text if pd.isna(row["control"]) else f"{text}; {row['control']:.4f}"


def _lowest(rows: pd.DataFrame) -> str:
    debiased = rows[rows["estimator"] == "debiased"].dropna(subset="value")
    if debiased.empty:
        return "not measured"
    row = debiased.loc[debiased["value"].idxmin()]
    return f"{row['value']:.4f} in layer {row['layer']}"
