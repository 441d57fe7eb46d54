"""runs.csv tells how far a run's steps could lead, and whether its clip ever acted."""

import json

import pandas as pd
import pytest

from lossgeometry.experiment.loading import load_config
from lossgeometry.jobs.training import adapter
from lossgeometry.report.runs_table import tabulate_runs

RECORD = {
    "skipped": {},
    "device": {"name": "cpu", "driver": "", "count": 1},
    "versions": {},
    "config_digest": "c",
    "code_digest": "d",
}


def written(folder, name, **columns):
    path = folder / name / "training.csv"
    path.parent.mkdir()
    steps = {"step": [1, 2], "tokens": [10, 20], "epoch": [0.5, 1.0], "loss": [2.0, 1.0], "learning_rate": [1e-3, 5e-4]}
    pd.DataFrame(steps | columns).to_csv(path, index=False)
    (path.parent / "run.json").write_text(json.dumps(RECORD))
    return path


def test_rates_are_summed_and_clipping_is_shared_out(tmp_path):
    files = [
        written(tmp_path, "sft"),
        written(tmp_path, "online_dapo", clipped_low=[0.0, 0.1], clipped_high=[0.0, 0.3]),
    ]
    runs = [{"run": name, "method": name} for name in ("sft", "online_dapo", "given")]
    tabulate_runs(runs, files, [path.with_name("run.json") for path in files], tmp_path / "runs.csv")
    table = pd.read_csv(tmp_path / "runs.csv").set_index("run")
    assert table.learning_rate_sum["sft"] == pytest.approx(1.5e-3) and pd.isna(table.learning_rate_sum["given"])
    assert pd.isna(table.clipped["sft"]) and table.clipped["online_dapo"] == pytest.approx(0.2)


def test_a_method_s_own_schedule_goes_before_the_shared_one_and_tells_no_other():
    methods = {"sft": {"learning_rate": 1e-3}, "dpo": {"learning_rate": 1e-4}}
    values = {"experiment": "x", "prompts": {"source": "generated", "count": 8}, "training": {"schedule_steps": 300}}
    before = load_config(values | {"methods": methods})
    after = load_config(values | {"methods": methods | {"dpo": methods["dpo"] | {"schedule_steps": 900}}})
    (sft, dpo) = (run.id for run in before.trained)
    assert adapter(before, sft) == adapter(after, sft)
    assert [adapter(config, dpo)["training"]["schedule_steps"] for config in (before, after)] == [300, 900]
