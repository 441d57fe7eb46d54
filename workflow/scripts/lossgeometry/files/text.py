"""Text from models and strangers: made fit for a file, and safe to show."""

import unicodedata

_ACTS = ("C", "Zl", "Zp")
"""Control, format, surrogate and unassigned characters; separators of lines and of paragraphs."""


def well_formed(text: str) -> str:
    """Return the text with each lone surrogate replaced by U+FFFD: neither UTF-8 nor a tokenizer can hold one."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def printable(text: str) -> str:
    """Return text without the characters that a terminal or a reader would act on instead of showing them.

    Each becomes its escape, such as \\x1b or \\u202e: escape sequences, line breaks and changes of the writing direction are
    seen, and do nothing.
    """
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one).startswith(_ACTS) else one for one in text
    )


def printable_lines(text: str) -> str:
    """Return the same for text that is meant to have several lines."""
    return "\n".join(printable(line) for line in text.split("\n"))
