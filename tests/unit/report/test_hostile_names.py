"""Names and replies from elsewhere are shown as they are, and do nothing in a terminal or in Markdown."""

import unicodedata

import pandas as pd
import pytest

from lossgeometry.files.text import printable, printable_lines
from lossgeometry.report.markdown import escape, table

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "a\rb\nc\x00",
    "\u202egnp.exe",
    "\u2028line\u2029paragraph",
    "\x9b31m",
    "\ud800",
    "\u200b\ufeff",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_that_a_terminal_acts_on_is_left(text):
    shown = printable(text)
    assert not any(unicodedata.category(one).startswith(("C", "Zl", "Zp")) for one in shown)
    shown.encode("utf-8")
    assert len(shown) > len(text)  # seen, not dropped


@pytest.mark.parametrize("text", ["Qwen/Qwen3-4B", "sft.lr0.001.s42", "offline_grpo", "Größe 7 日本", "a ± b", ""])
def test_ordinary_names_are_left_alone(text):
    assert printable(text) == text == escape(text)


def test_lines_stay_lines():
    assert printable_lines("one\ntwo\x1b[0m") == "one\ntwo\\x1b[0m"


@pytest.mark.parametrize(
    "text", ["a|b", "`x`", "**b**", "_i_", "<img src=x>", "[a](javascript:b)", "![a](b)", "~~s~~", "&lt;", "a\\"]
)
def test_markdown_takes_nothing_for_syntax(text):
    """Every character that could open something is preceded by a backslash."""
    shown = escape(text)
    assert shown.replace("\\", "") == text.replace("\\", "")
    for place, one in enumerate(shown):
        if one in "|`*<[]~&" or (one == "_" and "_" in text):
            assert shown[place - 1] == "\\"


def test_a_name_cannot_break_out_of_a_table():
    frame = pd.DataFrame({"run": ["a | b |\n| evil"], "value": [0.5]})
    lines = table(frame, {"value": "{:.1f}"}).splitlines()
    assert len(lines) == 3 and lines[2].replace("\\|", "").count("|") == 3
