"""What the summary says about the directions of the updates."""

import re
from collections.abc import Collection, Mapping

import pandas as pd

from lossgeometry.geometry import chance
from lossgeometry.geometry.beside import CANNOT_TELL
from lossgeometry.geometry.replicates_section import replicates_section
from lossgeometry.report.markdown import escape
from lossgeometry.report.runs_table import controls_of

_KEY, _SEED = r"methods\.\S+\.further_seeds", r"\{init: \d+, order: \d+\}"
"""How reasons name what would change them."""
_ANGLE = "first angle, output side (degrees)"


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    own = _section(frames["geometry"], controls_of(frames["runs"])) if "geometry" in frames else ""
    return "\n\n".join(filter(None, (own.rstrip("\n"), replicates_section(frames))))


def _section(geometry: pd.DataFrame, controls: Collection[str]) -> str:
    cosine = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")]
    first = geometry[
        (geometry.scope == "global") & (geometry.metric == "angle_first") & (geometry.side == "output")
    ].dropna(subset="value")
    first = first.sort_values("k").drop_duplicates(["run_a", "run_b"], keep="last").set_index(["run_a", "run_b"])
    runs = list(dict.fromkeys([*cosine.run_a, *cosine.run_b]))
    names = {run: escape(run) + " (control)" * (run in controls) for run in runs}
    values = {(row.run_a, row.run_b): row.value for row in cosine.itertuples()}
    lines = ["## Directions of the updates", "", "Cosine of the stacked updates dW, over all modules:", ""]
    lines += [f"| | {' | '.join(names.values())} |", "|---|" + "---|" * len(runs)]
    for a in runs:
        cells = ["1" if a == b else _signed(values.get((a, b), values.get((b, a)))) for b in runs]
        lines.append(f"| {names[a]} | {' | '.join(cells)} |")
    # Supplied adapters have controls and replicates only where the command was told of them.
    beside = bool(cosine.control.notna().any() or cosine.replicate.notna().any())
    heads = ["pair", "cosine", "chance", "control", "reshuffle", "further apart?", _ANGLE, "chance", "control"]
    kept = range(len(heads)) if beside else (0, 1, 2, 6, 7)
    explained = (
        "; the cosine of a control, trained on shuffled verdicts, with either run; and that of two runs which differ in the order"
        " of the data alone, with what follows: a pair is further apart than a reshuffle only where both methods have such a"
        " replicate"
    )
    text = "Every pair with its chance level (95 % of unrelated updates that read the same inputs)"
    lines += ["", f"{text}{explained if beside else ''}:", ""]
    lines += [f"| {' | '.join(heads[column] for column in kept)} |", "|" + "---|" * len(kept)]
    for row in cosine.itertuples():
        angle = first.loc[(row.run_a, row.run_b)] if (row.run_a, row.run_b) in first.index else None
        cells = [
            f"{names[row.run_a]} - {names[row.run_b]}",
            f"{row.value:.3f}",
            chance.band_text(row.null_mean, row.null_sd),
            _signed(row.control),
            "" if pd.isna(row.replicate) else f"{row.replicate:.3f} ({escape(row.replicate_of.replace(';', ' and '))})",
            "" if pd.isna(row.reshuffle) else row.reshuffle,
            "undefined" if angle is None else f"{angle.value:.1f}",
            "" if angle is None else chance.band_text(angle.null_mean, angle.null_sd),
            "" if angle is None else _signed(angle.control, 1),
        ]
        lines.append(f"| {' | '.join(cells[column] for column in kept)} |")
    return "\n".join([*lines, *_untold(cosine)])


def _untold(cosine: pd.DataFrame) -> list[str]:
    """Return why some pairs cannot be told from a reshuffle, and the keys that would change it: a paragraph, or nothing."""
    untold = cosine[cosine.reshuffle == CANNOT_TELL]
    if untold.empty:
        return []
    told = " ".join(untold.reshuffle_reason)
    keys, seeds = (sorted(set(re.findall(pattern, told))) for pattern in (_KEY, _SEED))
    others = sorted({reason for reason in untold.reshuffle_reason if not re.search(_KEY, reason)})
    cure = [f"add {' or '.join(seeds)} to {', '.join(keys)} (an order replicate of each method)"] if keys else []
    count = f"{len(untold)} of {len(cosine)} pairs cannot be told from a reshuffle"
    return ["", f"{count}: {escape('; '.join(cure + others))}."]


def _signed(value: float | None, digits: int = 3) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.{digits}f}"
