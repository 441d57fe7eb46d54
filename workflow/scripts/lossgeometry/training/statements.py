"""What equal steps are not: how often each loss saw its rows."""

from lossgeometry.findings.finding import Finding, Frames, small
from lossgeometry.findings.names import Names


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the finding of `runs`: passes over the rows that each loss takes, at its own learning rate."""
    runs = frames["runs"]
    if "epochs" not in runs:
        return []
    rows = runs[[names.compared(run) is not None for run in runs.run]].dropna(subset="epochs")
    passes = rows.groupby("method", sort=False).epochs.mean()
    if len(passes) < 2:
        return []
    most, least = str(passes.idxmax()), str(passes.idxmin())
    steps = sorted({int(value) for value in rows.steps})
    said = f"{steps[0]}" if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
    left_out = sorted({names.title(row.method) for row in rows.itertuples() if row.rows_left_out})
    return [
        Finding(
            id="passes",
            question="Do equal steps show each loss as much?",
            statement=f"In {said} steps {names.title(most)} makes {small(passes.max())} passes over the rows that it takes,"
            f" {names.title(least)} {small(passes.min())}."
            + (f" Rows that a loss could not use were left out of {', '.join(left_out)}." if left_out else ""),
            value=passes.max() / passes.min(),
            unit="most passes over fewest",
            verdict=f"most {names.title(most)}, fewest {names.title(least)}",
            not_shown="what equal passes would give; trajectories compare at equal norm and equal KL",
            section="training",
        )
    ]
