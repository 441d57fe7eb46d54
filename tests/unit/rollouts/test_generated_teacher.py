"""The generated teacher: problems are read back whole, right is right and wrong is wrong, shares are those asked for."""

import random
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
import yaml
from model_folders import problem_rows, save_model
from pydantic import ValidationError

from lossgeometry.errors import ConfigError, InputError
from lossgeometry.experiment.loading import load_config
from lossgeometry.files.jsonl import read_lines, write_atomic
from lossgeometry.generation.requests import rollout_requests
from lossgeometry.grading.grader import Answer, grade
from lossgeometry.problems.generated import draw_problems
from lossgeometry.problems.reading import read_story
from lossgeometry.problems.short import draw_short_problems
from lossgeometry.rollouts import solutions
from lossgeometry.rollouts.composing import compose
from lossgeometry.rollouts.solutions import MISTAKES, STYLES, err, solve
from lossgeometry.rollouts.writing import right_samples, write_completion, write_rollouts
from lossgeometry.settings.rollouts import Engine, Rollouts
from lossgeometry.settings.tasks import WrittenRollouts

SMALL = yaml.safe_load((Path(__file__).parents[3] / "config/small.yaml").read_text(encoding="utf-8"))


def drawn(count: int) -> list:
    """Problems of every difficulty."""
    short = islice(draw_short_problems(5, "rollouts"), count // 2)
    return [*short, *islice(draw_problems(5, "mixed", "rollouts"), count - count // 2)]


def test_a_problem_is_read_back_from_its_text():
    for problem in drawn(500):
        assert read_story(problem.text).problem == problem


@pytest.mark.parametrize("text", ["What is 2 + 2?", "Mia has 5 pens. Ben eats 3. How many pens are left?", ""])
def test_another_problem_is_refused(text):
    with pytest.raises(InputError, match="solves generated problems only"):
        read_story(text)


def test_the_grader_finds_right_solutions_right_and_wrong_ones_wrong_in_every_style():
    rng = random.Random(0)
    answers, expected = [], []
    for problem in drawn(40):
        story = read_story(problem.text)
        for style in STYLES:
            for right in (True, False):
                text = style(story, solve(story) if right else err(story, rng))
                answers.append(Answer(str(problem.answer), text, "stop"))
                expected.append(right)
    assert [verdict.correct for verdict in grade(answers, 1, 5.0)] == expected


def test_every_kind_of_mistake_is_what_its_name_says():
    met = dict.fromkeys(mistake.__name__ for mistake in MISTAKES)
    rng = random.Random(1)
    for problem in drawn(200):
        story = read_story(problem.text)
        right = solve(story).lines
        for mistake in MISTAKES:
            found = mistake(story, rng)
            if found is None:
                continue
            met[mistake.__name__] = True
            sums = [(line.operation, line.operand) for line in found.lines]
            exact = [solutions.apply(line.operation, line.state, line.operand) == line.result for line in found.lines]
            if mistake is solutions.slipped_operation:
                differ = [a[0] != b[0] for a, b in zip(sums, problem.steps, strict=True)]
                assert sum(differ) == 1 and all(exact)
            elif mistake is solutions.dropped_step:
                assert len(sums) == len(problem.steps) - 1 and all(exact)
            elif mistake is solutions.wrong_carry:
                assert sums == list(problem.steps) and exact.count(False) == 1
            else:
                assert found.lines == right and found.boxed != problem.answer
    assert all(met.values())


@pytest.mark.parametrize(
    ("right", "mixed", "samples"), [(0.66, 0.78, 8), (0.92, 0.3, 4), (0.5, 1.0, 2), (0.9, 0.0, 4), (0.05, 0.2, 8)]
)
def test_shares_are_those_asked_for(right, mixed, samples):
    prompts = 3000
    task = WrittenRollouts(samples_per_prompt=samples, right=right, mixed=mixed, seed=3)
    counts = pd.Series([len(right_samples(task, f"p{number}")) for number in range(prompts)])
    both = counts.between(1, samples - 1)
    error = 4 * (0.25 / prompts) ** 0.5
    assert both.mean() == pytest.approx(mixed, abs=error) and counts.mean() / samples == pytest.approx(right, abs=error)


def test_completions_do_not_depend_on_shards_and_repeat_byte_for_byte(tmp_path):
    student = save_model(tmp_path / "student")
    write_atomic(tmp_path / "prompts.jsonl", problem_rows(6))
    task = WrittenRollouts(samples_per_prompt=4, right=0.6, mixed=0.8, seed=3)
    for name, shard in (("all", (0, 1)), ("again", (0, 1)), ("even", (0, 2)), ("odd", (1, 2))):
        write_rollouts(task, student, tmp_path / "prompts.jsonl", shard, tmp_path / name)
    assert (tmp_path / "all").read_bytes() == (tmp_path / "again").read_bytes()
    rows = sorted([*read_lines(tmp_path / "even"), *read_lines(tmp_path / "odd")], key=lambda row: row["problem_id"])
    assert rows == list(read_lines(tmp_path / "all")) and all(row["n_tokens"] > 4 for row in rows)


def test_completions_of_a_prompt_differ_in_style():
    rows = problem_rows(1)
    texts = {write_completion(request, True) for request in rollout_requests(rows, 40, 0)}
    assert len(texts) == len(STYLES)


@pytest.mark.parametrize(
    ("engine", "samples", "said"),
    [
        ({"right": 0.99, "mixed": 0.5}, 4, "lower engine.mixed"),
        ({"right": 0.5, "mixed": 0.5}, 1, "raise samples_per_prompt"),
    ],
)
def test_shares_that_cannot_be_are_refused(engine, samples, said):
    with pytest.raises(ValidationError, match=said):
        Rollouts(samples_per_prompt=samples, engine=Engine(name="generated", **engine))


def test_other_engines_know_nothing_of_shares():
    with pytest.raises(ValidationError, match="right is for solutions written here"):
        Engine(name="vllm", right=0.5)
    assert not {"right", "mixed"} & set(Engine().told())


@pytest.mark.parametrize("prompts", [{"skill": "ordering"}, {"source": "file", "name": "problems.jsonl"}])
def test_problems_that_the_teacher_cannot_solve_are_refused_before_anything_runs(prompts):
    with pytest.raises(ConfigError, match="the generated teacher solves generated arithmetic only"):
        load_config(SMALL | {"prompts": SMALL["prompts"] | prompts})


def test_the_small_configuration_asks_for_compositions_that_its_teacher_writes():
    """Its training would end at them otherwise, most of an hour after the start."""
    rollouts = load_config(SMALL).rollouts
    engine = rollouts.engine
    task = WrittenRollouts(
        samples_per_prompt=rollouts.samples_per_prompt, right=engine.right, mixed=engine.mixed, seed=rollouts.seed
    )
    names = [f"train-{number:05d}" for number in range(SMALL["prompts"]["count"])]
    rows = [(name, sample, right_samples(task, name)) for name in names for sample in range(task.samples_per_prompt)]
    frame = pd.DataFrame(
        [(name, sample, float(sample in rights)) for name, sample, rights in rows],
        columns=["prompt_id", "sample", "reward"],
    )
    for wanted in rollouts.compose.values():
        composed = compose(frame, wanted)
        assert len(composed) == wanted.rows and composed.reward.mean() == pytest.approx(wanted.right)
