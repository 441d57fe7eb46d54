"""AIME."""

import re

ID = None
PROBLEM = "problem"
ANSWER = "answer"


def clean(answer: str) -> str:
    """Return an integer without leading zeros (answers are printed as 000 to 999)."""
    return str(int(answer)) if re.fullmatch(r"[+-]?[0-9]+", answer) else answer
