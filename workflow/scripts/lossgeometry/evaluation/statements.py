"""Which differences in accuracy are real: paired, in the most precise decoding, with what would have gone unseen."""

import pandas as pd

from lossgeometry.experiment.runs import BASE
from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import PROBLEMS, Finding, Frames, agreement, between, points, view
from lossgeometry.findings.names import Names

AGAINST_BASE = "does a loss change the base's accuracy"
BETWEEN_LOSSES = "do the losses differ"
DIFFERENT, EQUAL, CANNOT_TELL = "different", "equal", "cannot tell"
NOT_SHOWN = "other problems, other decoding, or other seeds: intervals are over problems, given the trained weights"


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `differences`: all losses against the base, each loss, and each two losses."""
    if "differences" not in frames:
        return []
    rows = frames["differences"]
    rows = rows[rows.most_precise & rows.run_b.isin([run for run in names.runs if names.compared(run)])]
    found = []
    for place, (benchmark, part) in enumerate(rows[rows.question == AGAINST_BASE].groupby("benchmark", sort=False)):
        part = part.assign(label=[names.runs[run].label for run in part.run_b])
        found.append(_against_base(str(benchmark), part, names, rank=6 * (place == 0)))
        found += [_of_one(str(benchmark), label, own, names) for label, own in part.groupby("label", sort=False)]
    for benchmark, part in rows[rows.question == BETWEEN_LOSSES].groupby("benchmark", sort=False):
        labels = [f"{names.runs[row.run_a].label}--{names.runs[row.run_b].label}" for row in part.itertuples()]
        found += [_of_two(str(benchmark), own, names) for _, own in part.groupby(labels, sort=False)]
    return found


def _against_base(benchmark: str, rows: pd.DataFrame, names: Names, rank: int) -> Finding:
    by_label = {label: own for label, own in rows.groupby("label", sort=False)}
    verdicts = {label: agreement(list(own.verdict))[0] for label, own in by_label.items()}
    real = sorted(
        (label for label, verdict in verdicts.items() if verdict == DIFFERENT),
        key=lambda label: -by_label[label].difference.mean(),
    )
    equal = [label for label, verdict in verdicts.items() if verdict == EQUAL]
    listed = ", ".join(f"{names.title(label)} {points(by_label[label].difference.mean())}" for label in real)
    margin, unseen = rows.margin.iloc[0], 100 * rows.smallest_difference.max()
    first = rows.iloc[0]
    text = f"Against the base on {benchmark} ({first.decoding}, {first.problems:.0f} problems), {len(real)} of"
    text += f" {len(by_label)} losses differ in every seed{', in points: ' * bool(real)}{listed}."
    if equal:
        text += f" Equal within {100 * margin:g} points in every seed: {', '.join(map(names.title, equal))}."
    rest = len(by_label) - len(real) - len(equal)
    if rest:
        text += (
            f" Of {rest} it cannot be told; a difference of {unseen:.1f} points would have been seen in any of them."
        )
    return Finding(
        id=f"accuracy.{benchmark}",
        question="Which differences in accuracy are real?",
        statement=text,
        value=by_label[real[0]].difference.mean() if real else float("nan"),
        low=by_label[real[0]].low.min() if real else float("nan"),
        high=by_label[real[0]].high.max() if real else float("nan"),
        interval=f"{PROBLEMS}, of all seeds together",
        unit="share of problems",
        chance=f"seen from {unseen:.1f} points on",
        seeds=rows.groupby("label").size().max(),
        agreeing=rows.groupby("label").size().max() if rest == 0 else 0,
        verdict=f"{len(real)} different, {len(equal)} equal, {rest} cannot tell",
        not_shown=NOT_SHOWN,
        section="accuracy",
        view=view(benchmark=benchmark, decoding=first.decoding),
        rank=rank,
    )


def _told(subject: str, benchmark: str, rows: pd.DataFrame) -> dict:
    """Return what the statements on one difference share: the text, the effect, the verdict."""
    verdict, agreeing = agreement(list(rows.verdict))
    first, mean = rows.iloc[0], rows.difference.mean()
    each = "; ".join(f"{points(row.difference)} ({between(row.low, row.high, points)})" for row in rows.itertuples())
    unseen = f"; a difference of {100 * rows.smallest_difference.max():.1f} points would have been seen"
    text = f"{subject} on {benchmark} ({first.decoding}), in points and seed by seed: {each}: {verdict}"
    return {
        "statement": f"{text}{unseen if verdict != DIFFERENT else ''}.",
        "value": mean,
        "low": rows.low.min(),
        "high": rows.high.max(),
        "interval": f"{PROBLEMS}, of all seeds together",
        "unit": "share of problems",
        "chance": f"equal within {100 * first.margin:g} points",
        "seeds": len(rows),
        "agreeing": agreeing,
        "verdict": verdict,
        "not_shown": NOT_SHOWN,
        "section": "accuracy",
    }


def _of_one(benchmark: str, label: object, rows: pd.DataFrame, names: Names) -> Finding:
    title = names.title(str(label))
    return Finding(
        id=f"accuracy.{benchmark}.{label}",
        question=f"Does {title} change the accuracy on {benchmark}?",
        view=view(benchmark=benchmark, decoding=rows.decoding.iloc[0]),
        pair=pair_id(BASE, str(label)),
        **_told(f"{title} less the base", benchmark, rows),
    )


def _of_two(benchmark: str, rows: pd.DataFrame, names: Names) -> Finding:
    a, b = (names.runs[rows[end].iloc[0]] for end in ("run_a", "run_b"))
    return Finding(
        id=f"accuracy.{benchmark}.{pair_id(a.label, b.label)}",
        question=f"Do {a.title} and {b.title} differ in accuracy on {benchmark}?",
        view=view(benchmark=benchmark, decoding=rows.decoding.iloc[0], focus=pair_id(a.id, b.id)),
        pair=pair_id(a.label, b.label),
        **_told(f"{b.title} less {a.title}", benchmark, rows),
    )
