"""`make verify` computes again what results claim of themselves, wherever they lie, and lists what does not hold."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from planning import CONFIG, Project
from safetensors.numpy import save_file

from lossgeometry.provenance import digest_of_file, digest_of_files
from lossgeometry.records import check, mixtures, record_outputs
from lossgeometry.students.files import write_manifest

FILES = {
    "tables/runs.csv": "tabulate_runs",
    "rollouts/rollouts.parquet": "grade_rollouts",
    "adapters/sft.lr1.s1/adapter_model.safetensors": "train_adapter/sft.lr1.s1",
    "adapters/sft.lr1.s1/training.csv": "train_adapter/sft.lr1.s1",
    "deltas/sft.lr1.s1.safetensors": "reduce_adapter/sft.lr1.s1",
    "models/student/model.safetensors": "build_student",
    "pairs/a--b/geometry.parquet": "compare_pair/a--b",
}


@pytest.fixture
def copied(tmp_path):
    """Results in a folder that they were not made in."""
    results = tmp_path / "results" / "tiny"
    for number, name in enumerate(FILES):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".safetensors"):
            weights = results / "adapters/sft.lr1.s1/adapter_model.safetensors"
            source = {"source": digest_of_file(weights)} if name.startswith("deltas") else None
            save_file({"a": np.full(4, float(number))}, results / name, metadata=source)
        else:
            (results / name).write_text(f"content {number}")
    write_manifest(results / "models" / "student", results / "models" / "student.json")
    inputs = digest_of_files([results / "models" / "student", results / "rollouts" / "rollouts.parquet"])
    (results / "adapters/sft.lr1.s1/run.json").write_text(json.dumps({"inputs": inputs}))
    for job in dict.fromkeys(FILES.values()):
        outputs = [str(results / name) for name, maker in FILES.items() if maker == job]
        record_outputs(str(results / "logs" / f"{job}.log"), outputs, {"a.py": "1", "numpy": "2.4"})
    shutil.copytree(results, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    shutil.rmtree(results)
    return tmp_path / "elsewhere"


def test_an_untouched_copy_holds(copied):
    assert check(copied) == ([], len(FILES))


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_byte_is_found(copied, name):
    content = bytearray((copied / name).read_bytes())
    content[-1] ^= 1
    (copied / name).write_bytes(content)
    wrong, _ = check(copied)
    assert len(wrong) == 1 and wrong[0].startswith(
        f"{name} is not what records/{FILES[name]}.json claims: its sha256 is "
    )


def test_a_missing_file_and_a_damaged_claim_are_found(copied):
    (copied / "tables/runs.csv").unlink()
    (copied / "models/student.json").write_text("{")
    assert check(copied)[0] == [
        "tables/runs.csv is missing; records/tabulate_runs.json claims it",
        "models/student.json is damaged: it cannot be read",
    ]


def test_an_adapter_that_was_trained_again_alone_is_not_what_its_delta_was_made_of(copied):
    """Each file is what its own record says, and the two do not belong together."""
    weights = copied / "adapters/sft.lr1.s1/adapter_model.safetensors"
    save_file({"a": np.full(4, 9.0)}, weights)
    record_outputs(
        str(copied / "logs/train_adapter/sft.lr1.s1.log"), [str(weights), str(weights.with_name("training.csv"))], {}
    )
    wrong, _ = check(copied)
    assert len(wrong) == 1 and "is not what deltas/sft.lr1.s1.safetensors claims" in wrong[0]


def test_jobs_of_one_rule_that_computed_with_two_versions_are_told(copied):
    assert mixtures(copied) == []
    record_outputs(str(copied / "logs/compare_pair/a--c.log"), [], {"numpy": "2.5", "x.py": "2"})
    assert mixtures(copied) == ["the jobs of compare_pair used numpy in 2 versions: 2.4 (1 jobs), 2.5 (1 jobs)"]


def test_what_a_job_wrote_is_recorded_and_the_command_fails_where_it_changed(tmp_path):
    project = Project.create(tmp_path / "project")

    def call(*command):
        return subprocess.run([sys.executable, *command], cwd=project.root, capture_output=True, text=True, check=False)

    prompts = "results/plan/prompts/train.jsonl"
    done = call("-m", "snakemake", prompts, "--cores", "1", "--configfile", CONFIG)
    assert done.returncode == 0, done.stderr
    held = call("workflow/scripts/verify_results.py")
    assert (held.returncode, held.stdout) == (0, "plan: 1 of 1 files are what is claimed of them\n"), held.stderr
    # A storage takes no records, but the run.json, manifests and updates that claim something too.
    bucket = tmp_path / "bucket"
    (bucket / "models").mkdir(parents=True)
    shutil.copy(project.root / prompts, bucket / "models")
    (bucket / "models/student.json").write_text(json.dumps({"train.jsonl": digest_of_file(project.root / prompts)}))
    held = call("workflow/scripts/verify_results.py", bucket)
    assert held.returncode == 0 and held.stdout.splitlines() == [
        "bucket: 1 of 1 files are what is claimed of them",
        "bucket: no records of jobs are here, so nothing is claimed of the other files",
    ]
    with (project.root / prompts).open("a") as file:
        file.write("{}\n")
    failed = call("workflow/scripts/verify_results.py", "results/plan")
    assert failed.returncode == 1
    assert failed.stdout.startswith("plan: prompts/train.jsonl is not what records/write_prompts/train.json claims")
