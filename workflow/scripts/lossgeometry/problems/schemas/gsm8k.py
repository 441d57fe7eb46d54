"""GSM8K."""

import re

ID = None
PROBLEM = "question"
ANSWER = "answer"


def clean(answer: str) -> str:
    """Return the number after the last `#### ` of a worked solution, without thousands separators and dollar signs."""
    _, mark, final = answer.rpartition("####")
    return re.sub(r"[,$\s]", "", final) if mark else ""
