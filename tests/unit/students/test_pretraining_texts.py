"""What the tiny student is pre-trained on: two skills in their shares, and without the second the texts of the first alone."""

import hashlib

import pytest

from lossgeometry.settings.models import TinyModel
from lossgeometry.students.pretraining import _draw_texts


def texts(**settings):
    return _draw_texts(TinyModel(**settings), 400)


def test_skills_come_in_their_shares():
    share = sum("Order them" in problem for problem, _ in texts(ordering_fraction=0.25)) / 400
    assert share == pytest.approx(0.25, abs=0.07)
    ordered = [solution for problem, solution in texts(ordering_fraction=0.25) if "Order them" in problem]
    assert all(solution.startswith("In order, the answer is \\boxed{") for solution in ordered)


def test_without_the_second_skill_nothing_is_drawn_for_it():
    """The students of the configurations without it are those that their documented numbers were measured on."""
    drawn = texts(ordering_fraction=0.0, hasty_fraction=0.35)
    digest = hashlib.sha256(repr(drawn).encode()).hexdigest()
    assert not any("Order them" in problem for problem, _ in drawn)
    assert digest == "6188c9eb1bfd0dbae02d703bc3759f201daa643856954c339d757feef9088412"
