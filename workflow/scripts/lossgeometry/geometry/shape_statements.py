"""What directions look like beside their cosine: by depth, by side, by subspace, and how long and how wide each update is."""

from collections.abc import Callable, Iterable

import pandas as pd

from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import SEEDS, Finding, decimal, over_seeds, small, view
from lossgeometry.findings.names import Names
from lossgeometry.geometry import chance

NOT_USED = "what the model does with it"


def of_layers(methods: tuple[str, str], rows: pd.DataFrame, names: Names) -> Finding:
    """Return how the cosine of two methods runs over the layers; rows are those of `layers`."""
    a, b = (names.title(label) for label in methods)
    means = rows.groupby("layer").value.mean()
    least, most = means.idxmin(), means.idxmax()
    inside = int((rows.verdict == chance.INSIDE).groupby(rows.layer).any().sum())
    return Finding(
        id=f"depth.{pair_id(*methods)}",
        question=f"In which layers are {a} and {b} alike?",
        statement=f"By layer, {a} and {b} are least alike in layer {least} (cosine {decimal(means[least])}) and most in layer"
        f" {most} ({decimal(means[most])}); {inside} of {len(means)} layers are within chance in some seed.",
        value=means[most] - means[least],
        low=means[least],
        high=means[most],
        interval="range over layers",
        unit="difference of cosines",
        chance=f"up to {decimal(chance.highest(rows.null_mean, rows.null_sd))} in a layer",
        seeds=rows.groupby(["run_a", "run_b"]).ngroups,
        verdict=f"least in layer {least}",
        not_shown="whether the layers differ by more than another seed would have them differ",
        section="layers",
        view=view(depth="cosine", focus=pair_id(rows.run_a.iloc[0], rows.run_b.iloc[0])),
        pair=pair_id(*methods),
    )


def of_outputs(methods: tuple[str, str], cosines: pd.DataFrame, rows: pd.DataFrame, names: Names) -> Finding:
    """Return the top output direction of two methods beside their cosine; rows are those of `geometry`."""
    a, b = (names.title(label) for label in methods)
    values, cosine = list(rows.value), cosines.value.mean()
    above = sum(value > abs(one) for value, one in zip(values, cosines.value, strict=True))
    return Finding(
        id=f"outputs.{pair_id(*methods)}",
        question=f"Do {a} and {b} write to the same outputs?",
        statement=f"The top output directions of {a} and {b} have cosine {decimal(rows.value.mean())}{over_seeds(values)} in"
        f" size, their updates {decimal(cosine)}; unrelated ones reach {decimal(chance.highest(rows.null_mean, rows.null_sd))}.",
        value=rows.value.mean(),
        low=min(values),
        high=max(values),
        interval=SEEDS,
        unit="cosine",
        chance=f"up to {decimal(chance.highest(rows.null_mean, rows.null_sd))}",
        seeds=len(values),
        agreeing=max(above, len(values) - above),
        verdict="outputs are closer" if above == len(values) else "outputs are no closer in some seed",
        not_shown=NOT_USED,
        section="outputs",
        view=view(basis="top_direction.output", focus=pair_id(rows.run_a.iloc[0], rows.run_b.iloc[0])),
        pair=pair_id(*methods),
    )


def of_subspaces(methods: tuple[str, str], rows: pd.DataFrame, names: Names) -> Finding:
    """Return the first principal angle of the output sides of two methods; rows are those of `geometry`."""
    a, b = (names.title(label) for label in methods)
    values = list(rows.value)
    least = (rows.null_mean - chance.WIDTH * rows.null_sd).min()
    closer = sum(verdict == chance.BELOW for verdict in rows.verdict)
    return Finding(
        id=f"angle.{pair_id(*methods)}",
        question=f"Do {a} and {b} use the same subspaces?",
        statement=f"The first of {int(rows.k.iloc[0])} angles between the output subspaces of {a} and {b} is"
        f" {_degrees(rows.value.mean())}{over_seeds(values, _degrees)}, the median over matrices; unrelated ones have"
        f" {_degrees(least)} or more.",
        value=rows.value.mean(),
        low=min(values),
        high=max(values),
        interval=SEEDS,
        unit="degrees",
        chance=f"from {_degrees(least)}",
        seeds=len(values),
        agreeing=max(closer, len(values) - closer),
        verdict="closer than unrelated" if closer == len(values) else "no closer than unrelated in some seed",
        not_shown=NOT_USED,
        section="angles",
        view=view(side="output", focus=pair_id(rows.run_a.iloc[0], rows.run_b.iloc[0])),
        pair=pair_id(*methods),
    )


def of_sizes(whole: pd.DataFrame, names: Names) -> list[Finding]:
    """Return which method goes furthest and which spreads widest, each at its own learning rate; rows are those of `geometry`."""
    measured = {metric: by_method(whole, metric, names) for metric in ("norm", "effective_rank")}
    norms, ranks = (rows.groupby("label", sort=False).value for rows in measured.values())
    if min(len(norms), len(ranks)) < 2:
        return []
    said = [
        f"{what} {ends_of(group, names, write)}"
        for what, group, write in (
            ("the longest update is", norms, small),
            ("the widest by effective rank is", ranks, _one),
        )
    ]
    means = norms.mean()
    far = norms.get_group(means.idxmax())
    return [
        Finding(
            id="sizes",
            question="How far does each loss go, and over how many directions?",
            statement=f"At their own learning rates {'; '.join(said)}.",
            value=means.max(),
            low=far.min(),
            high=far.max(),
            interval=SEEDS,
            unit="norm of the longest",
            seeds=len(far),
            agreeing=len(far),
            verdict=f"longest {names.title(str(means.idxmax()))}, shortest {names.title(str(means.idxmin()))}",
            not_shown="what a norm does: another rate gives another norm",
            section="sizes",
        )
    ]


def by_method(whole: pd.DataFrame, metric: str, names: Names) -> pd.DataFrame:
    """Return one value of every run that is compared, with its method's label."""
    ends = [
        whole[whole.metric == f"{metric}_{end}"].rename(columns={f"run_{end}": "run"})[["run", "value"]] for end in "ab"
    ]
    rows = pd.concat(ends).dropna().drop_duplicates("run")
    rows = rows[rows.run.map(lambda run: names.compared(run) is not None).astype(bool)]
    return rows.assign(label=[names.runs[run].label for run in rows.run])


def ends_of(groups: Iterable, names: Names, write: Callable[[float], str]) -> str:
    """Return the methods with the largest and the smallest mean, with their seeds; groups are of values, by label."""
    values = {str(label): list(group) for label, group in groups}
    means = {label: sum(group) / len(group) for label, group in values.items()}
    most, least = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    told = [f"{names.title(label)}, {write(means[label])}{over_seeds(values[label], write)}" for label in (most, least)]
    return f"{told[0]}, and the least {told[1]}"


def _degrees(value: float) -> str:
    return f"{value:.0f}°"


def _one(value: float) -> str:
    return decimal(value, 1)
