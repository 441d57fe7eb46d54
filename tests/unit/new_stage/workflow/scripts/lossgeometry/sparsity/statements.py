"""What sparsity says in a sentence."""

from lossgeometry.findings.finding import Finding


def statements(frames, names):
    if "sparsity" not in frames:
        return []
    row = frames["sparsity"].loc[frames["sparsity"].small.idxmax()]
    text = f"Most small entries has {names(row.run)}, {row.small:.1%}."
    return [Finding(id="sparsity", question="How many entries are small?", statement=text, value=row.small, rank=1)]
