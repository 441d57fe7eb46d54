"""The locks of the environments: nothing that is asked for or brought is missing, and nothing is installed unseen."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS, EXTRA = PROJECT["dependencies"], PROJECT["optional-dependencies"]["dev"]
CURE = "run `make lock`"


def listed(name):
    """Return the lines of a lock."""
    text = (ROOT / "envs" / name).read_text(encoding="utf-8")
    if name.endswith(".lock"):
        return text.splitlines()
    return next(entry["pip"] for entry in yaml.safe_load(text)["dependencies"] if isinstance(entry, dict))


def versions(*names):
    """Return {package: its locked versions}: several where they depend on the version of Python."""
    locked = {}
    for line in [line for name in names for line in listed(name)]:
        package, version = line.partition(" ")[0].split("==")
        locked.setdefault(package, []).append(version)
    return locked


def brought(pins):
    """Return {package: version} of what the pinned packages need, transitively, as far as it is installed here."""
    found, pending = {}, [Requirement(pin) for pin in pins]
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        seen = (name, *sorted(requirement.extras))
        if seen in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of an extra or a platform that this environment does without
        found[seen] = package.version.partition("+")[0]
        for text in package.requires or []:
            needed = Requirement(text)
            extras = [
                extra
                for extra in ("", *requirement.extras)
                if not needed.marker or needed.marker.evaluate({"extra": extra})
            ]
            if extras:
                needed.marker = None
                pending.append(needed)
    return {seen[0]: version for seen, version in found.items()}


@pytest.mark.parametrize(
    ("pins", "locks"),
    [(PINS, ["cpu.yaml"]), (EXTRA, ["cpu.yaml", "dev.lock"]), (None, ["gpu.yaml"])],
    ids=["cpu", "dev", "gpu"],
)
def test_every_pin_is_locked_at_its_version(pins, locks):
    pins = pins or (ROOT / "envs" / "gpu.in").read_text(encoding="utf-8").splitlines()
    locked = versions(*locks)
    assert [pin for pin in pins if pin.split("==")[1] not in locked.get(pin.split("==")[0], [])] == [], CURE


def test_everything_that_is_installed_for_a_pin_is_locked_at_that_version():
    locked = versions("cpu.yaml", "dev.lock")
    installed = brought([*PINS, *EXTRA])
    assert len(installed) > 100 and "sympy" in installed
    assert {name: version for name, version in installed.items() if version not in locked.get(name, [])} == {}, CURE


def test_the_environment_of_the_gpu_has_the_pins_of_the_project():
    pins = (ROOT / "envs" / "gpu.in").read_text(encoding="utf-8").splitlines()
    # What vLLM forbids: numpy 2.4, which the SLURM plugin needs.
    other = ("numpy==", "snakemake-executor-plugin-slurm==")
    assert [pin for pin in pins if not pin.startswith(("numpy==", "vllm=="))] == [
        p for p in PINS if not p.startswith(other)
    ]


@pytest.mark.parametrize("name", ["cpu.yaml", "gpu.yaml", "dev.lock"])
def test_every_line_has_an_exact_version_and_digests_and_no_address(name):
    line = re.compile(r"[a-z0-9-]+==[\w.]+( ; [^-]*?)?( --hash=sha256:[0-9a-f]{64})+")
    assert [text for text in listed(name) if not line.fullmatch(text)] == []
    assert "://" not in (ROOT / "envs" / name).read_text(encoding="utf-8")
