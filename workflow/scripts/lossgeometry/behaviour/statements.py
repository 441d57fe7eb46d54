"""How far each loss moves what is written."""

import pandas as pd

from lossgeometry.findings.finding import PROBLEMS, SEEDS, Finding, Frames, between, over_seeds, small, view
from lossgeometry.findings.names import Names
from lossgeometry.geometry.shape_statements import by_method, ends_of


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `behaviour`: the KL from the base, on the base's own answers, of the losses at their own rates."""
    if "behaviour" not in frames:
        return []
    rows = frames["behaviour"]
    rows = rows[(rows.measure == "kl_base_run") & (rows.text == "base") & (rows.part == "all")].dropna(subset="value")
    rows = rows[[names.compared(run) is not None for run in rows.run]]
    if rows.empty:
        return []
    labels = [names.runs[run].label for run in rows.run]
    means = rows.groupby(labels, sort=False).value.mean()
    far, near = str(means.idxmax()), str(means.idxmin())
    of_far = rows[[label == far for label in labels]]
    of_near = rows[[label == near for label in labels]]
    text = f"At its own learning rate {names.title(far)} moves what is written furthest, by a KL of {small(means.max())} nats"
    text += f" per token{over_seeds(list(of_far.value), small)}"
    if far != near:
        text += f"; least {names.title(near)}, {small(means.min())}{over_seeds(list(of_near.value), small)}"
    one = len(of_far) == 1
    return [
        *_reach(frames, rows, names),
        Finding(
            id="kl",
            question="How far does each loss move what is written?",
            statement=f"{text}. Read on the base's own answers, over the whole vocabulary; the base against itself has 0.",
            value=means.max(),
            low=of_far.low.min(),
            high=of_far.high.max(),
            interval=PROBLEMS if one else f"{PROBLEMS}, of all seeds together",
            unit="nats per token",
            chance="0: the base against itself",
            seeds=len(of_far),
            agreeing=len(of_far),
            verdict=f"{between(means.min(), means.max(), small)} over {len(means)} losses",
            not_shown="which loss would move it further at one learning rate, norm or number of passes",
            section="behaviour",
            view=view(measure="kl_base_run"),
        ),
    ]


def _reach(frames: Frames, rows: pd.DataFrame, names: Names) -> list[Finding]:
    """Return which loss moves what is written most for the length of its update: KL over squared norm."""
    if "geometry" not in frames:
        return []
    whole = frames["geometry"]
    norms = by_method(whole[whole.scope == "global"], "norm", names).set_index("run")
    norms = norms[norms.value > 0]  # a run that never moved has no reach
    both = rows[rows.run.isin(norms.index)]
    both = both.assign(label=[norms.label[run] for run in both.run])
    both = both.assign(value=both.value / [norms.value[run] ** 2 for run in both.run])
    groups = both.groupby("label", sort=False).value
    if len(groups) < 2:
        return []
    means = groups.mean()
    far = groups.get_group(means.idxmax())
    return [
        Finding(
            id="reach",
            question="Which loss moves what is written most for the length of its update?",
            statement=f"KL from the base over the squared norm of the update: most {ends_of(groups, names, small)} nats per token"
            " and unit of squared norm.",
            value=means.max() / means.min(),
            low=far.min() / means.min(),
            high=far.max() / means.min(),
            interval=f"{SEEDS} of the most",
            unit="most over least",
            seeds=len(far),
            agreeing=len(far),
            verdict=f"most {names.title(str(means.idxmax()))}, least {names.title(str(means.idxmin()))}",
            not_shown="what a longer update of the same direction does: KL need not grow with the square",
            section="plane",
        )
    ]
