"""A job that runs in a fork of the preloaded process is, to who started it, the job itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import alive, wait_for

from lossgeometry import preloading

VARIABLE = preloading.variable_of("tables")
LIBRARY = Path(preloading.__file__).parents[1]
SCRIPT = """
import sys
sys.path.insert(0, {library!r})
from lossgeometry.preloading import run_in_fork
run_in_fork("tables")
import os
imported = "wave" in sys.modules
import signal, time
from pathlib import Path
{body}
"""


@pytest.fixture
def server(monkeypatch):
    """A preloaded process that has imported a module of the standard library, which nothing else here imports."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(preloading, "DRIVERS", ())
    preloading.start("tables", ["wave"])
    yield os.environ[VARIABLE]


def started(folder: Path, body: str, **options) -> subprocess.Popen:
    script = folder / "script.py"
    script.write_text(SCRIPT.format(library=str(LIBRARY), body=body))
    return subprocess.Popen([sys.executable, str(script)], cwd=folder, text=True, **options)


SAYS = 'print(imported, os.getcwd(), sys.argv[0], __name__, os.environ["TOLD"], os.environ.get("LOSSGEOMETRY_PRELOADED_TABLES"))'


def test_a_fork_has_the_imports_and_all_else_of_the_process_that_asked(server, tmp_path):
    job = started(tmp_path, SAYS, stdout=subprocess.PIPE, env=os.environ | {"TOLD": "value"})
    said = job.communicate()[0].split()
    assert said == ["True", str(tmp_path), str(tmp_path / "script.py"), "__main__", "value", "None"]
    assert job.returncode == 0


def test_without_the_preloaded_process_a_job_imports_for_itself(tmp_path):
    environment = os.environ | {"TOLD": "value", VARIABLE: str(tmp_path / "gone")}
    job = started(tmp_path, SAYS, stdout=subprocess.PIPE, env=environment)
    assert job.communicate()[0].split()[0] == "False"
    assert job.returncode == 0


def test_where_it_cannot_import_a_job_imports_for_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(preloading, "DRIVERS", ())
    monkeypatch.delenv(VARIABLE, raising=False)
    preloading.start("tables", ["there.is.no.such.module"])
    job = started(tmp_path, SAYS, stdout=subprocess.PIPE, env=os.environ | {"TOLD": "value"})
    assert job.communicate()[0].split()[0] == "False"
    assert job.returncode == 0


@pytest.mark.parametrize(
    ("body", "code"), [("sys.exit(3)", 3), ("1 / 0", 1), ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)]
)
def test_a_job_ends_as_its_fork_ends(server, tmp_path, body, code):
    job = started(tmp_path, body, stderr=subprocess.DEVNULL)
    assert job.wait(20) == code


LEAVES = """
import atexit, tempfile
folder = tempfile.TemporaryDirectory(dir=".")
atexit.register(lambda: print("last", end=""))
print("first", end=" ")
"""


def test_what_a_job_left_to_its_end_is_done(server, tmp_path):
    job = started(tmp_path, LEAVES, stdout=subprocess.PIPE)
    assert job.communicate()[0] == "first last"
    assert job.returncode == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "script.py"]


WAITS = """
def stop(number, frame):
    Path("stopped").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
Path("fork.partial").write_text(str(os.getpid()))
Path("fork.partial").rename("fork")
time.sleep(60)
"""


def test_a_fork_stops_when_its_job_is_told_to_and_dies_with_it(server, tmp_path):
    for number, code, stopped in ((signal.SIGTERM, 143, True), (signal.SIGKILL, -signal.SIGKILL, False)):
        folder = tmp_path / number.name
        folder.mkdir()
        job = started(folder, WAITS)
        wait_for("the fork", (folder / "fork").exists, 20)
        fork = int((folder / "fork").read_text())
        assert fork != job.pid and alive(fork)
        job.send_signal(number)
        assert job.wait(20) == code
        wait_for("the end of the fork", lambda fork=fork: not alive(fork), 20)
        assert (folder / "stopped").exists() == stopped


def test_it_ends_with_the_process_that_started_it_and_after_its_last_fork(tmp_path):
    starts = f"""
import os, sys, time
sys.path.insert(0, {str(LIBRARY)!r})
from lossgeometry import preloading
preloading.DRIVERS = ()
preloading.start("tables", ["wave"])
print(os.environ[{VARIABLE!r}], flush=True)
time.sleep(60)
"""
    keeper = subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True)
    address = Path(keeper.stdout.readline().strip())
    job = started(tmp_path, WAITS, env=os.environ | {VARIABLE: str(address)})
    wait_for("the fork", (tmp_path / "fork").exists, 20)
    keeper.kill()
    keeper.communicate()
    time.sleep(0.2)
    assert address.exists(), "its fork is still at work"
    job.terminate()
    assert job.wait(20) == 143
    wait_for("the end of the server", lambda: not address.parent.exists(), 20)


def test_none_is_started_beside_a_driver(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(preloading, "DRIVERS", (str(tmp_path),))
    preloading.start("tables", ["wave"])
    assert VARIABLE not in os.environ
