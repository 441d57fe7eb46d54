"""What a long command says of its progress: nothing at first, then how much is left, by the work and not by the count."""

import io
import sys

import pytest

from lossgeometry.files import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(monkeypatch, stream, seconds, sizes=()):
    """Go through items that take so many seconds each, and return what was written."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", stream)
    found = []
    for item in progress.tracked(list(range(len(seconds))), "comparing", sizes):
        found.append(item)
        now[0] += seconds[item]
    assert found == list(range(len(seconds)))
    return stream.getvalue()


def test_short_work_says_nothing(monkeypatch):
    assert run(monkeypatch, Terminal(), [0.1] * 5) == ""


def test_a_terminal_keeps_one_line_and_clears_it(monkeypatch):
    said = run(monkeypatch, Terminal(), [2.0] * 4)
    assert said.split("\r")[1:] == [f"comparing: {n} of 4, {8 - 2 * n} s left\x1b[K" for n in (1, 2, 3)] + ["\x1b[K"]


def test_a_log_gets_a_line_now_and_then(monkeypatch):
    assert run(monkeypatch, io.StringIO(), [6.0] * 4) == "comparing: 2 of 4, 12 s left\n"


def test_time_left_goes_by_the_work(monkeypatch):
    said = run(monkeypatch, Terminal(), [30.0, 270.0], sizes=[1, 9])
    assert "comparing: 1 of 2, 4 min left" in said


def test_items_and_sizes_belong_together():
    with pytest.raises(ValueError):
        list(progress.tracked([1, 2], "x", [1.0]))
