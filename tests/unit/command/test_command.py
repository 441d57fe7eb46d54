"""The command `lossgeometry` as a stranger calls it: what it prints, writes, and says when it cannot."""

import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from geometry_tools import name, random_factors, write_adapter

from lossgeometry.command.main import SUBCOMMANDS, main
from lossgeometry.command.sources import named_sources
from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.provenance import SCRIPTS
from lossgeometry.updates.loading import load
from lossgeometry.updates.reduction import write_delta

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "lossgeometry.command.main"]


def factors(seed, r=4, projections="qv"):
    rng = np.random.default_rng(seed)
    return {name(i, p): random_factors(rng, 20, r, 16) for i in range(2) for p in projections}


def said(capsys, *arguments):
    """Run the command in this process; return exit code, standard output and standard error."""
    code = main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return code, output.out, output.err


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three adapters that are all called `adapter`; the second is close to the first; their comparison."""
    folder = tmp_path_factory.mktemp("three")
    first = factors(0)
    close = {module: (b + 0.1, a) for module, (b, a) in first.items()}
    for run, held in (("one", first), ("two", close), ("three", factors(1, projections="qvo"))):
        write_adapter(folder / run / "adapter", held, base_model_name_or_path=f"owner/{'B' if run == 'three' else 'A'}")
    paths = [str(folder / run / "adapter") for run in ("one", "two", "three")]
    done = subprocess.run(
        [*COMMAND, "compare", *paths, "--out", str(folder / "out"), "--k", "3"],
        capture_output=True, text=True, check=False, cwd=SCRIPTS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_matrix_and_the_findings_are_those_of_the_tables(three):
    folder, printed = three
    table = pd.read_csv(folder / "out/tables/geometry.csv")
    whole = table[(table.scope == "global") & (table.metric == "cosine")]
    values = {
        (row.run_a.removeprefix("external."), row.run_b.removeprefix("external.")): row for row in whole.itertuples()
    }
    assert set(values) == {("one", "two"), ("one", "three"), ("two", "three")}
    lines = {line.split()[1]: line.split()[2:] for line in printed.splitlines() if re.match(r"[123] \w", line)}
    assert lines["two"][0] == f"{values['one', 'two'].value:.3f}"
    assert lines["three"][0] == f"{values['one', 'three'].value:.3f}" and lines["three"][1] == "~"
    exact = load(folder / "one/adapter").cosine(load(folder / "two/adapter"))
    assert values["one", "two"].value == pytest.approx(exact, abs=1e-9)
    assert f"are one and two, cosine {exact:.3f}" in printed
    assert "one and three: over 4 modules; 2 not compared; other bases, A and B" in printed


def test_controls_and_replicates_stand_beside_every_pair(tmp_path, capsys):
    """`noise` knows no verdict; `one` and `again` differ in the order of their data."""
    held = {run: factors(seed) for seed, run in enumerate(("one", "noise", "other"))}
    held["again"] = {module: (b + 0.1, a) for module, (b, a) in held["one"].items()}
    for run, of_run in held.items():
        write_adapter(tmp_path / run, of_run)
    asked = [*(tmp_path / run for run in held), "--out", tmp_path / "out", "--k", "3", "--control", "noise"]
    code, printed, _ = said(capsys, "compare", *asked, "--replicate", "one", "again")
    exact = {frozenset((a, b)): load(tmp_path / a).cosine(load(tmp_path / b)) for a in held for b in held}
    table = pd.read_csv(tmp_path / "out/tables/geometry.csv")
    whole = table[(table.scope == "global") & (table.metric == "cosine")].set_index(["run_a", "run_b"])
    row = whole.loc["external.one", "external.other"]
    assert code == 0 and row.control == pytest.approx(
        max(exact[frozenset(("noise", "one"))], exact[frozenset(("noise", "other"))])
    )
    assert row.replicate == pytest.approx(exact[frozenset(("one", "again"))])
    assert (
        row.reshuffle == "cannot tell"
        and row.reshuffle_reason == "no order replicate of other; name one with --replicate"
    )
    line = next(line for line in printed.splitlines() if line.startswith("one - other "))
    assert f"{row.value:.3f}" in line and f"{row.control:.3f}" in line and f"{row.replicate:.3f}" in line
    assert "cannot tell: no order replicate of other" in line
    for wrong in (["--control", "two"], ["--control", "again", "--replicate", "one", "again"]):
        code, _, error = said(capsys, "compare", *asked[:-2], *wrong)
        assert code == 1 and error.count("\n") == 1


def test_everything_that_the_workflow_reports_is_written(three):
    folder, _ = three
    out = folder / "out"
    assert {"config.yaml", "summary.md", "explorer.html", "deltas", "pairs", "tables", "figures"} <= {
        path.name for path in out.iterdir()
    }
    tables = {path.stem for path in (out / "tables").iterdir()} - {"README"}
    assert tables == {"runs", "geometry", "layers", "modules", "grassmann", "findings"}
    dictionary = (out / "tables/README.md").read_text()
    assert set(re.findall(r"^## (\w+)\.", dictionary, re.M)) == tables
    figures = {path.stem for path in (out / "figures").iterdir()}
    assert "cosine_map" in figures
    assert {path.name for path in (out / "figures").iterdir()} == {
        f"{figure}.{suffix}" for figure in figures for suffix in ("svg", "pdf", "png")
    }
    assert (out / "figures/cosine_map.pdf").read_bytes().startswith(b"%PDF")


def test_nothing_is_said_of_strangers_that_is_not_known(three):
    folder, _ = three
    for file in ("summary.md", "explorer.html"):
        text = (folder / "out" / file).read_text()
        assert "Qwen3 trained here" not in text and "what the choice of loss did" not in text.partition("<script")[0]
    summary = (folder / "out/summary.md").read_text()
    assert not re.search(r"seed|rollouts|accuracy|shuffle|control|loss\b", summary)
    assert "one, two, three" in summary


def test_the_same_command_gives_the_same_bytes(three, tmp_path, capsys):
    folder, _ = three
    paths = [folder / run / "adapter" for run in ("one", "two", "three")]
    assert said(capsys, "compare", *paths, "--out", tmp_path / "out", "--k", "3")[0] == 0
    files = sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert files
    for file in files:
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), file


def test_a_pair_is_described_in_full(three, tmp_path, capsys):
    folder, _ = three
    code, printed, _ = said(
        capsys, "compare", folder / "one/adapter", f"other={folder / 'two/adapter'}", "--out", tmp_path / "out"
    )
    assert code == 0 and "adapter and other, 4 modules, 4 directions" in printed
    assert "first angle, output side (degrees)" in printed


def test_two_adapters_are_compared_where_they_lie_as_from_delta_files(three, tmp_path, capsys):
    folder, _ = three
    paths = [f"{run}={folder / run / 'adapter'}" for run in ("one", "two")]
    assert said(capsys, "compare", *paths, "--out", tmp_path / "out", "--k", "3")[0] == 0
    assert not (tmp_path / "out/deltas").exists() and (folder / "out/deltas").exists()
    here, there = (pd.read_csv(out / "tables/geometry.csv") for out in (tmp_path / "out", folder / "out"))
    there = there[(there.run_a == here.run_a[0]) & (there.run_b == here.run_b[0])].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        here[["scope", "metric", "side", "value", "null_mean", "null_sd"]],
        there[["scope", "metric", "side", "value", "null_mean", "null_sd"]],
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/a/adapter", "runs/b/adapter"], ["a", "b"]),
        (["run/checkpoint-10", "run/checkpoint-20"], ["checkpoint-10", "checkpoint-20"]),
        (["x/checkpoint-10", "y/checkpoint-10"], ["x", "y"]),
        (["x/checkpoint-10", "x/checkpoint-20", "y/checkpoint-10"], ["x-checkpoint-10", "x-checkpoint-20", "y-checkpoint-10"]),
        (["first", "second/adapter"], ["first", "adapter"]),
        (["mine=x/adapter", "y/adapter", "z/adapter"], ["mine", "y", "z"]),
        (["owner/name@v1", "owner/name@v2"], ["name_v1", "name_v2"]),
        (["a/my run (1)", "a/x--y", "a/.hidden"], ["my_run_1_", "x-y", "hidden"]),
    ],
)  # fmt: skip
def test_names_are_the_shortest_that_tell_apart(paths, names):
    assert list(named_sources(paths)) == names


def test_names_that_cannot_be(tmp_path):
    for names in (["a--b=x", "c=y"], ["..=x", "c=y"], ["a b=x"]):
        with pytest.raises(InputError, match="is also a file's"):
            named_sources(names)
    with pytest.raises(InputError, match="two adapters are called x; give them names"):
        named_sources(["a/x", "a/x"])


def test_one_adapter_is_shown(tmp_path, capsys):
    held = factors(2)
    held[name(0, "q")] = (0 * held[name(0, "q")][0], held[name(0, "q")][1])
    write_adapter(tmp_path / "mine", held, base_model_name_or_path="owner/some-model")
    code, printed, _ = said(capsys, "show", tmp_path / "mine")
    assert code == 0
    update = load(tmp_path / "mine")
    assert f"mine: 4 modules, rank 4, norm {update.norm:.4g}, base some-model" in printed
    assert f"modules that did not move: 1 ({name(0, 'q')})" in printed
    total = sum(np.sum(update.svd(module).s ** 2) for module in update.modules)
    first = sum(update.svd(module).s[0] ** 2 for module in update.modules if update.rank(module))
    assert f"1: {first / total:.1%}" in printed and "4: 100.0%" in printed
    assert "name its folder with --base" in printed


def test_what_bfloat16_loses_is_what_rounding_loses(tmp_path, capsys):
    import ml_dtypes

    rng = np.random.default_rng(3)
    small = {module: (1e-3 * b, a) for module, (b, a) in factors(3).items()}
    write_adapter(tmp_path / "mine", small)
    base = {f"{module}.weight": rng.standard_normal((20, 16)) for module in small}
    write_tensors(tmp_path / "base/model.safetensors", base, {})
    update = load(tmp_path / "mine")
    left, dense = [], []
    for module in update.modules:
        b, a, scale = update.factors(module)
        weight = base[f"{module}.weight"]
        dense.append(scale * b @ a)
        before, after = (m.astype(ml_dtypes.bfloat16).astype(float) for m in (weight, weight + dense[-1]))
        left.append(after - before)
    lost = np.linalg.norm(np.array(left) - dense) / np.linalg.norm(dense)
    still = np.mean(np.array(left) == 0)
    _, printed, _ = said(capsys, "show", tmp_path / "mine", "--base", tmp_path / "base")
    assert f"{still:.1%} of the entries would not change; {lost:.1%} of the update's norm would be lost" in printed
    write_tensors(tmp_path / "base/model.safetensors", {"model.other.weight": np.ones((2, 2))}, {})
    assert "it is another model" in said(capsys, "show", tmp_path / "mine", "--base", tmp_path / "base")[1]


def test_the_path_of_a_training_run(tmp_path, capsys):
    end = factors(4)
    shares = {2: 0.1, 4: 0.5, 10: 1.0}
    for step, share in shares.items():
        write_adapter(tmp_path / f"run/checkpoint-{step}", {module: (share * b, a) for module, (b, a) in end.items()})
    write_adapter(tmp_path / "run", end)  # as trainers do: the last one again
    code, printed, _ = said(capsys, "path", tmp_path / "run", "--out", tmp_path / "path.csv")
    table = pd.read_csv(tmp_path / "path.csv")
    assert code == 0 and table.step.tolist() == [2, 4, 10]
    norm = load(tmp_path / "run").norm
    np.testing.assert_allclose(table.norm, [0.1 * norm, 0.5 * norm, norm], rtol=1e-6)
    np.testing.assert_allclose(table.moved, [0.1 * norm, 0.4 * norm, 0.5 * norm], rtol=1e-6)
    np.testing.assert_allclose(table.turn[1:], 1, atol=1e-6)
    np.testing.assert_allclose(table.cosine_last, 1, atol=1e-6)
    lengths = np.cumsum(np.square([0.1, 0.4, 0.5]))
    np.testing.assert_allclose(table.cosine_last_chance, np.sqrt(lengths / lengths[-1]), rtol=1e-6)
    chance = np.sqrt(lengths[-1])
    assert f"ends at 100.0% of the way it went (chance {chance:.1%})" in printed
    assert "holds 0 folders named checkpoint-N" in said(capsys, "path", tmp_path)[2]


def test_help_has_an_example_that_parses():
    for subcommand, module in SUBCOMMANDS.items():
        done = subprocess.run([*COMMAND, subcommand, "--help"], capture_output=True, text=True, check=True, cwd=SCRIPTS)
        assert module.EXAMPLE.startswith(f"lossgeometry {subcommand} ") and module.EXAMPLE in done.stdout


def test_a_reader_that_leaves_and_a_full_disk_are_no_tracebacks(three):
    folder, _ = three
    show = [*COMMAND, "show", str(folder / "one/adapter")]
    shell = f"set -o pipefail; {' '.join(show)} | true"
    left = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, cwd=SCRIPTS)
    assert (left.returncode, left.stderr) == (141, "")
    with open("/dev/full", "w") as full:
        done = subprocess.run(show, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=SCRIPTS)
    assert done.returncode == 1 and done.stderr == "error: standard output: No space left on device\n"


def test_an_interrupt_is_one_line(tmp_path):
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow/adapter_config.json").write_text("{}")
    code = (
        "import signal, sys, time; from lossgeometry.command import main, show\n"
        # A shell that starts the tests in the background has its children ignore interrupts.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "show.run = lambda options: (print('started', flush=True), time.sleep(60))\n"
        "sys.exit(main.main(['show', 'x']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=SCRIPTS
    )
    assert process.stdout.readline() == "started\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "interrupted; what was complete is kept\n")


def test_a_fine_tune_and_a_delta_file_are_compared_beside_an_adapter(tmp_path, capsys):
    """The fine-tune is the adapter, merged; the delta file is the adapter's, from an earlier comparison."""
    held = factors(5)
    write_adapter(tmp_path / "one", held)
    rng = np.random.default_rng(6)
    base = {f"{module}.weight": rng.standard_normal((20, 16)) for module in held}
    merged = {f"{module}.weight": base[f"{module}.weight"] + 2 * b @ a for module, (b, a) in held.items()}
    write_tensors(tmp_path / "base/model.safetensors", base, {})
    write_tensors(tmp_path / "full/model.safetensors", merged, {})
    write_delta(load(tmp_path / "one"), tmp_path / "stored.safetensors")
    sources = [tmp_path / name for name in ("one", "full", "stored.safetensors")]
    code, printed, _ = said(
        capsys, "compare", *sources, "--base", tmp_path / "base", "--rank", "3", "--out", tmp_path / "out"
    )
    assert code == 0
    table = pd.read_csv(tmp_path / "out/tables/geometry.csv")
    whole = table[(table.scope == "global") & (table.metric == "cosine")].set_index(["run_a", "run_b"]).value
    assert whole["external.one", "external.stored"] == pytest.approx(1, abs=1e-12)
    full = load(tmp_path / "full", tmp_path / "base", rank=3)
    one = load(tmp_path / "one")
    lost = sum(one.norms[module] ** 2 * full.left_out[module] for module in full.modules)
    kept = np.sqrt(1 - lost / one.norm**2)
    assert whole["external.one", "external.full"] == pytest.approx(kept, abs=1e-9)
    assert f"full: cut at a rank, which leaves out up to {max(full.left_out.values()):.1%} of a squared norm" in printed
