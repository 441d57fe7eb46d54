"""What several edits say together: direction or size, a part and the rest of an update, random directions."""

from collections.abc import Iterator

import pandas as pd

from lossgeometry.edits.crossed import CELL, DIRECTIONS, NORMS
from lossgeometry.evaluation.differences import CANNOT_TELL, DIFFERENT, EQUAL
from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import PROBLEMS, Finding, Frames, between, counted, decimal, points, view
from lossgeometry.findings.names import Names

ONE_RUN = "how edits of another seed would do: edits are made of one run each"
OPPOSITE = {"yes": "no", "no": "yes", CANNOT_TELL: CANNOT_TELL}
VERDICTS = (DIFFERENT, EQUAL, CANNOT_TELL)


def direction_or_size(frames: Frames, names: Names) -> Iterator[Finding]:
    """Yield, for each benchmark, how far apart directions are at one norm, and norms in one direction."""
    if "direction_by_norm" not in frames:
        return
    table = frames["direction_by_norm"]
    for benchmark, rows in table[table.most_precise].groupby("benchmark", sort=False):
        own = rows[rows.question == CELL].set_index("run_b")
        by_question = {name: rows[rows.question == name].dropna(subset="difference") for name in (DIRECTIONS, NORMS)}
        if any(part.empty for part in by_question.values()):
            continue
        told, matters = [], []
        for question, part in by_question.items():
            most = part.loc[part.difference.abs().idxmax()]
            a, b = own.loc[most.run_a], own.loc[most.run_b]
            if question == DIRECTIONS:
                what = f"At one norm, directions differ by up to {_change(most)}: {names(b.direction)} less {names(a.direction)}"
                what += f" at the norm of {names(most.norm_of)}"
            else:
                what = f"One direction changes with its norm by up to {_change(most)}: {names(most.direction)} at the norm of"
                what += f" {names(b.norm_of)} less that at the norm of {names(a.norm_of)}"
            told.append(f"{what}. Of {len(part)} pairs, {counted(list(part.verdict), VERDICTS)}")
            matters.append(_matters(set(part.verdict)))
        most = by_question[DIRECTIONS].loc[by_question[DIRECTIONS].difference.abs().idxmax()]
        yield Finding(
            id=f"edit.{benchmark}.direction-or-size",
            question="Is it the direction of an update or its size that changes what is solved?",
            statement=f"Of {own.direction.nunique()} directions at {own.norm_of.nunique()} norms, on {benchmark}"
            f" ({own.decoding.iloc[0]}). {'. '.join(told)}.",
            value=most.difference,
            low=most.low,
            high=most.high,
            interval=PROBLEMS,
            unit="share of problems",
            chance=f"equal within {100 * most.margin:g} points",
            verdict=f"direction: {matters[0]}; size: {matters[1]}",
            not_shown=f"{ONE_RUN}; the largest of several differences is named",
            section="direction_by_norm",
            view=view(benchmark=benchmark),
        )


def parts_of_updates(effects: pd.DataFrame, made: pd.DataFrame, names: Names) -> Iterator[Finding]:
    """Yield, for each update that was split along another, whether that part is enough for its effect, and whether it is needed.

    Parameters
    ----------
    effects
        `edit_effects` in the most precise decoding.
    made
        `edits`.
    """
    verb = made.operation.str.split(n=1, expand=True).reindex(columns=[0, 1])
    made = made.assign(verb=verb[0], other=verb[1])
    along, rest = (made[made.verb == name] for name in ("project", "reject"))
    for split in along.merge(rest, on=["parent", "other"], suffixes=("", "_rest")).itertuples():
        for benchmark, rows in effects.groupby("benchmark", sort=False):
            beside = rows.set_index(["question", "run_b"])
            runs = (split.run, split.run_rest)
            if all(("edits against parent", run) in beside.index for run in runs):
                yield _of_part(split, str(benchmark), beside, made, names)


def _of_part(split, benchmark: str, beside: pd.DataFrame, made: pd.DataFrame, names: Names) -> Finding:
    base, parent = (beside.loc[f"edits against {name}"] for name in ("base", "parent"))
    part, rest = parent.loc[split.run], parent.loc[split.run_rest]
    effect = base.loc[split.run].difference - part.difference
    whole, other = names(split.parent), _called(split.other, names)
    told = [
        f"{whole} changes the base's accuracy on {benchmark} by {points(effect)} points. Its part along {other}"
        f" ({decimal(split.norm_share, 2)} of its norm) alone: {_change(base.loc[split.run])}{_kept(part)}. The rest without"
        f" it ({decimal(split.norm_share_rest, 2)} of the norm): {_change(base.loc[split.run_rest])}{_kept(rest)}"
    ]
    for run, called in ((split.run, "that part"), (split.run_rest, "the rest")):
        for scaled in made[(made.verb == "to_norm_of") & (made.parent == run)].itertuples():
            told.append(f"At the norm of {_called(scaled.other, names)}, {called}: {_change(base.loc[scaled.run])}")
        if ("edits against random directions", run) in beside.index:
            control = beside.loc[("edits against random directions", run)]
            told.append(f"Less random directions of its singular values, {called}: {_change(control)}")
    (enough, why_enough), (needed, why_needed) = _keeps(part, effect), _keeps(rest, effect)
    verdict = f"enough: {enough}; needed: {OPPOSITE[needed]}"
    told.append(f"Is the part along {other} enough? {enough.capitalize()}{why_enough}. Is it needed?")
    told[-1] += f" {OPPOSITE[needed].capitalize()}{why_needed}"
    return Finding(
        id=f"edit.{benchmark}.part-of-{split.parent}-along-{split.other}",
        question=f"What does the part of {whole} along {other} carry?",
        statement=f"{'. '.join(told)}.",
        value=part.kept_share,
        low=part.kept_low,
        high=part.kept_high,
        interval="95 %, Fieller's, over problems",
        unit="share of the change of the whole update",
        chance=f"1: as the whole, 0: as the base; enough: less than {100 * part.margin:g} points are lost",
        verdict=verdict,
        not_shown=ONE_RUN,
        section="edits",
        view=view(benchmark=benchmark),
        pair=pair_id(split.parent, split.run),
    )


def random_directions(effects: pd.DataFrame) -> Iterator[Finding]:
    """Yield, for each benchmark, what random directions with the singular values of edits do."""
    for benchmark, rows in effects.groupby("benchmark", sort=False):
        drawn = rows[rows.question == "random directions against base"]
        if drawn.empty:
            continue
        most = drawn.loc[drawn.difference.abs().idxmax()]
        less = rows[rows.question == "edits against random directions"]
        yield Finding(
            id=f"edit.{benchmark}.random-directions",
            question="Does an update of the same size in random directions do anything?",
            statement=f"Random directions with the singular values of {len(drawn)} edit{'s' * (len(drawn) > 1)} change the"
            f" base's accuracy on {benchmark} by at most {_change(most)}: {counted(list(drawn.verdict), VERDICTS)}. The edits"
            f" less theirs: {counted(list(less.verdict), VERDICTS)}.",
            value=most.difference,
            low=most.low,
            high=most.high,
            interval=PROBLEMS,
            unit="share of problems",
            chance=f"seen from {100 * most.smallest_difference:.1f} points on",
            verdict=counted(list(drawn.verdict), VERDICTS),
            not_shown="other draws: each edit has one",
            section="edits",
            view=view(benchmark=benchmark),
        )


def _change(row) -> str:
    return f"{points(row.difference)} points ({between(row.low, row.high, points)}; {row.verdict})"


def _kept(row) -> str:
    if pd.isna(row.kept_share):
        return ""
    return f", {_percent(row.kept_share)} of it ({_percent(row.kept_low)} to {_percent(row.kept_high)})"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("-", "\N{MINUS SIGN}").replace("%", " %")


def _matters(verdicts: set[str]) -> str:
    return "matters" if DIFFERENT in verdicts else "does not matter" if verdicts == {EQUAL} else CANNOT_TELL


def _keeps(row, effect: float) -> tuple[str, str]:
    """Return whether an edit has the effect of the whole update but for less than the margin, and why one cannot tell.

    One-sided: an edit that does more has it too.
    """
    least = row.low if effect > 0 else -row.high
    if not pd.isna(row.kept_share):
        if least > -row.margin:
            return "yes", ""
        if row.verdict == DIFFERENT and row.difference * effect < 0:
            return "no", ""
    return CANNOT_TELL, f" ({row.note if pd.isna(row.kept_share) else row.reason})"


def _called(name: str, names: Names) -> str:
    """Return the name of what an operation names: a run, or a method for its first run."""
    return names(name) if name in names.runs else names.title(name)
