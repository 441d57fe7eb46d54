"""The AI2 reasoning challenge: science questions with the options in a column of their own. Grade it with `choice`."""

from collections.abc import Mapping
from typing import Any

ID = "id"
PROBLEM = "question"
ANSWER = "answerKey"


def compose(row: Mapping[str, Any]) -> str:
    """Return the question with one option a line, each behind its letter; empty where a question or option is missing."""
    texts = list((row.get("choices") or {}).get("text") or [])
    if not row["question"] or len(texts) < 2 or not all(texts):
        return ""
    options = (f"({letter}) {text}" for letter, text in zip("ABCDEFGHIJ", texts, strict=False))
    return "\n".join([row["question"], *options])


def clean(answer: str) -> str:
    """Return the letter of the right option; some questions count their options instead."""
    return "ABCDEFGHIJ"[int(answer) - 1] if answer in map(str, range(1, 11)) else answer
