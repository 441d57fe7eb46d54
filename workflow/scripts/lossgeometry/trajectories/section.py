"""What the summary says about trajectories."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.report.markdown import escape


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where nothing was kept on the way."""
    if "trajectories" not in frames:
        return ""
    lines = [
        "## On the way",
        "",
        "Each run through its snapshots: its norm at the end, how straight it went (norm over the length of the path), the share of"
        " all its squared norms that lies along one direction, the cosine of its first snapshot with its end, and how many"
        " directions it took; beside each what orthogonal increments of the same lengths give.",
        "",
        "| run | norm | straightness | chance | one direction | chance | first to end | chance | directions | chance |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for run, steps in frames["trajectories"].groupby("run", sort=False):
        first, last = steps.iloc[0], steps.iloc[-1]
        numbers = (
            *(last.norm, last.efficiency, last.efficiency_chance, last.first_direction, last.first_direction_chance),
            *(first.cosine_last, first.cosine_last_chance, last.effective_rank, last.effective_rank_chance),
        )
        lines.append(f"| {escape(str(run))} | {' | '.join(map(_number, numbers))} |")
    return "\n".join([*lines, *_matched(frames.get("matched"))])


def _matched(table: pd.DataFrame | None) -> list[str]:
    if table is None:
        return []
    lines = [
        "",
        "Two losses where they are alike, the run that goes further stopped where the other ends: after as many steps, at its norm,"
        " and where behaviour is measured on the way at its KL from the base.",
        "",
        "| pair | at the end | after as many steps | at equal norm | at equal KL |",
        "|---|---|---|---|---|",
    ]
    table = table[table.replicate.isna() | (table.replicate == "")]
    for (a, b), rows in table.groupby(["run_a", "run_b"], sort=False):
        cells = [_at(rows, name) for name in ("step", "norm", "KL")]
        first, second = rows.step_a.max(), rows.step_b.max()
        ends = rows[(rows["at"] == "step") & (rows.step_a == first) & (rows.step_b == second)]
        whole = _number(ends.cosine.iloc[0]) if len(ends) else "other steps"
        lines.append(f"| {escape(str(a))} - {escape(str(b))} | {whole} | {' | '.join(cells)} |")
    return lines


def _at(rows: pd.DataFrame, name: str) -> str:
    found = rows[(rows["at"] == name) & rows.end]
    if found.empty:
        return "they end after other steps" if name == "step" else "not measured"
    row = found.iloc[0]
    place = f"{row.level:.0f} steps" if name == "step" else f"{row.level:.3g}"
    return f"{_number(row.cosine)} ({place})"


def _number(value: float) -> str:
    return "undefined" if pd.isna(value) else f"{value:.3g}" if abs(value) >= 10 else f"{value:.3f}"
