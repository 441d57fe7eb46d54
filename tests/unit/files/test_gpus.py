"""Jobs take their GPUs: nvidia-smi is a fake that lists as many as a test wants."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lossgeometry import gpus
from lossgeometry.errors import InputError
from lossgeometry.gpus import VISIBLE, list_gpus, taken

SCRIPTS = Path(gpus.__file__).parents[1]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that puts GPUs into the machine; there are none at first, and no scheduler."""

    def put(count: int) -> Path:
        lines = [f"NVIDIA H100 80GB HBM3, 81559, GPU-{number}aaa" for number in range(count)]
        fake = tmp_path / "bin" / "nvidia-smi"
        fake.parent.mkdir(exist_ok=True)
        fake.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
        fake.chmod(0o755)
        return tmp_path / "locks"

    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    monkeypatch.setattr(gpus, "WAIT_SECONDS", 0.01)
    for name in (VISIBLE, *gpus.SCHEDULERS):
        monkeypatch.delenv(name, raising=False)
    return put


def seen():
    return os.environ.get(VISIBLE)


def test_jobs_side_by_side_take_different_gpus_and_give_them_back(machine):
    locks = machine(3)
    with taken(1, locks):
        first = seen()
        del os.environ[VISIBLE]  # the other job is another process
        with taken(2, locks):
            assert (first, seen()) == ("GPU-0aaa", "GPU-1aaa,GPU-2aaa")
    os.environ.pop(VISIBLE, None)
    with taken(3, locks):
        assert seen() == "GPU-0aaa,GPU-1aaa,GPU-2aaa"
    assert seen() is None


def test_a_job_waits_for_one_that_is_killed(machine):
    locks = machine(1)
    hold = (
        "import sys, time; from pathlib import Path; from lossgeometry.gpus import taken\n"
        "with taken(1, Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen([sys.executable, "-c", hold, str(locks)], env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"held\n"
        with (locks / "GPU-0aaa").open("w") as lock:
            assert not gpus._is_free(lock)
        child.send_signal(signal.SIGKILL)
        with taken(1, locks):
            assert seen() == "GPU-0aaa"


def test_a_job_that_asks_for_none_sees_none(machine):
    with taken(0, machine(2)):
        assert seen() == ""
    assert seen() is None


def test_a_scheduler_s_choice_stays(machine, monkeypatch):
    locks = machine(1)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv(VISIBLE, "0")
    with taken(1, locks):
        assert seen() == "0" and not locks.exists()
    machine(4)
    monkeypatch.setenv(VISIBLE, "2,3")  # an interactive allocation, whose jobs are started by hand
    with taken(1, locks):
        assert seen() == "GPU-2aaa"
    assert seen() == "2,3"


def test_without_nvidia_smi_nothing_is_changed(machine, tmp_path):
    with taken(1, tmp_path):
        assert seen() is None
    assert list_gpus() == []


def test_too_few_gpus_are_one_sentence(machine):
    with (
        pytest.raises(InputError, match="asks for 2 GPUs and may use 1 here; lower training.processes"),
        taken(2, machine(1)),
    ):
        pass


def test_what_is_visible_is_listed_by_number_name_or_part(machine, monkeypatch):
    machine(3)
    found = {}
    for visible in ("2,0", "GPU-1", "MIG-5", "9", ""):
        monkeypatch.setenv(VISIBLE, visible)
        found[visible] = [gpu.identity for gpu in list_gpus()]
    assert found == {"2,0": ["GPU-2aaa", "GPU-0aaa"], "GPU-1": ["GPU-1aaa"], "MIG-5": ["MIG-5"], "9": [], "": []}
