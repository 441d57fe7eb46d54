"""What the rules tell the pair jobs: chance levels by who shares an initialisation, and the tables of seeds and learning rates."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from geometry_tools import name, random_factors, write_adapter

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]

RUNS = ["sft.lr0.001.s1", "sft.lr0.001.s2", "sft.lr0.01.s1", "dft.lr0.001.s1", "dft.lr0.001.s2"]
TABLES = ("geometry", "seeds", "decomposition", "rates")
SHAPE = (24, 4, 40)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Tables of five runs whose adapters are already there: each seed starts from one A."""
    folder = tmp_path_factory.mktemp("experiment")
    for index, run in enumerate(RUNS):
        rng = np.random.default_rng(index)
        start = np.random.default_rng([99, int(run[-1])])
        factors = {name(i, "q"): (rng.standard_normal((24, 4)), random_factors(start, *SHAPE)[1]) for i in range(2)}
        write_adapter(folder / "results/stage/adapters" / run, factors, dtype="float32")
    config = {
        "experiment": "stage",
        "prompts": {"source": "generated", "count": 16},
        "methods": {
            "sft": {"learning_rate": 1e-3, "learning_rates": [1e-2]},
            "dft": {"learning_rate": 1e-3},
        },
        "seeds": [1, 2],
        "geometry": {"k": 3, "reference": "dft"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "--configfile", "config.yaml"]
    targets = [f"results/stage/tables/{table}.csv" for table in TABLES]
    rules = ["reduce_adapter", "compare_pairs", "compare_sweeps", "tabulate_geometry"]
    extra = ["--rerun-triggers", "mtime", "--allowed-rules", *rules]
    done = subprocess.run(
        [*command, "--cores", "2", *targets, *extra], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {table: pd.read_csv(folder / f"results/stage/tables/{table}.csv") for table in TABLES}


def test_one_seed_shares_its_initialisation_and_two_do_not(tables):
    rows = tables["geometry"]
    cosine = rows[(rows.metric == "cosine") & (rows.scope == "global")].set_index(["run_a", "run_b"])
    same, other = cosine.loc[("sft.lr0.001.s1", "dft.lr0.001.s1")], cosine.loc[("sft.lr0.001.s1", "sft.lr0.001.s2")]
    independent = 1 / np.sqrt(2 * 24 * 40)
    assert other.null_sd == pytest.approx(independent, rel=0.2) and same.null_sd > 2 * independent


def test_the_reference_is_found_on_either_side(tables):
    reference = tables["geometry"].drop_duplicates(["run_a", "run_b"]).set_index(["run_a", "run_b"]).reference
    assert reference[("sft.lr0.001.s1", "dft.lr0.001.s1")] == "dft.lr0.001.s1"
    assert reference[("sft.lr0.001.s1", "sft.lr0.001.s2")] == "sft.lr0.001.s1"


def test_seeds_and_learning_rates_have_their_tables(tables):
    assert set(tables["seeds"].measure) == {"cosine", "output_gram_alignment"}
    assert set(tables["decomposition"].term) == {"common", "method", "seed", "remainder"}
    assert tables["rates"][["method", "rate_ratio"]].values.tolist() == [["sft", 10.0]]
