"""Problems from the hub or from a file."""

from lossgeometry.jsonl import read_lines
from lossgeometry.settings.models import Problems


def read_problems(problems: Problems) -> list[dict[str, str]]:
    """Return the problems of a source as {"id", "problem", "answer"}."""
    return [
        {"id": f"{index:05d}", "problem": row["problem"], "answer": row["answer"]}
        for index, row in enumerate(read_lines(problems.name))
    ]
