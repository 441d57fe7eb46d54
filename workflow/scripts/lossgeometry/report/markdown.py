"""Tables in Markdown."""

import pandas as pd


def table(frame: pd.DataFrame, formats: dict[str, str]) -> str:
    """Return a data frame as a Markdown table; a missing value is an empty cell.

    Parameters
    ----------
    formats
        Format of a column's numbers, such as `{:.2f}`; other columns are written as they are.
    """
    lines = [f"| {' | '.join(frame.columns)} |", "|" + "---|" * len(frame.columns)]
    for row in frame.to_dict("records"):
        cells = ["" if pd.isna(value) else formats.get(name, "{}").format(value) for name, value in row.items()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
