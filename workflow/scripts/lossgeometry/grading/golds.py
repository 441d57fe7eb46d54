"""Problems and gold answers from the rows of public data sets, with their known defects dropped and counted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from lossgeometry.errors import InputError
from lossgeometry.grading.grader import check_golds
from lossgeometry.grading.graders import DEFAULT
from lossgeometry.problems.schemas import schema_module

NO_PROBLEM = "the problem is empty"
NO_ANSWER = "the answer is empty"
UNPARSABLE = "the answer cannot be graded"


def _text(value: Any) -> str:
    """A cell as text; missing is empty. Numbers come as integers, or as floats where a column has gaps."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def parse_row(schema: str, row: Mapping[str, Any], index: int) -> tuple[dict[str, str], str]:
    """One row as ({"id", "problem", "answer"}, reason to drop it or "").

    `index` is the row's number in its source and becomes the id where the source has none, so that an id does not
    depend on how many rows before it were dropped.

    Raises InputError when the row lacks a column of its schema.
    """
    columns = schema_module(schema)
    missing = [name for name in (columns.ID, columns.PROBLEM, columns.ANSWER) if name and name not in row]
    if missing:
        raise InputError(
            f"Row {index} lacks the column {missing[0]} of the schema {schema} (it has {', '.join(sorted(row))}); "
            "choose another `schema`, or rename the columns."
        )
    problem = columns.compose(row) if hasattr(columns, "compose") else _text(row[columns.PROBLEM])
    answer = columns.clean(_text(row[columns.ANSWER]))
    identity = _text(row[columns.ID]) if columns.ID else f"{index:05d}"
    reason = NO_PROBLEM if not problem else NO_ANSWER if not answer else ""
    return {"id": identity, "problem": problem, "answer": answer}, reason


def usable_problems(
    schema: str, rows: Iterable[Mapping[str, Any]], workers: int, deadline_seconds: float, grader: str = DEFAULT
) -> tuple[list[dict[str, str]], Counter[str]]:
    """All problems that can be graded, in order, and how many were dropped for each reason.

    Each gold answer is graded against itself: one that is empty, or that the grader cannot find equal to itself within
    the deadline, would count every completion as wrong.

    Raises InputError when a column is missing or two rows have one id.
    """
    parsed = [parse_row(schema, row, index) for index, row in enumerate(rows)]
    dropped = Counter(reason for _, reason in parsed if reason)
    complete = [problem for problem, reason in parsed if not reason]
    repeated = [name for name, count in Counter(problem["id"] for problem in complete).items() if count > 1]
    if repeated:
        raise InputError(f"The id {repeated[0]} belongs to several rows; give every row an id of its own.")
    gradable = list(check_golds((problem["answer"] for problem in complete), workers, deadline_seconds, grader))
    if not all(gradable):
        dropped[UNPARSABLE] = gradable.count(False)
    return [problem for problem, good in zip(complete, gradable, strict=True) if good], dropped
