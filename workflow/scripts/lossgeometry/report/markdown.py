"""Tables in Markdown, and text from elsewhere made safe to stand in it."""

import re

import pandas as pd

from lossgeometry.files.text import printable

# An underscore inside a word, as in `offline_grpo`, means nothing.
_SYNTAX = re.compile(r"([\\`*\[\]<&|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def escape(text: object) -> str:
    """Return text from outside, such as a name, so that Markdown shows it as it is, on one line."""
    return _SYNTAX.sub(r"\\\1", printable(str(text)))


def table(frame: pd.DataFrame, formats: dict[str, str]) -> str:
    """Return a data frame as a Markdown table; a missing value is an empty cell.

    Parameters
    ----------
    formats
        Format of a column's numbers, such as `{:.2f}`; other columns are written as they are.
    """
    lines = [f"| {' | '.join(frame.columns)} |", "|" + "---|" * len(frame.columns)]
    for row in frame.to_dict("records"):
        cells = ["" if pd.isna(value) else escape(formats.get(name, "{}").format(value)) for name, value in row.items()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
