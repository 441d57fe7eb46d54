"""Faults: nothing complete is lost, one sentence says what to do, and the next call finishes the experiment."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import wait_for
from workflow_copy import WorkflowCopy, small_config

LOCAL = ("--cores", "1")
RUNS = ("sft.lr0.001.s1", "dpo.lr0.0001.s1")
STEPS = {"steps": 40, "checkpoint_every": 4}


def processes_of(workflow: WorkflowCopy, script: str) -> list[int]:
    """Ids of the processes that run a rule's script in this copy."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            own = str(workflow.root / ".snakemake" / "scripts")
            if any(part.startswith(own) and part.endswith(f".{script}") for part in arguments[1:2]):
                found.append(int(folder.name))
    return found


def newest_step(workflow: WorkflowCopy, run: str) -> int:
    folders = (workflow.results / ".checkpoints" / "train" / run).glob("*/step-*")
    return max((int(folder.name.partition("-")[2]) for folder in folders), default=0)


def contents(folder: Path) -> dict[str, str]:
    """Relative path to digest of every result; not of logs and benchmarks, which tell the time."""
    kept = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"logs", "benchmarks", ".checkpoints"} & set(path.relative_to(folder).parts)
    ]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


@pytest.fixture(scope="module")
def small_experiment(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> WorkflowCopy:
    """The finished experiment; clone it before changing anything."""
    root = tmp_path_factory.mktemp("small") / "project"
    shutil.copytree(experiment, root)
    return WorkflowCopy(root, small_config())


@pytest.fixture(scope="module")
def longer(small_experiment: WorkflowCopy, tmp_path_factory: pytest.TempPathFactory) -> WorkflowCopy:
    """The finished experiment, configured for trainings long enough to be interrupted, which are not yet run."""
    workflow = small_experiment.clone(tmp_path_factory.mktemp("longer") / "project")
    workflow.configure({**workflow.values, "training": workflow.values["training"] | STEPS})
    return workflow


@pytest.fixture(scope="module")
def undisturbed(longer: WorkflowCopy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The adapters of uninterrupted trainings."""
    workflow = longer.clone(tmp_path_factory.mktemp("undisturbed") / "project")
    workflow.run("--cores", "2", *(workflow.path(f"adapters/{run}/adapter_model.safetensors") for run in RUNS))
    return {run: (workflow.results / "adapters" / run / "adapter_model.safetensors").read_bytes() for run in RUNS}


@pytest.fixture
def workflow(longer: WorkflowCopy, tmp_path: Path) -> WorkflowCopy:
    return longer.clone(tmp_path / "project")


@pytest.mark.parametrize("run", RUNS)
def test_a_training_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_one(workflow, undisturbed, run):
    target = workflow.path(f"adapters/{run}/adapter_model.safetensors")
    log = workflow.results / "logs" / "train_adapter" / f"{run}.log"
    moments = random.Random(run)
    for step, number in ((4, signal.SIGKILL), (16, signal.SIGTERM)):
        with workflow.running(*LOCAL, target) as controller:
            wait_for("a checkpoint", lambda step=step: newest_step(workflow, run) >= step)
            time.sleep(moments.uniform(0, 0.2))
            (trainer,) = processes_of(workflow, "train_adapter.py")
            os.kill(trainer, number)
            assert controller.wait(600) == 1
        assert "Error in rule train_adapter" in workflow.said()
        assert ("Stopped by SIGTERM: saved step" in log.read_text()) == (number == signal.SIGTERM)
        assert not (workflow.root / target).exists()
    workflow.run(*LOCAL, target)
    assert "Continuing from the checkpoint" in log.read_text()
    assert (workflow.root / target).read_bytes() == undisturbed[run]
    assert newest_step(workflow, run) == 0, "success clears the checkpoints"


@pytest.fixture(scope="module")
def in_small_batches(small_experiment: WorkflowCopy, tmp_path_factory: pytest.TempPathFactory) -> WorkflowCopy:
    """The finished experiment, configured to answer in batches of four; those answers are not yet generated."""
    workflow = small_experiment.clone(tmp_path_factory.mktemp("batches") / "project")
    evaluation = workflow.values["evaluation"] | {"engine": {"batch_size": 4}}
    workflow.configure({**workflow.values, "evaluation": evaluation})
    return workflow


@pytest.fixture(scope="module")
def undisturbed_answers(in_small_batches: WorkflowCopy, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    workflow = in_small_batches.clone(tmp_path_factory.mktemp("undisturbed") / "project")
    workflow.run(*LOCAL, workflow.path("completions/base/reachable.jsonl"))
    return (workflow.results / "completions/base/reachable.jsonl").read_bytes()


def test_a_generation_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_one(
    in_small_batches, undisturbed_answers, tmp_path
):
    workflow = in_small_batches.clone(tmp_path / "project")
    target = workflow.path("completions/base/reachable.jsonl")
    log = workflow.results / "logs" / "generate_answers" / "base" / "reachable.log"
    moments = random.Random("answers")

    def saved() -> int:
        files = (workflow.results / ".checkpoints").rglob("completions.jsonl")
        return sum(len(file.read_bytes().splitlines()) for file in files)

    for answers, number in ((4, signal.SIGKILL), (20, signal.SIGTERM)):
        with workflow.running(*LOCAL, target) as controller:
            wait_for("a batch", lambda answers=answers: saved() >= answers)
            time.sleep(moments.uniform(0, 0.1))
            (generator,) = processes_of(workflow, "generate_answers.py")
            os.kill(generator, number)
            assert controller.wait(600) == 1
        assert not (workflow.root / target).exists()
    workflow.run(*LOCAL, target)
    assert "continuing after" in log.read_text()
    assert (workflow.root / target).read_bytes() == undisturbed_answers


def test_a_damaged_checkpoint_is_passed_over(workflow, undisturbed):
    run = RUNS[0]
    target = workflow.path(f"adapters/{run}/adapter_model.safetensors")
    with workflow.running(*LOCAL, target) as controller:
        wait_for("two checkpoints", lambda: newest_step(workflow, run) >= 8)
        (trainer,) = processes_of(workflow, "train_adapter.py")
        os.kill(trainer, signal.SIGKILL)
        controller.wait(600)
    newest = newest_step(workflow, run)
    (damaged,) = (workflow.results / ".checkpoints").glob(f"train/*/*/step-{newest:08d}")
    victim = next(damaged.rglob("adapter_model.safetensors"))
    victim.write_bytes(victim.read_bytes()[:-7])
    workflow.run(*LOCAL, target)
    log = (workflow.results / "logs" / "train_adapter" / f"{run}.log").read_text()
    assert f"Ignored the checkpoint {damaged.relative_to(workflow.root)}" in log
    assert (workflow.root / target).read_bytes() == undisturbed[run]


def test_after_a_killed_controller_a_second_trainer_is_refused_and_work_continues(workflow, undisturbed):
    run = RUNS[0]
    target = workflow.path(f"adapters/{run}/adapter_model.safetensors")
    before = contents(workflow.results / "rollouts")
    # The process that writes is the job itself then, and no fork of another.
    with workflow.running(*LOCAL, "--no-hooks", target) as controller:
        wait_for("a checkpoint", lambda: newest_step(workflow, run))
        (orphan,) = processes_of(workflow, "train_adapter.py")
        os.kill(orphan, signal.SIGSTOP)  # so that it surely outlives what follows
        controller.kill()
    try:
        said = workflow.fail(*LOCAL, target)
        assert "--unlock" in said
        workflow.run("--unlock", target)
        said = workflow.fail(*LOCAL, target)
        assert f"error: Process {orphan} on " in said and "is already writing in" in said
    finally:
        os.kill(orphan, signal.SIGKILL)
    workflow.run(*LOCAL, target)
    assert (workflow.root / target).read_bytes() == undisturbed[run]
    assert contents(workflow.results / "rollouts") == before


@pytest.fixture
def on_small_disk(workflow: WorkflowCopy) -> Iterator[WorkflowCopy]:
    """The results on a file system of their own."""
    folder, aside = workflow.root / "results", workflow.root / "aside"
    folder.rename(aside)
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield workflow
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk(on_small_disk, undisturbed):
    workflow, run = on_small_disk, RUNS[0]
    before = contents(workflow.results)
    target = workflow.path(f"adapters/{run}/adapter_model.safetensors")
    statistics = os.statvfs(workflow.results)
    filler = workflow.results / "filler"
    # Room for the log and the lock, not for a checkpoint.
    filler.write_bytes(bytes(statistics.f_bavail * statistics.f_bsize - 60_000))
    said = workflow.fail(*LOCAL, target)
    assert "the disk is full; free some space, then run it again; whatever was complete is kept." in said
    filler.unlink()
    left = contents(workflow.results)
    own = (f"adapters/{run}/", f"adapters/{run}.t")  # the run and its snapshots, which its job writes
    assert {name: digest for name, digest in before.items() if not name.startswith(own)} == left
    workflow.run(*LOCAL, target)
    assert (workflow.root / target).read_bytes() == undisturbed[run]


def test_a_read_only_results_folder(on_small_disk, undisturbed):
    workflow, run = on_small_disk, RUNS[0]
    before = contents(workflow.results)
    target = workflow.path(f"adapters/{run}/adapter_model.safetensors")
    subprocess.run(["mount", "-o", "remount,ro", workflow.root / "results"], check=True)
    said = workflow.fail(*LOCAL, target)
    assert "Write-protected output files for rule train_adapter" in said or "Read-only file system" in said
    assert contents(workflow.results) == before
    subprocess.run(["mount", "-o", "remount,rw", workflow.root / "results"], check=True)
    workflow.run(*LOCAL, target)
    assert (workflow.root / target).read_bytes() == undisturbed[run]


@pytest.mark.parametrize(
    ("name", "needed_for"),
    [
        (f"adapters/{RUNS[0]}/adapter_model.safetensors", f"deltas/{RUNS[0]}.safetensors"),
        (f"deltas/{RUNS[1]}.safetensors", f"rows/{RUNS[1]}/geometry.zip"),
        ("completions/base/reachable.jsonl", "evaluation/base/reachable.jsonl"),
        ("rollouts/rollouts.parquet", "rollouts/tokens.parquet"),
    ],
)
def test_a_damaged_intermediate_file_is_named_and_made_again_once_removed(small_experiment, tmp_path, name, needed_for):
    workflow = small_experiment.clone(tmp_path / "project")
    damaged, target = workflow.results / name, workflow.results / needed_for
    before = damaged.read_bytes(), target.read_bytes()
    damaged.write_bytes(before[0][:-9])
    said = workflow.fail(*LOCAL, workflow.path(needed_for))
    (sentence,) = {line.strip() for line in said.splitlines() if line.strip().startswith("error: ")}
    assert sentence.startswith(f"error: {workflow.path(name)} is damaged: it ends too early; delete it")
    damaged.unlink()
    workflow.run(*LOCAL, workflow.path(needed_for))
    assert (damaged.read_bytes(), target.read_bytes()) == before
