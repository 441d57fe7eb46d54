"""One module per grader: how it reads an answer, and when it finds a box equal to the gold answer.

A grader is named by the key `grader` of a set of problems. Its module has

- `TITLE`, what it is called in words;
- `normalise(answer)`, gold answers and boxes as it compares them; empty means that there is no answer;
- `decide(gold, box)`, the verdict on two normalised answers where it takes no time to speak of, else None;
- `judge(gold, box)`, the verdict where `decide` gave None; it runs in a process that is killed at a deadline.

Boxes are hostile text of at most `answers.MAXIMUM_CHARACTERS`: `normalise` and `decide` run in the job itself and must
end soon on every string.
"""

import importlib
import pkgutil
from typing import Any

from lossgeometry.errors import InputError

DEFAULT = "math_verify"


def grader_names() -> list[str]:
    """The graders there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def grader_module(name: str) -> Any:
    """Return the module of a grader, imported only now: a change of one concerns no result of another.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in grader_names():
        raise InputError(f"there is no grader {name}; choose one of {', '.join(grader_names())}")
    return importlib.import_module(f"lossgeometry.grading.graders.{name}")
