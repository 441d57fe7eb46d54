"""A copy of the workflow uses the library beside its own rules, also where another one is installed; and the installed package
is usable from any folder."""

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
import yaml
from geometry_tools import name, random_factors, write_adapter
from workflow_copy import REPOSITORY, copy_sources

from lossgeometry.updates.stored import Delta

CHANGED = Path("workflow/scripts/lossgeometry/updates/reduction.py")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment in which this repository is installed with `pip install -e`."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (site / "__editable__.pth").write_text(f"{REPOSITORY / 'workflow' / 'scripts'}\n")
    (site / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return environment / "bin" / "python"


def run(*command, folder):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def adapters(folder):
    for index, adapter in enumerate(("one", "two")):
        rng = np.random.default_rng(index)
        factors = {name(i, p): random_factors(rng, 12, 4, 12) for i in range(2) for p in "qv"}
        write_adapter(folder / adapter, factors, dtype="float32")


@pytest.mark.slow
def test_a_changed_copy_uses_its_own_library(python, tmp_path):
    copy = tmp_path / "copy"
    copy_sources(copy)
    adapters(copy / "mine")
    module = copy / CHANGED
    module.write_text(module.read_text().replace('"kind": "adapter"', '"kind": "of the copy"'))
    config = {"experiment": "own", "adapters": {adapter: f"mine/{adapter}" for adapter in ("one", "two")}}
    (copy / "own.yaml").write_text(yaml.safe_dump(config))
    done = run(python, "-m", "snakemake", "--configfile", "own.yaml", "--cores", "1", "deltas", folder=copy)
    assert done.returncode == 0, done.stderr
    assert Delta(copy / "results/own/deltas/external.one.safetensors").metadata["kind"] == "of the copy"


def test_the_package_imports_anywhere_and_brings_nothing_heavy(python, tmp_path):
    heavy = "{'torch', 'transformers', 'snakemake', 'pandas', 'scipy', 'pyarrow', 'pydantic'}"
    code = f"import sys; from lossgeometry import load, compare; print(sorted({heavy} & set(sys.modules)))"
    done = run(python, "-c", code, folder=tmp_path)
    assert done.stdout == "[]\n", done.stderr


def test_the_example_of_the_readme_runs(python, tmp_path):
    """The first Python block that uses the package, as it stands there."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in readme.split("```python\n")[1:]]
    example = next(block for block in blocks if "from lossgeometry import" in block)
    adapters(tmp_path / "path" / "to")
    (tmp_path / "example.py").write_text(example)
    done = run(python, "example.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "one and two, 4 modules" in done.stdout and "null_mean" in done.stdout
    assert (tmp_path / "rest" / "adapter_model.safetensors").is_file()
