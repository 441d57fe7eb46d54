"""Compositions: other proportions of the same rollouts, always the same ones."""

import numpy as np
import pandas as pd
import pytest

from lossgeometry.errors import InputError
from lossgeometry.rollouts.composing import compose
from lossgeometry.settings.composition import Composition


@pytest.fixture(scope="module")
def rollouts():
    """200 prompts of 8: 120 all right, 60 mixed (half right), 20 all wrong."""
    rewards = [[1.0] * 8] * 120 + [[1.0, 0.0] * 4] * 60 + [[0.0] * 8] * 20
    rows = [(f"p{p}", s, f"text {p} {s}", reward) for p, group in enumerate(rewards) for s, reward in enumerate(group)]
    return pd.DataFrame(rows, columns=["prompt_id", "sample", "completion", "reward"])


def mixed_share(rollouts, composed):
    share = (rollouts.reward > 0).groupby(rollouts.prompt_id).mean()
    return composed.prompt_id.map(share.between(0.01, 0.99)).groupby(composed.reward).mean()


@pytest.mark.parametrize("right", [0.0, 0.3, 0.75, 1.0])
def test_the_share_is_exact_at_a_constant_number_of_rows(rollouts, right):
    found = compose(rollouts, Composition(rows=300, right=right))
    assert len(found) == 300 and found.reward.sum() == round(300 * right)
    whole = rollouts.loc[found.index]
    assert found.index.is_monotonic_increasing and found.index.is_unique
    pd.testing.assert_frame_equal(found, whole)


def test_the_share_of_mixed_prompts_holds_for_right_and_wrong_rows(rollouts):
    found = compose(rollouts, Composition(rows=200, right=0.6, mixed=0.5))
    assert mixed_share(rollouts, found).tolist() == [0.5, 0.5] and found.reward.sum() == 120


def test_less_of_a_kind_is_a_part_of_more(rollouts):
    few, many = (compose(rollouts, Composition(rows=200, right=share)) for share in (0.4, 0.7))
    assert set(few.index[few.reward > 0]) < set(many.index[many.reward > 0])
    assert set(many.index[many.reward == 0]) < set(few.index[few.reward == 0])


def test_the_order_of_the_rows_does_not_matter_and_the_seed_does(rollouts):
    wanted = Composition(rows=100, right=0.5)
    turned = compose(rollouts.iloc[::-1], wanted)
    assert set(turned.index) == set(compose(rollouts, wanted).index)
    assert set(compose(rollouts, wanted.model_copy(update={"seed": 1})).index) != set(turned.index)


def test_flips_turn_verdicts_and_nothing_else(rollouts):
    plain, wrong = (compose(rollouts, Composition(rows=200, right=0.5, flipped=share)) for share in (0.0, 0.2))
    turned = plain.reward != wrong.reward
    assert turned.sum() == 40 and turned[plain.reward > 0].sum() == 20
    pd.testing.assert_frame_equal(plain.drop(columns="reward"), wrong.drop(columns="reward"))
    more = compose(rollouts, Composition(rows=200, right=0.5, flipped=0.4))
    assert set(plain.index[turned]) < set(plain.index[plain.reward != more.reward])


def test_too_few_rows_of_a_kind_is_one_sentence(rollouts):
    with pytest.raises(InputError, match="asks for 450 wrong rollouts, and there are 400; lower its rows"):
        compose(rollouts, Composition(rows=500, right=0.1))
    with pytest.raises(InputError, match="right rollouts of prompts with both, and there are 240"):
        compose(rollouts, Composition(rows=400, right=0.75, mixed=0.9))
    assert np.isin(compose(rollouts, Composition(rows=500, right=0.8)).reward, (0.0, 1.0)).all()
