"""What the directions of the updates say: who ends where, how much two share, and where in the network they part.

A statement on two methods takes their runs at their own learning rates, one pair for each seed that both have; the
effect is the mean over seeds. Controls, replicates and edits are no part of it.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from lossgeometry.base_relations import statements as base_statements
from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import (
    BOOTSTRAP,
    SEEDS,
    Finding,
    Frames,
    agreement,
    angle,
    counted,
    decimal,
    over_seeds,
    share,
    view,
)
from lossgeometry.findings.names import Names
from lossgeometry.geometry import chance, replicate_statements
from lossgeometry.geometry.beside import BEYOND, CANNOT_TELL, WITHIN
from lossgeometry.geometry.shape_statements import of_layers, of_outputs, of_sizes, of_subspaces

NOT_A_FUNCTION = "that two updates of one direction do the same, or two of different directions something else"


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `geometry` and `modules`, of replicates, and of updates beside the base."""
    own = _directions(frames, names)
    return own + replicate_statements.statements(frames, names) + base_statements.statements(frames, names)


def _directions(frames: Frames, names: Names) -> list[Finding]:
    if "geometry" not in frames:
        return []
    geometry = frames["geometry"]
    whole = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")].dropna(subset="value")
    pairs = {methods: rows for methods, rows in by_methods(whole, names)}
    if not pairs:
        return []
    with_reference = {methods: rows for methods, rows in pairs.items() if names.reference in methods}
    nearest = max(with_reference, key=lambda methods: with_reference[methods].value.mean(), default=None)
    found = [_ends(pairs, names)] if len(pairs) > 1 else []
    found += [_of_two(methods, rows, names, methods == nearest or len(pairs) == 1) for methods, rows in pairs.items()]
    # Supplied adapters have no reference: every pair of them is asked about.
    asked = list(with_reference or pairs)
    return [*found, *_places(frames, asked, names), *_shapes(frames, asked, pairs, names)]


def _shapes(frames: Frames, asked: list[tuple[str, str]], cosines: Mapping, names: Names) -> list[Finding]:
    """Return what stands beside the cosines: by layer, on the output side, by subspace, and the size of each update."""
    whole = frames["geometry"]
    whole = whole[whole.scope == "global"]
    on_outputs = whole[whole.side == "output"].dropna(subset="value")
    tops = dict(by_methods(on_outputs[on_outputs.metric == "top_direction"].drop_duplicates(["run_a", "run_b"]), names))
    angles = on_outputs[(on_outputs.metric == "angle_first")].drop_duplicates(["run_a", "run_b"])
    found = [of_outputs(methods, cosines[methods], tops[methods], names) for methods in asked if methods in tops]
    found += [of_subspaces(methods, rows, names) for methods, rows in by_methods(angles, names) if methods in asked]
    if "layers" in frames:
        layers = frames["layers"]
        by_layer = layers[layers.metric == "cosine"].dropna(subset="value")
        found += [of_layers(methods, rows, names) for methods, rows in by_methods(by_layer, names) if methods in asked]
    return found + of_sizes(whole, names)


def by_methods(rows: pd.DataFrame, names: Names) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield the pairs of two methods at their own learning rates with one seed, the reference first."""
    kept = []
    for row in rows.itertuples():
        a, b = names.compared(row.run_a), names.compared(row.run_b)
        if a is None or b is None or a.label == b.label or names.seed[a.id] != names.seed[b.id]:
            continue
        turned = b.label == names.reference
        kept.append((row.Index, (b.label, a.label) if turned else (a.label, b.label)))
    for methods in dict.fromkeys(methods for _, methods in kept):
        yield methods, rows.loc[[index for index, other in kept if other == methods]]


def _ends(pairs: dict[tuple[str, str], pd.DataFrame], names: Names) -> Finding:
    ranked = sorted(pairs, key=lambda methods: pairs[methods].value.mean())
    far, near = ranked[0], ranked[-1]

    def said(methods: tuple[str, str]) -> str:
        values = list(pairs[methods].value)
        mean = pairs[methods].value.mean()
        return (
            f"{names.title(methods[0])} and {names.title(methods[1])}, cosine {decimal(mean)}{over_seeds(values)}:"
            f" {angle(mean)} apart, {share(mean)} of their squared length in common"
        )

    inside = sum((rows.verdict == chance.INSIDE).any() for rows in pairs.values())
    rows = pairs[near]
    return Finding(
        id="direction.ends",
        question=f"Which {names.updates} end in one direction, and which do not?",
        statement=f"Most alike of {len(pairs)} {names.of_pairs} are {said(near)}; furthest apart are {said(far)}."
        f" {inside} of the {len(pairs)} are within chance{' in some seed' * (len(rows) > 1)}.",
        value=rows.value.mean(),
        low=rows.value.min(),
        high=rows.value.max(),
        interval=SEEDS,
        unit="cosine",
        chance=_chance(pairs[far]),
        seeds=len(rows),
        agreeing=len(rows),
        verdict=counted([agreement(list(rows.verdict))[0] for rows in pairs.values()]),
        not_shown=NOT_A_FUNCTION,
        section="map",
        view=view(map="cosine", focus=pair_id(rows.run_a.iloc[0], rows.run_b.iloc[0])),
        rank=1,
    )


def _of_two(methods: tuple[str, str], rows: pd.DataFrame, names: Names, takeaway: bool) -> Finding:
    a, b = (names.title(label) for label in methods)
    values, mean = list(rows.value), rows.value.mean()
    judged = rows.reshuffle.where(rows.reshuffle.isin([WITHIN, BEYOND, CANNOT_TELL]))
    verdict, agreeing = agreement(list(judged.fillna(rows.verdict)))
    first = rows.iloc[0]
    text = (
        f"{a} and {b} end {angle(mean)} apart, cosine {decimal(mean)}{over_seeds(values)}: {share(mean)} of their squared"
        f" length in common. {_beside(rows, names)}"
    )
    if judged.notna().any():
        reasons = [reason for reason in dict.fromkeys(rows.reshuffle_reason) if isinstance(reason, str) and reason]
        why = f" ({reasons[0]})" if verdict == CANNOT_TELL and reasons else ""
        text += f" Verdict: {verdict}{why}."
    else:
        text += f" Verdict: {verdict}."
    low, high, interval = first.depth_low, first.depth_high, BOOTSTRAP
    if len(rows) > 1:
        low, high, interval = min(values), max(values), SEEDS
    return Finding(
        id=f"direction.{pair_id(*methods)}",
        question=f"Are {a} and {b} the same update?",
        statement=text,
        value=mean,
        low=low,
        high=high,
        interval=interval,
        unit="cosine",
        chance=_chance(rows),
        seeds=len(rows),
        agreeing=agreeing,
        verdict=verdict,
        not_shown=NOT_A_FUNCTION,
        section="map",
        view=view(map="cosine", focus=pair_id(first.run_a, first.run_b)),
        rank=2 if takeaway else 0,
        pair=pair_id(*methods),
    )


def _beside(rows: pd.DataFrame, names: Names) -> str:
    """Return what the cosine stands beside: a reshuffle of the data, a control, chance."""
    parts = [f"unrelated updates reach {decimal(chance.highest(rows.null_mean, rows.null_sd))}"]
    if rows.control.notna().any():
        parts.append(f"a control {decimal(rows.control.mean())}")
    replicated = rows.dropna(subset="replicate")
    if len(replicated):
        whose = [names.title(label) for label in str(replicated.replicate_of.iloc[0]).split(";")]
        value = decimal(replicated.replicate.iloc[0])
        order = (
            "with its data in another order {}" if len(whose) == 1 else "with their data in another order {} on average"
        )
        parts.append(f"{' and '.join(whose)} {order.format(value)}")
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _chance(rows: pd.DataFrame) -> str:
    worst = rows.loc[rows.null_sd.idxmax()] if rows.null_sd.notna().any() else rows.iloc[0]
    return chance.band_text(worst.null_mean, worst.null_sd)


def _places(frames: Frames, methods: list[tuple[str, str]], names: Names) -> list[Finding]:
    if "modules" not in frames:
        return []
    modules = frames["modules"]
    cosines = modules[modules.metric == "cosine"].dropna(subset="value")
    pairs = dict(by_methods(cosines, names))
    made = [_place(pair, pairs[pair], names) for pair in methods if pair in pairs]
    widest = max(made, key=lambda finding: finding.high - finding.low, default=None)
    return [finding._replace(rank=8 * (finding is widest)) for finding in made]


def _place(methods: tuple[str, str], rows: pd.DataFrame, names: Names) -> Finding:
    a, b = (names.title(label) for label in methods)
    by_place = rows.groupby(["layer", "projection"]).value
    means = by_place.mean()
    (least_layer, least_kind), (most_layer, most_kind) = means.idxmin(), means.idxmax()
    seeds = rows.groupby(["run_a", "run_b"], sort=False)
    lowest = [tuple(part.loc[part.value.idxmin(), ["layer", "projection"]]) for _, part in seeds]
    agreeing = lowest.count((least_layer, least_kind))
    inside = int((rows.verdict == chance.INSIDE).groupby([rows.layer, rows.projection]).any().sum())
    first = rows.iloc[0]
    same = f" in some seed. The furthest matrix is the same in {agreeing} of {len(lowest)} seeds"
    seeds_say = same if len(lowest) > 1 else ""
    return Finding(
        id=f"place.{pair_id(*methods)}",
        question=f"In which layers and projections does {b} leave {a}?",
        statement=f"{b} leaves {a} furthest in layer {least_layer}, {least_kind} (cosine {decimal(means.min())}, "
        f"{share(means.min())} in common) and least in layer {most_layer}, {most_kind} (cosine {decimal(means.max())}, "
        f"{share(means.max())}); {inside} of {len(means)} matrices are within chance{seeds_say}.",
        value=means.min(),
        low=means.min(),
        high=means.max(),
        interval="range over matrices",
        unit="cosine",
        chance=_chance(rows),
        seeds=len(lowest),
        agreeing=agreeing,
        verdict=f"furthest in layer {least_layer}, {least_kind}",
        not_shown="what a matrix does for the model: a matrix may differ and not matter",
        section="where",
        view=view(focus=pair_id(first.run_a, first.run_b)),
        pair=pair_id(*methods),
    )
