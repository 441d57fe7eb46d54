"""What a change re-runs: exact job lists, rule by rule, planned by Snakemake on the real workflow."""

import ast
import copy
import re
import shutil

import pytest
from expected_jobs import (
    BENCHMARKS,
    CHANGED_CONFIG,
    GRADED,
    NOTHING,
    REFERENCE,
    REPORT,
    RUNS,
    SAMPLED,
    SHOWN,
    TABLES,
    jobs,
    on_benchmarks,
    rows_of,
    run,
    runs_of,
    single,
    trained,
)
from planning import EXPERIMENT, METHODS, SEEDS, Project, edit
from workflow_copy import REPOSITORY

pytestmark = pytest.mark.slow


def test_a_new_experiment_runs_everything_once(tmp_path):
    assert Project.create(tmp_path / "project").plan() == trained(RUNS) | REFERENCE | SAMPLED | single(
        "build_student", "build_teacher", "write_config", "tabulate_contamination"
    ) | jobs(
        write_prompts=["train", "heldout", *BENCHMARKS, "probe"],
        initialise_adapter=SEEDS,
        generate_answers=on_benchmarks(["base", *RUNS]),
        grade_answers=on_benchmarks(["base", *RUNS]),
    )


def test_a_finished_experiment_runs_nothing_and_every_job_was_recorded(finished):
    assert finished.plan() == NOTHING
    assert len(list((finished.root / ".snakemake" / "metadata").iterdir())) == len(finished.outputs)


def test_controls_cost_their_answers_and_one_adapter_without_training(project):
    project.set("evaluation.controls", True)
    controls = ["control.untrained", "control.random"]
    tables = ("accuracy", "geometry", "representations", "runs", "sensitivity")
    assert project.plan() == CHANGED_CONFIG | single(*(f"tabulate_{table}" for table in tables)) | jobs(
        derive_adapter=["control.random"],
        extract_representations=["control.random"],
        compare_representations=["control.random"],
        generate_answers=on_benchmarks(controls),
        grade_answers=on_benchmarks(controls),
    )


# One method's hyper-parameter, loss module, learning rate.


def test_a_hyperparameter_of_one_method(project):
    project.set("methods.dpo.options.beta", 0.2)
    assert project.plan() == trained(runs_of("dpo")) | CHANGED_CONFIG


def test_the_module_of_one_method(project):
    edit(project.module("methods/dpo.py"))
    assert project.plan() == trained(runs_of("dpo"))


def test_a_training_module_that_only_some_methods_reach(project):
    edit(project.module("training/preference.py"))
    assert project.plan() == trained(runs_of("dpo"))


def test_a_default_learning_rate_makes_new_runs(project):
    project.set("methods.dpo.learning_rate", 2e-4)
    new = {seed: f"dpo.lr0.0002.s{seed}" for seed in SEEDS}
    pairs = [(run(method, seed), new[seed]) for method in ("sft", "dft") for seed in SEEDS] + [tuple(new.values())]
    assert project.plan() == trained(list(new.values()), pairs) | CHANGED_CONFIG


# Shared modules.


@pytest.mark.parametrize("module", ["training/run.py", "train_adapter.py", "training/setup.py"])
def test_a_shared_training_module(project, module):
    edit(project.module(module))
    assert project.plan() == trained(RUNS)


def test_a_shared_training_setting(project):
    project.set("training.steps", 16)
    assert project.plan() == trained(RUNS) | CHANGED_CONFIG


@pytest.mark.parametrize("module", ["geometry/angles.py", "geometry/pairs.py", "compare_pairs.py"])
def test_a_module_of_pair_metrics(project, module):
    edit(project.module(module))
    assert project.plan() == jobs(compare_pairs=rows_of(RUNS)) | single(
        "tabulate_geometry", "tabulate_sensitivity", *REPORT
    )


def test_a_module_of_the_decomposition(project):
    edit(project.module("updates/stored.py"))
    expected = jobs(reduce_adapter=RUNS, compare_pairs=rows_of(RUNS)) | single(
        "compare_sweeps", "tabulate_geometry", "tabulate_sensitivity", *REPORT
    )
    assert project.plan() == expected


def test_a_module_of_the_representations(project):
    edit(project.module("representations/cka.py"))
    expected = jobs(compare_representations=rows_of(RUNS)) | single("tabulate_representations", *REPORT)
    assert project.plan() == expected


def test_a_module_of_the_interpolation(project):
    edit(project.module("interpolate_pairs.py"))
    assert project.plan() == jobs(interpolate_pairs=rows_of(RUNS)) | single(
        "tabulate_connectivity", "tabulate_sensitivity", *REPORT
    )


def test_the_smallest_barrier_that_counts_measures_nothing_again(project):
    project.set("connectivity.smallest_barrier", 0.02)
    assert project.plan() == single("tabulate_connectivity", "tabulate_sensitivity", *REPORT) | CHANGED_CONFIG


def test_a_module_of_the_answers(project):
    edit(project.module("evaluation/answering.py"))
    everyone = on_benchmarks(["base", *RUNS])
    assert project.plan() == jobs(generate_answers=everyone, grade_answers=everyone) | single(
        "tabulate_accuracy", "tabulate_sensitivity", *REPORT
    )


def test_the_margin_of_equality(project):
    project.set("evaluation.margin", 0.05)
    assert project.plan() == CHANGED_CONFIG | single("tabulate_accuracy", "tabulate_sensitivity")


def test_a_module_of_the_contamination(project):
    edit(project.module("evaluation/contamination.py"))
    assert project.plan() == single("tabulate_contamination", "tabulate_accuracy", "tabulate_sensitivity", *REPORT)


def test_a_table(project):
    edit(project.module("tabulate_accuracy.py"))
    assert project.plan() == single("tabulate_accuracy", "tabulate_sensitivity", *REPORT)


# Additions.


def test_a_method_added(project):
    project.set("methods.rft", {"learning_rate": 1e-3})
    new = runs_of("rft")
    pairs = [(run(method, seed), run("rft", seed)) for method in METHODS for seed in SEEDS] + [tuple(new)]
    assert project.plan() == trained(new, pairs) | CHANGED_CONFIG


def test_a_method_inserted(project):
    """Its pairs with later runs belong to their rows, in which nothing else is measured."""
    sft, *others = project.experiment["methods"].items()
    project.set("methods", dict([sft, ("rft", {"learning_rate": 1e-3}), *others]))
    new = runs_of("rft")
    pairs = [(run("sft", seed), run("rft", seed)) for seed in SEEDS] + [tuple(new)]
    pairs += [(run("rft", seed), run(method, seed)) for method in ("dft", "dpo") for seed in SEEDS]
    assert project.plan() == trained(new, pairs) | CHANGED_CONFIG


def test_a_seed_added(project):
    project.set("seeds", [42, 43, 44])
    new = [run(method, "44") for method in METHODS]
    pairs = [(run(method, seed), run(method, "44")) for method in METHODS for seed in SEEDS]
    pairs += [(new[0], new[1]), (new[0], new[2]), (new[1], new[2])]
    assert project.plan() == trained(new, pairs) | CHANGED_CONFIG | jobs(initialise_adapter=["44"])


def test_a_learning_rate_added(project):
    project.set("methods.dpo.learning_rates", [1e-3])
    assert project.plan() == trained(["dpo.lr0.001.s42"], [(run("dpo"), "dpo.lr0.001.s42")]) | CHANGED_CONFIG


def test_a_pair_added(project):
    project.set("comparisons.pairs", [[run("dpo", "43"), run("sft", "42")]])
    assert project.plan() == CHANGED_CONFIG | single(
        "tabulate_accuracy", "tabulate_geometry", "tabulate_sensitivity"
    ) | jobs(compare_pairs=[run("dpo", "43")])


def test_a_benchmark_added(project):
    project.set("evaluation.benchmarks.third", {"source": "generated", "count": 8, "seed": 9})
    answers = on_benchmarks(["base", *RUNS], ["third"])
    assert project.plan() == CHANGED_CONFIG | single(
        "tabulate_contamination", "tabulate_accuracy", "tabulate_sensitivity"
    ) | jobs(write_prompts=["third"], generate_answers=answers, grade_answers=answers)


# Changes further up, and removal.


def test_one_benchmark(project):
    project.set("evaluation.benchmarks.hard.seed", 5)
    answers = on_benchmarks(["base", *RUNS], ["hard"])
    assert project.plan() == CHANGED_CONFIG | single(
        "tabulate_contamination", "tabulate_accuracy", "tabulate_sensitivity"
    ) | jobs(write_prompts=["hard"], generate_answers=answers, grade_answers=answers)


def test_the_count_of_the_first_benchmark_measures_no_path_and_no_hidden_state_again(project):
    project.set("evaluation.benchmarks.easy.count", 300)
    project.finish()
    project.set("evaluation.benchmarks.easy.count", 400)
    answers = on_benchmarks(["base", *RUNS], ["easy"])
    assert project.plan() == CHANGED_CONFIG | single(
        "tabulate_contamination", "tabulate_accuracy", "tabulate_sensitivity"
    ) | jobs(write_prompts=["easy"], generate_answers=answers, grade_answers=answers)


def test_benchmarks_change_places_where_the_probe_is_named(project):
    """The order is that of the tables."""
    project.set("probe", project.experiment["evaluation"]["benchmarks"]["easy"])
    project.finish()
    project.set("evaluation.benchmarks", dict(reversed(project.experiment["evaluation"]["benchmarks"].items())))
    assert project.plan() == CHANGED_CONFIG | single("tabulate_accuracy", "tabulate_sensitivity")


def test_naming_the_probe_that_was_the_default_measures_nothing_again(project):
    project.set("probe", project.experiment["evaluation"]["benchmarks"]["easy"])
    assert project.plan() == SHOWN


def test_the_number_of_held_out_problems_trains_nothing_again(project):
    project.set("rollouts.heldout_prompts", 70)
    pairs = rows_of(RUNS)
    assert project.plan() == CHANGED_CONFIG | REFERENCE | single(
        "generate_heldout", "grade_heldout", "tabulate_connectivity", "tabulate_representations", "tabulate_sensitivity"
    ) | jobs(write_prompts=["heldout"], interpolate_pairs=pairs, compare_representations=pairs)


def test_finished_parts_are_not_sampled_again_in_another_number(project):
    project.set("rollouts.shards", 3)
    assert project.plan() == NOTHING
    shutil.rmtree(project.root / "results" / "plan" / "rollouts" / "shards")
    assert project.plan()["generate_rollouts"] == ["1-of-3", "2-of-3", "3-of-3"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.checkpoint_every", 7),
        ("rollouts.engine.timeout_seconds", 9.0),
        ("rollouts.engine.gpu_memory_utilization", 0.5),
        ("evaluation.engine.gpu_memory_utilization", 0.5),
    ],
)
def test_what_changes_the_speed_alone_runs_nothing(project, key, value):
    project.set(key, value)
    assert project.plan() in (NOTHING, SHOWN)


def test_what_changes_the_speed_of_vllm_alone_runs_nothing(tmp_path):
    experiment = copy.deepcopy(EXPERIMENT)
    experiment["rollouts"]["engine"] = experiment["evaluation"]["engine"] = {"name": "vllm"}
    experiment["methods"]["online_grpo"] = {"learning_rate": 1e-3, "options": {"engine": "vllm"}}
    project = Project.create(tmp_path / "project", experiment)
    project.finish()
    for key in ("rollouts.engine", "evaluation.engine"):
        project.set(key, {"name": "vllm", "batch_size": 7, "gpu_memory_utilization": 0.5})
    project.set("methods.online_grpo.options.gpu_memory_utilization", 0.5)
    assert project.plan() == SHOWN


def test_the_grader_of_one_benchmark_and_then_its_module(project):
    project.set("evaluation.benchmarks.hard.grader", "exact")
    regraded = jobs(grade_answers=on_benchmarks(["base", *RUNS], ["hard"])) | single(
        "tabulate_accuracy", "tabulate_sensitivity", *REPORT
    )
    assert project.plan() == regraded | CHANGED_CONFIG
    project.finish()
    edit(project.module("grading/graders/exact.py"))
    assert project.plan() == regraded


def test_the_grader_of_everything(project):
    edit(project.module("grading/graders/math_verify.py"))
    answers = on_benchmarks(["base", *RUNS])
    assert project.plan() == trained(RUNS) | REFERENCE | GRADED | jobs(grade_answers=answers)


def test_the_teacher(project):
    project.set("teacher.tiny.seed", 8)
    assert project.plan() == trained(RUNS) | REFERENCE | CHANGED_CONFIG | SAMPLED | single("build_teacher")


def test_a_method_removed_leaves_the_others_alone_and_drops_out_of_the_tables(project):
    methods = {name: method for name, method in project.experiment["methods"].items() if name != "dft"}
    project.set("methods", methods)
    # Rows that held its pairs are packed without them; the pairs that stay are current, see tests/unit/files/test_rows.py.
    packed = rows_of(runs_of("dpo"), [(run("sft", seed), run("dpo", seed)) for seed in SEEDS])
    assert project.plan() == CHANGED_CONFIG | single(*TABLES) | jobs(
        compare_pairs=packed, interpolate_pairs=packed, compare_representations=packed
    )


def test_the_last_method_removed_concerns_no_other_row(project):
    methods = {name: method for name, method in project.experiment["methods"].items() if name != "dpo"}
    project.set("methods", methods)
    assert project.plan() == CHANGED_CONFIG | single(*TABLES)


# A content that changed under an old modification time counts as new. `edit` leaves one everywhere above; here is an input
# that is no code.


def test_a_result_that_was_replaced_counts_as_new(project):
    path = project.root / "results/plan/deltas" / f"{run('dpo')}.safetensors"
    path.write_text("another update", encoding="utf-8")
    assert project.plan() == jobs(compare_pairs=rows_of([run("dpo")])) | single(
        "compare_sweeps", "tabulate_geometry", "tabulate_sensitivity", *REPORT
    )


# The conditions that the lists above rest on.


@pytest.mark.parametrize("room", ["methods", "grading/graders"])
def test_nothing_shared_imports_what_is_loaded_by_name(room):
    library = REPOSITORY / "workflow" / "scripts"
    named = {path.stem for path in (library / "lossgeometry" / room).glob("*.py")} - {"__init__"}
    assert named
    for path in library.rglob("*.py"):
        if path.parent == library / "lossgeometry" / room:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                package = room.replace("/", ".")
                assert not any(f"{package}.{module}" in str(name) for module in named), f"{path} imports {name}"


def test_no_rule_depends_on_the_date_of_a_folder():
    """A copy renews it. Rules read models as `model(...)` gives them, by their manifest."""
    for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"):
        lines = path.read_text(encoding="utf-8").splitlines()
        named = [line for line in lines if re.search(r"(student|teacher)_folder\(\)", line)]
        assert all(re.search(r"def |manifest|model\(|ancient\(|directory\(", line) for line in named), (
            f"{path}: {named}"
        )
