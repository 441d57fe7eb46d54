"""How runs and pairs are called and drawn: short names, colours, what sets a run apart from its method's first."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lossgeometry.charts.palette import Colour, colours_of

ARMS = ("default", "seed", "learning_rate")
"""What sets a run apart from the first run of its method: nothing, its seed, its learning rate."""


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


def name_runs(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> list[Run]:
    """Return the runs in the order of runs.csv.

    Parameters
    ----------
    rows
        Lines of runs.csv: `run`, `method`, `learning_rate`, `seed`.
    titles
        Title of every method label; a label without one is its own title.
    """
    colours = colours_of(row["method"] for row in rows)
    first: dict[str, Mapping[str, Any]] = {}
    runs = []
    for row in rows:
        label = row["method"]
        default = first.setdefault(label, row)
        name, arm = titles.get(label, label), "default"
        if float(row["learning_rate"]) != float(default["learning_rate"]):
            name, arm = f"{name} lr {float(row['learning_rate']):g}", "learning_rate"
        if str(row["seed"]) != str(default["seed"]):
            name, arm = f"{name} s{row['seed']}", "seed" if arm == "default" else arm
        runs.append(Run(row["run"], label, titles.get(label, label), name, arm, colours[label]))
    return runs


def name_pairs(pairs: Sequence[tuple[str, str]], runs: Mapping[str, Run], reference: str) -> list[Pair]:
    """Return the pairs in their order; the line of a pair with the reference method takes the other's colour."""
    named = []
    for a, b in pairs:
        first, second = runs[a], runs[b]
        line, dot = (first, second) if second.label == reference != first.label else (second, first)
        kind = "methods"
        if first.label == second.label:
            kind = "learning_rates" if "learning_rate" in (first.arm, second.arm) else "seeds"
            name = f"{first.name} – {second.name.removeprefix(first.title).strip() or second.name}"
        else:
            name = f"{first.name} – {second.name}"
        named.append(Pair(f"{a}--{b}", a, b, name, kind, line.colour, dot.colour))
    return named


def default_pairs(pairs: Sequence[Pair], runs: Mapping[str, Run], reference: str) -> list[Pair]:
    """Return the pairs shown first: default runs with the reference method, or all default runs where there is none."""
    plain = [pair for pair in pairs if {runs[pair.a].arm, runs[pair.b].arm} == {"default"}] or list(pairs)
    with_reference = [pair for pair in plain if reference in (runs[pair.a].label, runs[pair.b].label)]
    return with_reference or plain[:8]
