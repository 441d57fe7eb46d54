"""What a learning rate, a seed and the loss each do to the direction."""

import pandas as pd

from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import Finding, Frames, decimal, view
from lossgeometry.findings.names import Names

MEASURES = {"cosine": "the updates", "output_gram_alignment": "what is written to (output Grams)"}
NOT_SHOWN = (
    "what either does to the answers: two initialisations share no A, so that their cosine is lower even where both learnt one"
    " function"
)


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `sensitivity` and `decomposition`."""
    return [*_rates(frames, names), *_seeds(frames)]


def _rates(frames: Frames, names: Names) -> list[Finding]:
    """Return, for each loss whose own learning rate is not the reference's, what matching the rates does to their cosine."""
    if "sensitivity" not in frames:
        return []
    rows = frames["sensitivity"].dropna(subset="cosine")
    rows = rows[rows.run_a.isin(names.runs) & rows.run_b.isin(names.runs)]
    found = []
    for label in dict.fromkeys(run.label for run in names.runs.values() if run.label != names.reference):
        both = [row for row in rows.itertuples() if _labels(row, names) == {label, names.reference}]
        matched = [row for row in both if row.varies == "loss"]
        seeds = {names.seed[row.run_a] for row in matched}
        own = [
            row.cosine
            for row in both
            if row.varies == "loss and learning rate"
            and names.compared(row.run_a) is not None
            and names.compared(row.run_b) is not None
            and names.seed[row.run_a] in seeds
        ]
        if own and matched:
            found.append(_rate(label, sum(own) / len(own), pd.DataFrame(matched), frames, names))
    return [finding._replace(rank=3 * (place == 0)) for place, finding in enumerate(found)]


def _labels(row, names: Names) -> set[str]:
    return {names.runs[row.run_a].label, names.runs[row.run_b].label}


def _rate(label: str, before: float, matched: pd.DataFrame, frames: Frames, names: Names) -> Finding:
    title, reference = names.title(label), names.title(names.reference)
    told = []
    for row in matched.itertuples():
        closed = (row.cosine - before) / (1 - before)
        told.append(
            f"{decimal(row.cosine)} between {names(row.run_a)} and {names(row.run_b)}, {decimal(100 * closed, 0)} % of the way to 1"
            f" (norms {decimal(row.norm_a, 2)} and {decimal(row.norm_b, 2)})"
        )
    text = f"At their own learning rates {reference} and {title} have cosine {decimal(before)}. At one rate: {'; '.join(told)}."
    if "predictions" in frames:
        known = frames["predictions"]
        gradient = known[(known.loss_a == names.reference) & (known.loss_b == label)].predicted.dropna()
        if len(gradient):
            text += f" Their first gradients, at no rate and no norm, have {decimal(gradient.iloc[0])}: loss and data alone."
    best = matched.loc[matched.cosine.idxmax()]
    return Finding(
        id=f"rate.{pair_id(names.reference, label)}",
        question=f"Does {title}'s direction come from its rate, its norm or its data?",
        statement=text,
        value=best.cosine,
        low=matched.cosine.min(),
        high=matched.cosine.max(),
        interval="range over the rates that both were trained at",
        unit="cosine",
        chance=f"at their own rates {decimal(before)}",
        seeds=len({names.seed[run] for run in matched.run_a}),
        agreeing=0,
        verdict=f"matching the rate closes {100 * (best.cosine - before) / (1 - before):.0f} % of the gap at most",
        not_shown="what equal norm or equal passes over the data would do; edits and snapshots, where they are, do",
        section="robustness",
        view=view(focus=pair_id(best.run_a, best.run_b), arms="default,learning_rate"),
        pair=pair_id(names.reference, label),
    )


def _seeds(frames: Frames) -> list[Finding]:
    """Return how much of the similarity of any two runs is common, the loss's, the seed's, or their interplay's."""
    if "decomposition" not in frames:
        return []
    rows = frames["decomposition"].dropna(subset="share")
    told: list[str] = []
    more = ""
    for measure, part in rows.groupby("measure", sort=False):
        terms = part.set_index("term")
        if not {"common", "method", "seed", "remainder"} <= set(terms.index):
            return []
        own = {term: f"{100 * terms.share[term]:.0f} % ({100 * terms.chance[term]:.0f} %)" for term in terms.index}
        # More losses than seeds take more of a sum of squares by themselves.
        beyond = terms.share / terms.chance
        more = more or ("loss" if beyond["method"] > beyond["seed"] else "seed")
        told.append(
            f"of {MEASURES.get(str(measure), str(measure))}, {own['method']} goes with the loss, {own['seed']} with the seed,"
            f" {own['remainder']} with the two together, and {own['common']} is common to all"
        )
    if not told:
        return []
    first = rows.iloc[0]
    terms = rows[rows.measure == first.measure].set_index("term")
    text = "; ".join(told)
    return [
        Finding(
            id="seed_or_loss",
            question="Does a seed matter more than a loss?",
            statement=f"Over {first.methods:.0f} losses and {first.seeds:.0f} seeds (in brackets: unrelated updates): {text}.",
            value=terms.share["method"] - terms.share["seed"],
            unit="difference of shares, loss less seed",
            chance="unrelated updates: "
            + ", ".join(f"{term} {100 * chance:.0f} %" for term, chance in terms.chance.items()),
            seeds=int(first.seeds),
            agreeing=int(first.seeds),
            verdict=f"of the updates, more goes with the {more}, beside chance",
            not_shown=NOT_SHOWN,
            section="robustness",
            rank=4,
        )
    ]
