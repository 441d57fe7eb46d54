"""Dynamic sampling fills batches with mixed groups, keeps the order of the prompts and stops at its cap."""

from itertools import count

import pytest

from lossgeometry.errors import InputError
from lossgeometry.on_policy.dapo import Dapo
from lossgeometry.on_policy.groups import Batch, Group, fill_batch, spare_prompts


def group(name, correct):
    return Group(name, [1], [[2]] * len(correct), list(map(bool, correct)), list(map(float, correct)))


def sampler(mixed):
    """Return a sampling function whose groups are mixed for the named prompts only, and what it was asked for."""
    asked = []

    def sample(names):
        asked.append(list(names))
        return [group(name, [1, 0] if name in mixed else [1, 1]) for name in names]

    return sample, asked


def test_uniform_groups_are_replaced_until_the_batch_is_full():
    sample, asked = sampler({"b", "e", "g"})
    batch = fill_batch(["a", "b", "c"], ["d", "e", "f", "g", "h", "i", "j"], sample, oversampling=1, max_rounds=10)
    assert [group.prompt_id for group in batch.groups] == ["b", "e", "g"]
    assert asked == [["a", "b", "c"], ["d", "e"], ["f"], ["g"]]
    assert batch.sampled == 7 and batch.refill_rate == pytest.approx(4 / 3) and batch.sampled_mixed == 3


def test_oversampling_asks_once_and_keeps_the_first_mixed_groups_in_the_order_of_the_prompts():
    sample, asked = sampler({"b", "d", "e", "f"})
    batch = fill_batch(["a", "b"], ["c", "d", "e", "f", "g"], sample, oversampling=3, max_rounds=10)
    assert asked == [["a", "b", "c", "d", "e", "f"]]
    assert [group.prompt_id for group in batch.groups] == ["b", "d"] and batch.sampled_mixed == 4


def test_a_full_batch_is_not_refilled():
    sample, asked = sampler({"a", "b"})
    batch = fill_batch(["a", "b"], count(), sample, oversampling=1, max_rounds=10)
    assert asked == [["a", "b"]] and batch.refill_rate == 0


def test_refilling_stops_at_its_cap_and_keeps_the_batch_size():
    sample, asked = sampler({"b"})
    batch = fill_batch(["a", "b"], map(str, count()), sample, oversampling=1, max_rounds=3)
    assert len(asked) == 3
    assert [group.mixed for group in batch.groups] == [True, False]


def test_refilling_stops_with_the_prompts():
    sample, asked = sampler(set())
    assert len(fill_batch(["a", "b"], ["c"], sample, oversampling=1, max_rounds=9).groups) == 2
    assert asked == [["a", "b"], ["c"]]


def test_only_many_empty_batches_in_a_row_end_a_run():
    dapo = Dapo(overlong_cache=0, oversampling=3.0, max_rounds=1, max_empty_batches=3)
    empty = Batch([group("a", [1, 1]), group("b", [0, 0])], 6, 0)
    logged = [{"groups_uniform": share} for share in (1, 1, 0.5, 1)]
    dapo.require_progress(empty, [*logged, {"loss": 0.1}])
    dapo.require_progress(Batch([group("a", [1, 0])], 1, 1), [*logged, *logged[:2]])
    with pytest.raises(InputError) as error:
        dapo.require_progress(empty, [*logged, {"loss": 0.1}, {"groups_uniform": 1}])
    message = str(error.value)
    assert message.startswith("3 batches in a row had no prompt with both right and wrong completions")
    assert "options.temperature" in message and "\n" not in message


def test_a_reward_is_one_or_minus_one_and_its_length_term():
    dapo = Dapo(overlong_cache=5, oversampling=1.0, max_rounds=1, max_empty_batches=1)
    assert dapo.rewards([True, False, True, False], [3, 3, 18, 20], 20) == [1, -1, pytest.approx(0.4), -2]


def test_spare_prompts_depend_on_the_generation_only():
    names = [f"p{number}" for number in range(30)]
    first = spare_prompts(names, names[:4], seed=1, generation=5)
    assert sorted(first) == sorted(names[4:])
    assert first == spare_prompts(names[::-1], names[:4], seed=1, generation=5)
    assert first != spare_prompts(names, names[:4], seed=1, generation=6)
