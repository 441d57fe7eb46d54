"""Runs see the tokens of their rollouts, whether these were made once for all runs or in the run."""

import pyarrow.parquet
import pytest
from training_tools import PROBLEMS, build_world

from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.training import tokens
from lossgeometry.training.examples import labelled_rows, read_rollouts
from lossgeometry.training.preference import training_pairs


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return build_world(tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def stored(world):
    """The tokens as the workflow makes them, in batches of fewer rows than a prompt has."""
    path = world.folder / "tokens.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "ROWS_AT_ONCE", 3)
        tokens.tokenize_rollouts(world.student, world.prompts, world.rollouts, "", path)
    return path


def test_every_rollout_is_there_once_in_the_order_of_the_file(world, stored):
    problems = {row["id"]: row["problem"] for row in PROBLEMS}
    rows = pyarrow.parquet.read_table(stored).to_pylist()
    assert rows == [
        {
            "prompt_id": row.prompt_id,
            "sample": row.sample,
            "prompt_ids": prompt_token_ids(world.tokenizer, problems[row.prompt_id], ""),
            "completion_ids": completion_token_ids(world.tokenizer, row.completion, row.finish_reason == "stop"),
        }
        for row in world.frame.itertuples()
    ]


@pytest.mark.parametrize("given", [{}, {"half": "A"}, {"verdicts": "shuffled"}])
def test_rows_and_pairs_are_those_of_a_run_that_tokenizes_for_itself(world, stored, given):
    if "half" in given:
        given = given | {"prompts": {row["id"]: row for row in PROBLEMS[2:]}}
    here, there = world.job(**given), world.job(tokens=stored, **given)
    one, two = (labelled_rows(read_rollouts(job).assign(weight=1.0), job).to_list() for job in (here, there))
    assert one == two and 0 < len(one) <= len(world.frame)
    one, two = (training_pairs(job, "all_cross").to_list() for job in (here, there))
    assert one == two and one


def test_the_tokens_of_other_rollouts_are_not_taken(world, stored):
    other = world.frame.iloc[::-1].reset_index(drop=True)
    path = world.folder / "other.parquet"
    other.to_parquet(path)
    job = world.job(rollouts=path, tokens=stored)
    with pytest.raises(ValueError, match="other rollouts"):
        labelled_rows(read_rollouts(job).assign(weight=1.0), job)
