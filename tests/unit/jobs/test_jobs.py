"""What each job is told holds what it reads, in built-in types, and no key of another job."""

import json
import re
from pathlib import Path

import pytest
import yaml

from lossgeometry import jobs
from lossgeometry.experiment.loading import load_config
from lossgeometry.experiment.runs import BASE
from lossgeometry.provenance import SCRIPTS
from lossgeometry.settings.rollouts import Engine, Sampling
from lossgeometry.settings.tasks import (
    Answers,
    EndPointLosses,
    HiddenStates,
    ImportedRollouts,
    Page,
    PathAccuracy,
    PathLosses,
    ProblemSet,
    SampledRollouts,
    Summary,
    TrainedAdapter,
)
from lossgeometry.settings.training import Training

DEFAULT = yaml.safe_load((Path(__file__).parents[3] / "config" / "config.yaml").read_text(encoding="utf-8"))


def config_with(**blocks):
    """Return the default configuration with keys of some blocks changed."""
    values = {key: dict(value) if isinstance(value, dict) else value for key, value in DEFAULT.items()}
    for name, keys in blocks.items():
        values[name] = values.get(name, {}) | keys if isinstance(keys, dict) else keys
    return load_config(values)


def told(config):
    """Return what every kind of job is told, for the first run and the first pair."""
    run, pair = config.trained[0].id, config.pairs[0]
    return {
        "train": jobs.rollouts.problems(config, "train"),
        "heldout": jobs.rollouts.problems(config, "heldout"),
        "benchmark": jobs.rollouts.problems(config, next(iter(config.evaluation.benchmarks))),
        "imported": jobs.rollouts.imported(config),
        "rollouts": jobs.rollouts.sampled(config),
        "grades": jobs.rollouts.graded(config),
        "training": jobs.training.adapter(config, run),
        "spectra": jobs.weights.base_spectra(config),
        "pair": jobs.weights.pair(config, *pair),
        "pairs": jobs.weights.pairs_table(config),
        "sweeps": jobs.weights.sweeps(config),
        "end": jobs.function_space.endpoint(config, run),
        "path": jobs.function_space.path(config),
        "path accuracy": jobs.function_space.path_accuracy(config),
        "hidden states": jobs.function_space.hidden_states(config),
        "similarity": jobs.function_space.hidden_state_pair(config),
        "answers": jobs.evaluation.answers(config),
        "verdicts": jobs.grading.verdicts(config, next(iter(config.evaluation.benchmarks))),
        "accuracy": jobs.evaluation.accuracy_table(config),
        "summary": jobs.report.summary(config, "paper", ["a.section"])["run"],
        "page": jobs.report.page(config, {"runs": ("run",), "claims": None}, ["a.chart"]),
    }


def test_blocks_are_built_in_types_that_survive_json():
    for block in told(config_with()).values():
        assert json.loads(json.dumps(block)) == block


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({"lora": {"dropout": 0.1}}, set()),
        ({"lora": {"rank": 3}}, {"summary", "page"}),
        ({"geometry": {"k": 3}}, {"pair"}),
        ({"geometry": {"reference": "dft"}}, {"pairs", "accuracy", "page"}),
        ({"connectivity": {"sequences": 17}}, {"end", "path"}),
        ({"connectivity": {"shrink_points": [0.5]}}, {"end"}),
        ({"connectivity": {"accuracy_problems": 17}}, {"path accuracy"}),
        ({"representations": {"tokens": 64}}, {"hidden states"}),
        ({"representations": {"bootstrap": 41}}, {"similarity"}),
        ({"training": {"weight_decay": 0.02}}, {"training"}),
        ({"training": {"threads": 3}}, set()),
        ({"training": {"processes": 2}}, set()),
        ({"grading": {"workers": 7}}, set()),
        ({"evaluation": {"margin": 0.05}}, {"accuracy"}),
    ],
    ids=lambda part: ", ".join(sorted(part)) if isinstance(part, set) else str(part),
)
def test_a_key_reaches_the_jobs_that_read_it_and_no_other(change, concerned):
    before, after = told(config_with()), told(config_with(**change))
    assert {name for name in before if before[name] != after[name]} == concerned


TASKS = {
    "train": ProblemSet,
    "heldout": ProblemSet,
    "benchmark": ProblemSet,
    "imported": ImportedRollouts,
    "rollouts": SampledRollouts,
    "training": TrainedAdapter,
    "end": EndPointLosses,
    "path": PathLosses,
    "path accuracy": PathAccuracy,
    "hidden states": HiddenStates,
    "answers": Answers,
    "summary": Summary,
    "page": Page,
}


@pytest.mark.parametrize("name", TASKS)
def test_a_script_can_hand_on_every_block_as_a_type_and_loses_nothing(name):
    block = told(config_with())[name]
    assert TASKS[name](**block).model_dump(mode="json", by_alias=True, exclude_unset=True) == block


def test_a_grader_reaches_the_jobs_that_grade_with_it_and_the_default_none():
    benchmarks = DEFAULT["evaluation"]["benchmarks"]
    name = next(iter(benchmarks))
    config = config_with(evaluation={"benchmarks": benchmarks | {name: benchmarks[name] | {"grader": "exact"}}})
    before, after = told(config_with()), told(config)
    assert {block for block in before if before[block] != after[block]} == {"verdicts"}
    assert "math_verify" not in json.dumps(before) and after["verdicts"]["grader"] == "exact"
    assert jobs.grading.module(config, name) == "lossgeometry/grading/graders/exact.py"
    assert jobs.grading.module(config, "train") == "lossgeometry/grading/graders/math_verify.py"


def test_the_code_of_a_grader_concerns_the_training_that_samples():
    config = config_with(methods={"online_grpo": {"learning_rate": 1e-3}})
    offline, online = (next(run.id for run in config.trained if run.label == label) for label in ("sft", "online_grpo"))
    grader = jobs.grading.module(config, "train")
    assert grader in jobs.training.modules(config, online) and grader not in jobs.training.modules(config, offline)


def test_what_changes_the_speed_alone_stands_apart_and_completes_the_block():
    config = config_with(training={"precision": "bfloat16"})
    run = config.trained[0].id
    block, speed = jobs.training.adapter(config, run)["training"], jobs.training.speed(config, run)
    resolved = config.training.model_copy(update={"snapshots": config.snapshot_steps})
    assert not block.keys() & speed.keys() and Training(**block, **speed) == resolved
    # In a local engine even the batch size changes rounding.
    config = config_with(rollouts={"engine": {"name": "transformers", "batch_size": 3}})
    block, speed = jobs.rollouts.sampled(config), jobs.rollouts.sampling_speed(config)
    assert not speed and Engine(**block["engine"]) == config.rollouts.engine
    assert Sampling(**block["sampling"]) == config.rollouts.sampling


def test_the_speed_of_an_endpoint_stands_apart_from_what_it_is_asked():
    engine = {"name": "openai", "base_url": "http://127.0.0.1:1/v1", "batch_size": 3}
    config = config_with(teacher={"source": "endpoint", "name": "big"}, rollouts={"engine": engine})
    block, speed = jobs.teacher.completed(config), jobs.teacher.speed(config, "heldout")
    assert (
        block["model"] == "big" and {"batch_size", "timeout_seconds"} <= set(speed) and not block.keys() & speed.keys()
    )
    told = {key: block[key] for key in block.keys() & Engine.model_fields.keys()}
    assert Engine(name="openai", **told, **speed | {"batch_size": 3}) == config.rollouts.engine
    assert Sampling(**block["sampling"]) == config.rollouts.sampling


@pytest.mark.parametrize("total, shards, heldout", [(64, 4, 128), (7, 3, 0), (5, 4, 64), (2, 1, 10_000)])
def test_requests_in_flight_are_shared_by_the_shards_and_the_held_out_problems(total, shards, heldout):
    engine = {"name": "openai", "base_url": "http://127.0.0.1:1/v1", "batch_size": total}
    rollouts = {"engine": engine, "shards": shards, "heldout_prompts": heldout}
    config = config_with(teacher={"source": "endpoint", "name": "big"}, rollouts=rollouts)
    parts = [f"{number + 1}-of-{shards}" for number in range(shards)]
    shares = [jobs.teacher.speed(config, part)["batch_size"] for part in parts]
    assert sum(shares) + jobs.teacher.speed(config, "heldout")["batch_size"] == total
    assert max(shares) - min(shares) <= 1 and min(shares) >= 1


def test_a_method_with_steps_of_its_own_trains_that_long():
    config = config_with(methods={"sft": {"learning_rate": 1e-3, "steps": 3}})
    run = next(run.id for run in config.trained if run.label == "sft")
    assert jobs.training.adapter(config, run)["training"]["steps"] == 3


def test_an_on_policy_method_takes_one_process_and_no_rollouts():
    config = config_with(training={"processes": 2}, methods={"online_grpo": {"learning_rate": 1e-3}})
    offline, online = (next(run.id for run in config.trained if run.label == label) for label in ("sft", "online_grpo"))
    assert [jobs.training.processes(config, run) for run in (offline, online)] == [2, 1]
    assert [jobs.training.is_offline(config, run) for run in (offline, online)] == [True, False]


def test_the_base_is_not_shrunk_towards_itself():
    config = config_with()
    run = config.trained[0].id
    assert jobs.function_space.endpoint(config, BASE)["shrink_points"] == []
    assert jobs.function_space.endpoint(config, run)["shrink_points"] == list(config.connectivity.shrink_points)


def test_the_users_adapters_have_no_known_rate_or_seed_and_may_target_any_matrix():
    config = load_config({"experiment": "own", "adapters": {"a": "mine/a", "b": "mine/b"}})
    unknown = {"learning_rate": None, "seed": "", "init": None, "order": None, "control": False}
    assert jobs.weights.pairs_table(config)["runs"]["external.a"] == {"method": "a"} | unknown
    assert jobs.weights.base_spectra(config) == {"targets": []}
    assert jobs.weights.sweeps(config) == {"runs": []}


def test_problems_of_imported_rollouts_have_no_source_of_their_own():
    values = {key: value for key, value in DEFAULT.items() if key not in ("prompts", "teacher")}
    config = load_config(values | {"rollouts": {"file": "mine.jsonl"}})
    assert jobs.rollouts.problem_sets(config, "generated") == [*config.evaluation.benchmarks, "probe"]
    assert jobs.rollouts.problem_sets(config, "hub", "file") == []


@pytest.mark.parametrize(
    ("seeds", "of_dpo", "alone"), [([1], [], True), ([1, 2], [], False), ([1], [1, 2], False), ([1, 2], [1], True)]
)
def test_the_summary_warns_of_one_seed_where_no_method_has_two(seeds, of_dpo, alone):
    methods = {"dpo": {"learning_rate": 1e-3, "seeds": of_dpo}}
    kept = {key: DEFAULT[key] for key in ("experiment", "prompts", "evaluation")}
    config = load_config({**kept, "seeds": seeds, "methods": methods})
    assert jobs.report.summary(config, "paper", [])["run"]["one_seed"] is alone


def test_settings_reach_the_library_typed():
    untyped = re.compile(r"\bcfg\[")
    assert not [path for path in (SCRIPTS / "lossgeometry").rglob("*.py") if untyped.search(path.read_text())]


def test_what_has_no_low_rank_is_read_beside_the_student_and_the_page_names_it(tmp_path):
    kinds = {"plain": {}, "dora": {"use_dora": True}, "saved": {"modules_to_save": ["down_proj"]}}
    for name, settings in kinds.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **settings}))
    adapters = {name: str(tmp_path / name) for name in kinds}
    student = {"source": "folder", "name": "models/base"}
    config = load_config({"experiment": "own", "adapters": adapters, "student": student})
    told = {run: jobs.weights.update(config, f"external.{run}") for run in adapters}
    assert told == {"plain": {}, "dora": {"rank": 64}, "saved": {"rank": 64}}
    assert jobs.report.page(config, {}, [])["facts"] == {"base": "models/base"}
    # Nobody named the base of these.
    config = load_config({"experiment": "own", "adapters": {name: adapters[name] for name in ("plain", "saved")}})
    assert jobs.weights.update(config, "external.saved") == {}
    assert jobs.report.page(config, {}, [])["facts"] == {}


def test_runs_are_left_out_with_the_method_that_their_update_comes_from():
    problems = {"source": "generated", "count": 8}
    config = load_config(
        {
            "experiment": "x",
            "methods": {"sft": {"learning_rate": 1e-3}, "dpo": {"learning_rate": 1e-4}},
            "prompts": problems,
            "edits": {
                "half": {"of": "dpo", "scale": 0.5},
                "less": {"of": "half", "reject": "sft", "random_control": False},
            },
            "evaluation": {"benchmarks": {"easy": problems, "other": problems}},
            "behaviour": {"problems": 4},
            "forgetting": {"benchmark": "other"},
        }
    )
    told = jobs.function_space.forgetting(config)
    assert {run: entry["method"] for run, entry in told["runs"].items()} == {
        "sft.lr0.001.s42": "sft",
        "dpo.lr0.0001.s42": "dpo",
        "control.untrained": "control: untrained",
        "control.random": "random directions",
        "edit.half": "dpo",
        "edit.half.random": "random directions",
        "edit.less": "dpo",
    }
