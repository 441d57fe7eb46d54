"""A pair's geometry in a few lines of text, every similarity beside its chance level."""

import math
from collections.abc import Iterable

from lossgeometry.geometry.chance import WIDTH, verdicts
from lossgeometry.geometry.scopes import Row

_SHOWN = (
    ("cosine", "none", "cosine of the stacked updates"),
    ("gram_alignment", "output", "alignment of output Grams"),
    ("gram_alignment", "input", "alignment of input Grams"),
    ("angle_first", "output", "first angle, output side (degrees)"),
    ("angle_last", "output", "last angle, output side (degrees)"),
    ("angle_first", "input", "first angle, input side (degrees)"),
    ("angle_last", "input", "last angle, input side (degrees)"),
    ("top_direction", "output", "top direction, output side"),
    ("top_direction", "input", "top direction, input side"),
    ("orthogonal_fraction", "none", "orthogonal fraction"),
)
# Input sides that agree this many times more than chance allows point to a shared initialisation.
_SUSPECT = 5
_OWN = (("norm", "norm"), ("effective_rank", "effective rank"), ("stable_rank", "stable rank"))


def overview(rows: Iterable[Row], names: tuple[str, str], shared_init: bool) -> str:
    """Return the global values of a pair as text, and what could not be compared."""
    rows = list(rows)
    # The largest k comes last; an undefined value never replaces a defined one.
    whole = [row for row in rows if row.scope == "global"]
    top = {(row.metric, row.side): row for row in sorted(whole, key=lambda row: not math.isnan(row.value))}
    title = (
        f"{names[0]} and {names[1]}, {sum(row.metric == 'norm_a' and row.scope == 'module' for row in rows)} modules"
    )
    lines = [f"{title}, {top['angle_first', 'output'].k} directions", f"{'':36} {'value':>10}  chance (95 %)"]
    for metric, side, label in _SHOWN:
        row = top[metric, side]
        verdict = verdicts(row.value, row.null_mean, row.null_sd)
        lines.append(f"{label:36} {row.value:10.4f}  {row.null_mean:.4f} ± {WIDTH * row.null_sd:.4f}  {verdict}")
    for metric, label in _OWN:
        lines.append(f"{label:36} {top[metric + '_a', 'none'].value:10.4f}  and {top[metric + '_b', 'none'].value:.4f}")
    inputs = top["gram_alignment", "input"]
    if not shared_init and inputs.value > _SUSPECT * inputs.null_mean:
        lines.append(
            "The inputs agree far beyond chance. If both started from one A, the chance levels must know: shared init."
        )
    missing = [
        f"  {row.module}: {row.note}" for row in rows if row.scope == "module" and row.metric == "cosine" and row.note
    ]
    if missing:
        lines += [f"{len(missing)} modules are not compared:", *missing]
    return "\n".join(lines)
