"""The workflow on a real SLURM: one node, brought up for these tests, with accounting and make-believe GPUs.

The profile is the shipped one. Only the seconds between status checks are shortened, and where a test says so, what one
rule asks for.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import processes
import pytest
import yaml
from workflow_copy import REPOSITORY, WorkflowCopy, small_config

CLUSTER = REPOSITORY / "tests" / "slurm" / "cluster.sh"
LONG_STEPS = 2000  # long enough for an interruption of each kind, the slowest of which comes after 30 seconds
MISSING = [
    name for name in ("sbatch", "munged", "mariadbd") if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"needs SLURM and its accounting; not found: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="bringing SLURM up needs root"),
]


ON_SLURM = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "3", "--verbose")


wait_for = partial(processes.wait_for, every=0.2)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a client of the cluster; the cluster lives as long as the session."""
    folder = tmp_path_factory.mktemp("slurm") / "cluster"
    environment = {**os.environ, "SLURM_CONF": f"{folder}/etc/slurm.conf", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    environment = {name: value for name, value in environment.items() if not name.startswith(("SLURM_JOB", "SBATCH_"))}
    try:
        subprocess.run([CLUSTER, "up", folder], check=True, stdout=subprocess.PIPE)
        yield environment
    finally:
        subprocess.run([CLUSTER, "down", folder], check=True)


@pytest.fixture(scope="session")
def slurm(environment: dict[str, str]) -> Callable[..., list[list[str]]]:
    """Call a SLURM client and return its lines, split at bars."""

    def call(*command: str) -> list[list[str]]:
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return [line.split("|") for line in done.stdout.splitlines()]

    return call


def ask(workflow: WorkflowCopy, rule: str, **resources: object) -> None:
    """Change what a rule asks for in the profile, as a user edits it."""
    path = workflow.root / "profiles" / "slurm" / "config.yaml"
    profile = yaml.safe_load(path.read_text(encoding="utf-8"))
    profile["set-resources"].setdefault(rule, {}).update(resources)
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")


def submissions(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("sbatch call:")]


@pytest.fixture(scope="session")
def finished(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> WorkflowCopy:
    """The small experiment with two of its methods, run to its end on the cluster; each training asks for a GPU."""
    workflow = WorkflowCopy(tmp_path_factory.mktemp("finished") / "project", small_config("sft", "dpo"), environment)
    ask(workflow, "train_adapter", gpu=1)
    workflow.run("all", *ON_SLURM)
    return workflow


@pytest.fixture
def workflow(finished: WorkflowCopy, tmp_path: Path) -> WorkflowCopy:
    return finished.clone(tmp_path / "project")


def jobs_of(slurm, rule: str, *states: str) -> list[str]:
    """Ids of the jobs of a rule that the queue shows in one of the states, oldest first."""
    rows = slurm("squeue", "--noheader", "--states=all", "--sort=i", "--format=%i|%T|%k")
    return [job for job, state, comment in rows if state in states and comment.startswith(f"rule_{rule}_")]


def test_the_small_experiment_completes_and_trainings_get_their_gpu(finished, slurm):
    assert (finished.results / "summary.md").exists()
    calls = submissions(finished.said())
    training = [call for call in calls if "--comment rule_train_adapter" in call]
    assert len(training) == len(finished.config.trained)
    assert all("--gpus=1" in call and "--signal=TERM@120" in call for call in training)
    assert not any("--gpus" in call for call in calls if call not in training)

    def accounted() -> list[list[str]]:
        rows = slurm("sacct", "-X", "-n", "-P", "-a", "--starttime=now-1hours", "--format=State,ReqTRES")
        return [row for row in rows if "gres/gpu=1" in row[1]]

    # The accounting is written a little after the end of a job.
    wait_for("the accounting", lambda: len(accounted()) >= len(training), 60)
    assert {state for state, _ in accounted()} == {"COMPLETED"}


def test_a_finished_experiment_submits_nothing(workflow):
    assert "Nothing to be done" in workflow.run("all", *ON_SLURM)


def test_a_cancelled_a_timed_out_and_a_preempted_training_continue_and_end_with_the_same_bytes(
    workflow, slurm, tmp_path
):
    training = workflow.values["training"] | {"steps": LONG_STEPS, "checkpoint_every": 20}
    workflow.configure({**workflow.values, "training": training})
    run = next(iter(workflow.config.runs))
    target = workflow.path(f"adapters/{run}/adapter_model.safetensors")
    undisturbed = workflow.clone(tmp_path / "undisturbed")
    checkpoints = workflow.results / ".checkpoints" / "train" / run
    log = workflow.results / "logs" / "train_adapter" / f"{run}.log"

    def newest_step() -> int:
        return max((int(path.name.partition("-")[2]) for path in checkpoints.glob("*/step-*")), default=0)

    def next_attempt(*earlier: str) -> str:
        """Wait until a job that is none of the earlier ones has continued and saved a checkpoint of its own."""
        wait_for("another attempt", lambda: set(jobs_of(slurm, "train_adapter", "RUNNING")) - set(earlier))
        before = newest_step()
        wait_for("a checkpoint of this attempt", lambda: newest_step() > before)
        (job,) = jobs_of(slurm, "train_adapter", "RUNNING")
        assert not earlier or "Continuing from the checkpoint" in log.read_text()
        return job

    with workflow.running(target, *ON_SLURM) as controller:
        cancelled = next_attempt()
        slurm("scancel", cancelled)

        timed_out = next_attempt(cancelled)
        # One minute is less than the 120 seconds before the limit at which the profile asks for SIGTERM: it is due now.
        slurm("scontrol", "update", f"JobId={timed_out}", "TimeLimit=1")

        preempted = next_attempt(cancelled, timed_out)
        slurm("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 1")
        wait_for("the preemption", lambda: preempted in jobs_of(slurm, "train_adapter", "PENDING"))
        # SLURM lets a requeued job wait for two minutes.
        slurm("scontrol", "update", f"JobId={preempted}", "StartTime=now")
        assert next_attempt(cancelled, timed_out) == preempted
        assert controller.wait(600) == 0, workflow.said()[-6000:]

    def final_states() -> list[str]:
        # Of the accounting, which forgets nothing, but is written a little later.
        rows = [slurm("sacct", "-X", "-n", "-P", "-j", job, "--format=State") for job in jobs]
        return [row[-1][0].split()[0] if row else "" for row in rows]

    jobs = (cancelled, timed_out, preempted)
    wait_for("the accounting", lambda: final_states()[-1] == "COMPLETED", 60)
    assert final_states()[0] == "CANCELLED" and final_states()[1] in ("FAILED", "TIMEOUT")
    assert not checkpoints.exists()
    undisturbed.run("--cores", "1", target)
    assert (undisturbed.root / target).read_bytes() == (workflow.root / target).read_bytes()


def test_a_job_that_exceeds_its_memory_gets_more_at_each_attempt(workflow):
    """Without cgroups it is SLURM's accounting that samples the memory of a job, every second, and kills it."""
    table = workflow.results / "tables" / "geometry.csv"
    expected = table.read_bytes()
    table.unlink()
    ask(workflow, "tabulate_geometry", mem_mb="120 * attempt ** 2")
    calls = submissions(workflow.run(workflow.path("tables/geometry.csv"), *ON_SLURM))
    assert len(calls) > 1, "the first limit sufficed: lower it"
    assert all(f"--mem {120 * attempt**2} " in call for attempt, call in enumerate(calls, 1))
    assert table.read_bytes() == expected


def test_a_job_that_waited_ran_what_was_planned_and_is_refused_when_its_code_was_edited(workflow, slurm):
    """The partition is down while the job waits, so that the edit certainly comes before its start."""
    run = next(iter(workflow.config.runs))
    target = workflow.path(f"adapters/{run}/adapter_model.safetensors")
    record = workflow.results / "adapters" / run / "run.json"
    planned = workflow.values | {"training": workflow.values["training"] | {"steps": 7}}
    edited = workflow.values | {"training": workflow.values["training"] | {"steps": 9}}

    def run_while_waiting(edit: Callable[[], object]) -> int:
        slurm("scontrol", "update", "PartitionName=work", "State=DOWN")
        with workflow.running(target, *ON_SLURM, "--retries", "0") as controller:
            try:
                wait_for("the submission", lambda: jobs_of(slurm, "train_adapter", "PENDING"))
                edit()
            finally:
                slurm("scontrol", "update", "PartitionName=work", "State=UP")
            return controller.wait(600)

    workflow.configure(planned)
    assert run_while_waiting(lambda: workflow.configure(edited)) == 0, workflow.said()[-6000:]
    assert json.loads(record.read_text(encoding="utf-8"))["config"]["training"]["steps"] == 7
    workflow.configure(planned)
    assert "Nothing to be done" in workflow.run(target, *ON_SLURM)

    module = workflow.root / "workflow/scripts/lossgeometry/training/run.py"
    text = module.read_text(encoding="utf-8")
    workflow.configure(edited)
    assert run_while_waiting(lambda: module.write_text(text + "\n\nADDED_BY_A_TEST = 1\n", encoding="utf-8")) != 0
    assert "training/run.py changed after this job was planned; run snakemake again" in workflow.said()
