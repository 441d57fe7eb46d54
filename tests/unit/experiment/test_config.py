"""A configuration that cannot run is refused before any job starts, in one sentence that names the key and the cure."""

import copy
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lossgeometry.errors import ConfigError
from lossgeometry.experiment import reference as config_reference
from lossgeometry.experiment.loading import load_config

ROOT = Path(__file__).resolve().parents[3]
DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
del DEFAULT["connectivity"], DEFAULT["edits"]  # they name runs, which the tests change
SHIPPED = sorted((ROOT / "config").glob("*.yaml"))


def changed(path: str, value) -> dict:
    values = copy.deepcopy(DEFAULT)
    *parents, last = path.split(".")
    block = values
    for parent in parents:
        block = block[parent]
    block[last] = value
    return values


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_configuration_is_valid(path):
    load_config(yaml.safe_load(path.read_text()))


GENERATED = {"source": "generated", "count": 3}
# (key, value, what the sentence must say): the key, and words of the cure.
BAD = [
    ("trainig", {}, r"^trainig: there is no such key; .* choose one of experiment, .*, training, .*, evaluation"),
    ("training.step", 3, r"^training\.step: .*config/README\.md"),
    ("training.steps", "many", r"^training\.steps: .*integer.*'many'"),
    ("training.micro_batch_size", 7, r"training\.micro_batch_size: it must divide training\.batch_size"),
    ("methods.sft", {"learning_rate": -1e-3}, r"^methods\.sft\.learning_rate: .*greater than 0"),
    ("methods.magic", {"learning_rate": 1e-3}, r"there is no method magic; choose one of dft, .*, or add .*magic\.py"),
    (
        "methods.dpo",
        {"learning_rate": 1e-4, "options": {"betta": 1}},
        r"methods\.dpo\.options\.betta: .*choose one of .*beta",
    ),
    ("methods.dpo", {"learning_rate": 1e-4, "options": {"beta": -1}}, r"methods\.dpo\.options\.beta: .*greater than 0"),
    (
        "methods.online_grpo",
        {"learning_rate": 1e-3, "options": {"generations": 5}},
        r"methods\.online_grpo\.options\.generations: .*divisor of training\.batch_size",
    ),
    ("methods", {}, r"methods: there is nothing to compare; name at least one method, or adapters"),
    ("seeds", [42, 42], r"methods\.sft: run sft\.lr0\.001\.s42 appears twice; remove the repeated seed"),
    ("methods.sft", {"learning_rate": 1e-3, "learning_rates": [1e-3]}, r"methods\.sft: run .* appears twice"),
    ("methods.sft@", {"learning_rate": 1e-3}, r"methods\.sft@: write <method> or <method>@<variant>"),
    (
        "comparisons",
        {"pairs": [["sft.lr1.s1", "rft.lr0.001.s42"]]},
        r"comparisons: there is no sft\.lr1\.s1; name one of sft, ",
    ),
    ("student.source", "endpoint", r"student"),
    ("student", {"source": "gguf"}, r"^student: source: gguf needs `name`, the path of the GGUF file"),
    ("student", {"source": "package", "name": "x"}, r"^student: source: package needs .* `version`, the one to pin"),
    (
        "student",
        {"source": "package", "name": "x", "version": "1", "file": "x.gguf"},
        r"^student: source: package needs `sha256`, the digest of its wheel",
    ),
    ("student", {"source": "package", "name": "x --index-url y", "version": "1"}, r"needs the name of a package"),
    ("student", {"source": "gguf", "name": "x", "sha256": "abc"}, r"^student: sha256: give the 64 hexadecimal digits"),
    ("student.source", "generated", r"student\.source: generated is for the teacher only"),
    ("teacher", {"source": "gguf", "name": "x"}, r"teacher\.source: gguf is for the student only"),
    ("teacher.source", "generated", r"teacher\.source generated and rollouts\.engine\.name generated belong together"),
    ("evaluation.engine", {"name": "generated"}, r"evaluation.*generated solutions are the teacher's"),
    *(
        (key, value, rf"^{re.escape(key)}{below}: input should be {first}.*' or '{last}', but it is 'magic'")
        for key, value, below, first, last in (
            ("evaluation.engine", {"name": "magic"}, r"\.name", "'transformers'", "openai"),
            ("rollouts.engine", {"name": "magic"}, r"\.name", "'transformers'", "openai"),
            ("prompts.schema", "magic", "", "'plain'", "arc"),
            ("prompts.source", "magic", "", "'generated'", "file"),
            ("student.source", "magic", "", "'tiny'", "endpoint"),
            ("representations.estimators", ["magic"], r"\.0", "'debiased'", "shift_cosine"),
        )
    ),
    (
        "methods.online_grpo",
        {"learning_rate": 1.0, "options": {"engine": "magic"}},
        r"options\.engine: input should be 'transformers' or 'vllm', but it is 'magic'",
    ),
    (
        "prompts.grader",
        "magic",
        r"^prompts\.grader: there is no grader magic; choose one of choice, exact, math_verify",
    ),
    ("adapters", {"x": "/nowhere/at/all"}, r"^adapters\.x: /nowhere/at/all is neither an existing folder nor a hub id"),
    ("evaluation.engine", {"name": "openai"}, r"evaluation.*endpoint cannot serve the adapters"),
    *(
        ("experiment", name, r"^experiment: the name .* is also a folder's: use letters, digits and underscores, with")
        for name in ("a/b", "..", ".", "", "a b", ".hidden", "trailing.", "a..b", "a--b", "-a", "a\n", "a\x1b[31m", "é")
    ),
    *(
        (
            "evaluation.benchmarks",
            {name: GENERATED},
            r"^evaluation\.benchmarks: the name .* is also a file's: use letters",
        )
        for name in ("", "a b", "a/b", "..", "a.", "é", "a\n", "\x1b[2J")
    ),
    *(
        (
            "evaluation.benchmarks",
            {name: GENERATED},
            rf"the name {name} is taken by other problems than a benchmark's; choose",
        )
        for name in ("train", "heldout", "probe")
    ),
    ("adapters", {"..": "x"}, r"adapters\.'\.\.': the name is also a folder's: use letters"),
    ("evaluation.margin", 0, r"^evaluation\.margin: .*greater than 0"),
    (
        "methods.online_grpo",
        {"learning_rate": 1.0, "verdicts": "shuffled"},
        r"methods\.online_grpo\.verdicts: .* nothing to shuffle",
    ),
]


@pytest.mark.parametrize(("path", "value", "sentence"), BAD, ids=[f"{row[0]}-{i}" for i, row in enumerate(BAD)])
def test_a_bad_configuration_names_the_key_and_the_cure(path, value, sentence):
    with pytest.raises(ConfigError) as caught:
        load_config(changed(path, value))
    assert re.search(sentence, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_snakemake_refuses_it_before_any_job_with_one_sentence(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(yaml.safe_dump(changed("methods.sft", {"learning_rate": -1})))
    call = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", str(bad), "-n"]
    result = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode != 0
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("The configuration cannot run. methods.sft.learning_rate")
    assert "Traceback" not in result.stderr


def test_runs_are_a_star_around_the_default_and_named_as_promised():
    values = changed(
        "methods", {"sft": {"learning_rate": 5e-6, "learning_rates": [5e-7], "seeds": [42, {"init": 42, "order": 7}]}}
    )
    assert [run.id for run in load_config(values).trained] == [
        "sft.lr5e-06.s42",
        "sft.lr5e-06.s42-o7",
        "sft.lr5e-07.s42",
    ]
    rates = {"learning_rate": 5e-6, "learning_rates": [5e-7], "seeds": [42, 7], "rates_at_all_seeds": True}
    runs = load_config(changed("methods", {"sft": rates | {"further_seeds": [{"init": 42, "order": 7}]}})).trained
    assert [run.id for run in runs if not run.default] == ["sft.lr5e-07.s42", "sft.lr5e-07.s7"]


def test_pairs_follow_the_comparisons_in_the_order_of_the_configuration():
    methods = {
        "sft": {"learning_rate": 1e-3, "seeds": [1, 2], "learning_rates": [1e-4]},
        "dpo": {"learning_rate": 1e-4, "seeds": [1], "learning_rates": [1e-3]},
    }
    values = changed("methods", methods)
    one, two, low = "sft.lr0.001.s1", "sft.lr0.001.s2", "sft.lr0.0001.s1"
    dpo, high = "dpo.lr0.0001.s1", "dpo.lr0.001.s1"

    def pairs(**comparisons):
        off = {"methods": False, "seeds": False, "learning_rates": False, "adapters": False}
        return load_config(values | {"comparisons": off | comparisons}).pairs

    assert pairs(methods=True) == [(one, dpo)]
    assert pairs(seeds=True) == [(one, two)]
    assert pairs(learning_rates=True) == [(one, low), (dpo, high)]
    assert pairs(matched=[1e-3]) == [(one, high)]
    assert pairs(matched=[1e-4]) == [(low, dpo)]
    assert pairs(pairs=[[high, two]]) == [(two, high)]
    assert pairs(methods=True, seeds=True, exclude=[two]) == [(one, dpo)]
    assert pairs(methods=True, seeds=True, exclude=["dpo"]) == [(one, two)]


def test_the_schema_and_the_reference_are_those_of_the_models():
    assert (ROOT / "config" / "schema.json").read_text() == config_reference.schema(), "run `make reference`"
    assert (ROOT / "config" / "README.md").read_text() == config_reference.reference(), "run `make reference`"


def test_every_key_is_described():
    for key, _, _, text in config_reference.describe(config_reference.Config):
        assert len(text) > 10, f"{key} has no description"
