"""A configuration that only names adapters: the DAG starts at the deltas, and runs with nothing but numpy."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import yaml
from geometry_tools import name, random_factors, write_adapter
from safetensors.numpy import load_file

from lossgeometry.command.main import main
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.updates.stored import Delta

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]


def snakemake(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "--configfile", "config.yaml"]
    return subprocess.run(
        [*command, "--cores", "2", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path):
    """Three adapters of different ranks, types and targets, and a configuration that names them."""
    for index, (adapter, projections, rank, dtype) in enumerate(
        [("one", "qkvo", 4, "float32"), ("two", "qv", 8, "bfloat16"), ("three", "vo", 4, "float16")]
    ):
        rng = np.random.default_rng(index)
        factors = {name(i, p): random_factors(rng, 24, rank, 24) for i in range(2) for p in projections}
        write_adapter(tmp_path / "mine" / adapter, factors, dtype=dtype)
    config = {
        "experiment": "own",
        "adapters": {adapter: f"mine/{adapter}" for adapter in ("one", "two", "three")},
        "geometry": {"k": 3},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return tmp_path


def test_adapters_alone_are_compared_and_the_command_does_the_same(folder, monkeypatch):
    done = snakemake(folder, "all")
    assert done.returncode == 0, done.stderr
    rules = {line.split()[0] for line in done.stderr.splitlines() if line.split()[1:] in (["2"], ["3"])}
    assert {"reduce_adapter", "compare_pairs"} <= rules and not rules & {"train_adapter", "generate_rollouts"}
    table = pyarrow.parquet.read_table(folder / "results/own/pairs/external.one--external.two/geometry.parquet")
    notes = {row["module"]: row["note"] for row in table.to_pylist() if row["note"] and row["scope"] == "module"}
    assert notes == {name(i, p): "only in external.one" for i in range(2) for p in "ko"}
    ours = folder / "results/own"
    page = (ours / "explorer.html").read_text()
    assert "Qwen3 trained here" not in page and "the choice of loss" not in page.partition("<style")[0]
    monkeypatch.chdir(folder)
    sources = [f"{adapter}=mine/{adapter}" for adapter in ("one", "two", "three")]
    assert main(["compare", *sources, "--out", "command/own", "--k", "3"]) == 0
    written = [path for part in ("deltas", "tables", "figures") for path in (ours / part).rglob("*.*")]
    assert len(written) > 3 + 5 + 3
    for path in [*written, ours / "summary.md"]:
        other = folder / "command/own" / path.relative_to(ours)
        # The summary of the workflow ends with the time that its jobs took.
        same = other.read_bytes().partition(b"## Caveats")[0].strip()
        assert path.read_bytes().partition(b"## Time")[0].partition(b"## Caveats")[0].strip() == same, path


def test_a_changed_adapter_makes_its_own_pairs_anew_and_no_other(folder):
    """Although the other pair is in the same row as one of them."""
    assert snakemake(folder, "pairs").returncode == 0
    made = {path: path.stat().st_mtime_ns for path in (folder / "results/own/pairs").rglob("geometry.parquet")}
    rng = np.random.default_rng(9)
    factors = {name(i, p): random_factors(rng, 24, 4, 24) for i in range(2) for p in "qkvo"}
    write_adapter(folder / "mine" / "one", factors, dtype="float32")
    done = snakemake(folder, "pairs")
    assert done.returncode == 0, done.stderr
    kept = [path.parent.name for path, written in made.items() if path.stat().st_mtime_ns == written]
    assert kept == ["external.two--external.three"]


def test_an_adapter_that_cannot_be_compared_stops_only_its_own_row_and_later_ones(folder):
    config = folder / "mine" / "three" / "adapter_config.json"
    config.write_text(config.read_text().replace('"bias": "none"', '"bias": "none", "use_bdlora": true'))
    done = snakemake(folder, "--keep-going", "pairs")
    assert done.returncode != 0
    assert (folder / "results/own/pairs/external.one--external.two/geometry.parquet").exists()
    log = (folder / "results/own/logs/reduce_adapter/external.three.log").read_text()
    assert log.startswith("error: mine/three cannot be compared (use_bdlora): BD-LoRA") and log.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("mine/thre", "mine/thre does not exist (did you mean mine/three)"),
        ("mine/three/adapter", "neither an existing folder nor a hub id"),
        ("config.yaml", "is a file; name the folder that holds it"),
    ],
)
def test_what_is_no_adapter_is_named_while_jobs_are_planned(folder, source, sentence):
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("mine/three", source))
    done = snakemake(folder, "-n", "pairs")
    said = done.stderr + done.stdout
    assert done.returncode != 0 and f"adapters.three: {source}" in said and sentence in said and "Traceback" not in said


def test_hub_ids_are_fetched_first(folder):
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["adapters"]["hub"] = "someone/an-adapter@main"
    path.write_text(yaml.safe_dump(config))
    done = snakemake(folder, "-n", "deltas")
    assert done.returncode == 0, done.stderr
    assert "Fetching the adapter hub" in done.stderr + done.stdout


def test_a_full_fine_tune_and_a_module_trained_whole_are_compared_beside_adapters(folder):
    """Their deltas are against the student, at the rank of the configuration; stages that attach updates leave the first out."""
    rng = np.random.default_rng(5)
    base = {f"{name(i, p)}.weight": rng.standard_normal((24, 24)) for i in range(2) for p in "qv"}
    tuned = {key: weight + 0.1 * rng.standard_normal((24, 24)) for key, weight in base.items()}
    for part, weights in (("student", base), ("tuned", tuned)):
        write_tensors(folder / part / "model.safetensors", weights, {})
    (folder / "student" / "config.json").write_text("{}")
    (folder / "student" / "tokenizer.json").write_text("{}")
    module = name(1, "v")
    factors = {name(i, "q"): random_factors(rng, 24, 4, 24) for i in range(2)}
    write_adapter(folder / "mine/saved", factors, modules_to_save=["v_proj"])
    weights = folder / "mine/saved/adapter_model.safetensors"
    whole = {f"base_model.model.{module}.weight": tuned[f"{module}.weight"]}
    write_tensors(weights, load_file(weights) | whole, {})
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["adapters"] = {"one": "mine/one", "full": "tuned", "saved": "mine/saved"}
    config["student"] = {"source": "folder", "name": str(folder / "student")}
    config["geometry"]["fine_tune_rank"] = 5
    config["evaluation"] = {"benchmarks": {"made": {"source": "generated", "count": 2}}}
    path.write_text(yaml.safe_dump(config))
    done = snakemake(folder, "pairs")
    assert done.returncode == 0, done.stderr
    delta = Delta(folder / "results/own/deltas/external.full.safetensors")
    assert {delta.rank(module) for module in delta.modules} == {5}
    saved = Delta(folder / "results/own/deltas/external.saved.safetensors")
    assert set(saved.modules) == {*factors, module} and not saved.skipped
    np.testing.assert_allclose(saved.svd(module).s, delta.svd(module).s, rtol=1e-12)
    s = np.linalg.svd(tuned[f"{module}.weight"] - base[f"{module}.weight"], compute_uv=False)
    np.testing.assert_allclose(delta.svd(module).s, s[:5], rtol=1e-12)
    assert delta.left_out[module] == pytest.approx(np.sum(s[5:] ** 2) / np.sum(s**2))
    planned = snakemake(folder, "-n", "evaluations")
    assert planned.returncode == 0, planned.stderr
    assert "external.one" in planned.stdout + planned.stderr and "external.full" not in planned.stdout + planned.stderr
