"""What the summary says about the directions of the updates."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.geometry import chance


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["geometry"]) if "geometry" in frames else ""


def in_short(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the findings in short."""
    return _short(frames["geometry"]) if "geometry" in frames else []


def _section(geometry: pd.DataFrame) -> str:
    cosine = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")]
    first = geometry[
        (geometry.scope == "global") & (geometry.metric == "angle_first") & (geometry.side == "output")
    ].dropna(subset="value")
    first = first.sort_values("k").drop_duplicates(["run_a", "run_b"], keep="last").set_index(["run_a", "run_b"])
    runs = list(dict.fromkeys([*cosine.run_a, *cosine.run_b]))
    values = {(row.run_a, row.run_b): row.value for row in cosine.itertuples()}
    lines = ["## Directions of the updates", "", "Cosine of the stacked updates dW, over all modules:", ""]
    lines += [f"| | {' | '.join(runs)} |", "|---|" + "---|" * len(runs)]
    for a in runs:
        cells = ["1" if a == b else _signed(values.get((a, b), values.get((b, a)))) for b in runs]
        lines.append(f"| {a} | {' | '.join(cells)} |")
    lines += [
        "",
        "Every pair with its chance level (95 % of unrelated updates of the same shape: mean ± 1.96 standard deviations):",
        "",
    ]
    lines += ["| pair | cosine | chance | first angle, output side (degrees) | chance |", "|---|---|---|---|---|"]
    for row in cosine.itertuples():
        angle = first.loc[(row.run_a, row.run_b)] if (row.run_a, row.run_b) in first.index else None
        shown = (
            f"{angle.value:.1f} | {angle.null_mean:.1f} ± {chance.WIDTH * angle.null_sd:.1f}"
            if angle is not None
            else "undefined | "
        )
        lines.append(
            f"| {row.run_a} - {row.run_b} | {row.value:.3f} | {row.null_mean:.3f} ± {chance.WIDTH * row.null_sd:.3f} | {shown} |"
        )
    return "\n".join(lines)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _short(geometry: pd.DataFrame) -> list[str]:
    cosine = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")].dropna(subset="value")
    if cosine.empty:
        return []
    ranked = cosine.sort_values("value", ascending=False, kind="stable")
    inside = int((cosine.verdict == chance.INSIDE).sum())

    def said(row: pd.Series) -> str:
        band = f"{row.null_mean:.3f} ± {chance.WIDTH * row.null_sd:.3f}"
        return f"{row.run_a} and {row.run_b}, cosine {row.value:.3f} (chance {band})"

    text = f"**Direction**: most alike are {said(ranked.iloc[0])}"
    if len(ranked) > 1:
        text += f"; least {said(ranked.iloc[-1])}; {inside} of {len(ranked)} pairs are no more alike than chance"
    return [text]
