"""The cosines of all pairs as one matrix of text, each beside what chance gives."""

import pandas as pd

from lossgeometry.geometry.chance import INSIDE, band_text

WIDEST = 24
"""Longest name that heads a column; longer ones are numbered."""


def cosine_matrix(geometry: pd.DataFrame, names: list[str]) -> str:
    """Return the matrix: cosines below the diagonal, chance levels above it.

    Parameters
    ----------
    geometry
        The table `geometry`, with these names as runs.
    """
    whole = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")]
    found = {(row.run_a, row.run_b): row for row in whole.itertuples()}
    cells = [[_cell(found, names, row, column) for column in range(len(names))] for row in range(len(names))]
    heads = [f"{number} {name}" for number, name in enumerate(names, 1)]
    columns = heads if max(map(len, heads)) <= WIDEST else [str(number) for number in range(1, len(names) + 1)]
    table = [["", *columns], *([head, *row] for head, row in zip(heads, cells, strict=True))]
    widths = [max(len(row[column]) for row in table) for column in range(len(names) + 1)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    title = "Cosine of the updates below the diagonal, chance (95 %) above it; ~ is no more than chance"
    return "\n".join([title, "", *lines])


def _cell(found: dict, names: list[str], row: int, column: int) -> str:
    if row == column:
        return "1"
    pair = found[names[min(row, column)], names[max(row, column)]]
    if row < column:
        return band_text(pair.null_mean, pair.null_sd)
    if pd.isna(pair.value):
        return "undefined"
    return f"{pair.value:.3f}{' ~' if pair.verdict == INSIDE else ''}"
