"""Which part of an update does the work: what each edit does to the base's accuracy, beside its parent."""

from lossgeometry.edits.contrasts import direction_or_size, parts_of_updates, random_directions
from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import PROBLEMS, Finding, Frames, between, decimal, points, small, view
from lossgeometry.findings.names import Names


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return one finding for each edit and benchmark, in the most precise decoding, and what several edits say together.

    On the first benchmark the latter and the largest of the former are takeaways.
    """
    if "edit_effects" not in frames or "edits" not in frames:
        return []
    effects = frames["edit_effects"]
    effects = effects[effects.most_precise].dropna(subset="difference")
    together = [
        *direction_or_size(frames, names),
        *parts_of_updates(effects, frames["edits"], names),
        *random_directions(effects),
    ]
    first = "" if effects.empty else effects.benchmark.iloc[0]
    together = [finding._replace(rank=11 * finding.id.startswith(f"edit.{first}.")) for finding in together]
    parents = effects[effects.question == "edits against parent"].set_index(["run_b", "benchmark"])
    made = frames["edits"].set_index("run")
    found = []
    for row in effects[effects.question == "edits against base"].itertuples():
        edit = made.loc[row.run_b]
        text = (
            f"{names(edit.parent)} after “{edit.operation.replace('_', ' ')}” ({decimal(edit.norm_share, 2)} of its norm, cosine"
            f" {decimal(edit.cosine_to_parent, 2)} to it) changes the base's accuracy on {row.benchmark} by"
            f" {points(row.difference)} points ({between(row.low, row.high, points)}): {row.verdict}"
        )
        if (row.run_b, row.benchmark) in parents.index:
            beside = parents.loc[(row.run_b, row.benchmark)]
            text += f". Less the unedited run: {points(beside.difference)}"
            text += f" ({between(beside.low, beside.high, points)}), {beside.verdict}"
        if edit.kl == edit.kl and edit.kl_parent == edit.kl_parent:
            text += f". KL from the base {small(edit.kl)} nats per token, unedited {small(edit.kl_parent)}"
        found.append(
            Finding(
                id=f"edit.{row.benchmark}.{row.run_b.removeprefix('edit.')}",
                question="Which part of an update does the work?",
                statement=f"{text}.",
                value=row.difference,
                low=row.low,
                high=row.high,
                interval=PROBLEMS,
                unit="share of problems",
                chance=f"seen from {100 * row.smallest_difference:.1f} points on",
                verdict=row.verdict,
                not_shown="how an edit of another seed would do: edits are made of one run each",
                section="edits",
                view=view(benchmark=row.benchmark),
                pair=pair_id(edit.parent, row.run_b),
            )
        )
    largest = max(found, key=lambda finding: abs(finding.value), default=None)
    return [*together, *(finding._replace(rank=11 * (finding is largest)) for finding in found)]
