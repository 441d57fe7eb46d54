"""How runs and pairs are called and drawn: short names, colours, what sets a run apart from its method's first."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lossgeometry.charts.palette import Colour, colours_of
from lossgeometry.files.rows import pair_id

DASHES: dict[str, tuple[int, ...]] = {
    "default": (1, 0),
    "seed": (6, 3),
    "learning_rate": (2, 2),
    "control": (1, 3),
    "edit": (8, 2, 1, 2),
    "snapshot": (4, 4),
}
"""What sets a run apart from the first run of its method: nothing, its seed, its learning rate; or what it is; its dash."""
OF_ORIGIN = {"derived": "edit"}
STEP = re.compile(r"\.t(\d+)$")
"""End of a snapshot's run id."""
MOST_WITHOUT_REFERENCE = 8
"""Pairs drawn as lines at first where none of them is with the reference."""


class Run(NamedTuple):
    """One adapter, as the page shows it."""

    id: str
    label: str
    """Method label, or the name of a user's adapter."""
    title: str
    """Of its method."""
    name: str
    """Short name, unique in the experiment."""
    arm: str
    dash: tuple[int, ...]
    """Of its lines: strokes and gaps."""
    colour: Colour


class Pair(NamedTuple):
    """Two adapters; the line of a pair is drawn in the colour of one method and its dots in the other's."""

    id: str
    a: str
    b: str
    name: str
    kind: str
    """`methods`, or for two runs of one method `seeds` or `learning_rates`."""
    line: Colour
    dot: Colour
    dash: tuple[int, ...]
    order: int
    """Its place among the pairs."""
    label: str
    """Method label of its first run."""
    tag: str
    """What sets it apart among pairs with the reference: the other run's name."""
    usual: bool
    """Whether it is drawn as a line where a reader has chosen nothing: it is with the reference, or of one method."""


def name_runs(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str], reference: str = "") -> list[Run]:
    """Return the runs in the order of runs.csv, under names such as `DPO at SFT's rate, seed 123`.

    Parameters
    ----------
    rows
        Lines of runs.csv: `run`, `method`, `learning_rate`, `seed`, `origin`, `control`.
    titles
        Title of every method label; a label without one is its own title.
    reference
        Label whose learning rate others are named after first.
    """
    colours = colours_of(row["method"] for row in rows)
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        first.setdefault(row["method"], row)
    rates = {label: float(row["learning_rate"]) for label, row in first.items() if label in titles}
    runs = []
    for row in rows:
        label, rate = row["method"], float(row["learning_rate"])
        title = _title(row, titles)
        name, arm = (
            title,
            "control" if _text(row.get("control")) else OF_ORIGIN.get(_text(row.get("origin")), "default"),
        )
        if rate != float(first[label]["learning_rate"]):
            name, arm = f"{name} at {_rate(rate, label, rates, titles, reference)}", "learning_rate"
        if str(row["seed"]) != str(first[label]["seed"]):
            _, _, order = str(row["seed"]).partition("-o")
            name = f"{name}, data order {order}" if order else f"{name}, seed {row['seed']}"
            arm = "seed" if arm == "default" else arm
        if step := STEP.search(row["run"]):
            name, arm = f"{name} after {step[1]} steps", "snapshot"
        runs.append(Run(row["run"], label, title, name, arm, DASHES[arm], colours[label]))
    return runs


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else ""


def _title(row: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Return a label's title; a control trained as a variant of a method is named by what was done to it."""
    label, control = row["method"], _text(row.get("control"))
    method = label.partition("@")[0]
    if control and method in titles:
        return f"{titles[method]}, {control}"
    return titles.get(label, label).replace("_", " ") if ": " in label else titles.get(label, label)


def _rate(rate: float, label: str, rates: Mapping[str, float], titles: Mapping[str, str], reference: str) -> str:
    """Return a learning rate in words: whose own it is, if it is the reference's or one other method's."""
    owners = [other for other, own in rates.items() if own == rate and other != label]
    if reference in owners or len(owners) == 1:
        return f"{titles[reference if reference in owners else owners[0]]}'s rate"
    return f"rate {rate:g}"


def name_pairs(pairs: Sequence[tuple[str, str]], runs: Mapping[str, Run], reference: str) -> list[Pair]:
    """Return the pairs in their order; the line of a pair with the reference method takes the other's colour."""
    named = []
    for order, (a, b) in enumerate(pairs):
        first, second = runs[a], runs[b]
        with_reference = reference in (first.label, second.label)
        other = next((run for run in (first, second) if run.label != reference), first)
        arm = next((run.arm for run in (first, second) if run.arm != "default"), "default")
        line, dot = (first, second) if second.label == reference != first.label else (second, first)
        kind = "methods"
        if first.label == second.label:
            kind = "learning_rates" if "learning_rate" in (first.arm, second.arm) else "seeds"
            name = f"{first.name} – {second.name.removeprefix(first.title).strip(' ,') or second.name}"
        else:
            name = f"{first.name} – {second.name}"
        tag = other.name if with_reference and kind == "methods" else name
        usual = with_reference or kind != "methods"
        colours = (line.colour, dot.colour)
        named.append(Pair(pair_id(a, b), a, b, name, kind, *colours, DASHES[arm], order, first.label, tag, usual))
    return named


def shown_first(pairs: Sequence[Pair], runs: Mapping[str, Run]) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs of default runs, and those of them that are drawn as lines, before a reader turns a control."""
    visible = [pair for pair in pairs if {runs[pair.a].arm, runs[pair.b].arm} == {"default"}]
    return visible, [pair for pair in visible if pair.usual] or visible[:MOST_WITHOUT_REFERENCE]
