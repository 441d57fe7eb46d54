"""Digests of code change with what a file computes, and with nothing else."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from lossgeometry import code_digests as module
from lossgeometry import parsed_code
from lossgeometry.code_digests import code_digests


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Return a function that writes a library and returns the digests of its script."""
    monkeypatch.setattr(module, "SCRIPTS", tmp_path)

    def digests(**files):
        for name, text in {"lossgeometry/__init__": "", **files}.items():
            path = tmp_path / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        module.parse.cache_clear()
        module._file_of.cache_clear()
        code_digests.cache_clear()
        return code_digests("script.py")

    return digests


def digest(library, text):
    return library(script=text)["script.py"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""Doc."""\nx = 1', "x = 1  # a remark"),
        ("def f():\n    '''Doc.'''\n    return 1", "def f():\n    return 1"),
        ("x: int = 1\n'''What x is.'''", "x: int = 1"),
        ('raise ValueError("one")', 'raise ValueError("another")'),
        ('raise ValueError(f"one {x}")', 'raise ValueError(f"another {y.z[0]!r:>3}" "and more")'),
        ('raise ValueError("a" + f"b{c}") from None', 'raise ValueError("d") from None'),
        ('print(f"{done} of {total}")', 'print("done")'),
        ("print('x', file=sys.stderr)", "print('y', file=sys.stderr)"),
        ('__all__ = ["a"]\nx = 1', "x = 1"),
    ],
)
def test_words_for_people_do_not_count(library, before, after):
    assert digest(library, before) == digest(library, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 'a'", "x = 'b'"),
        ("x = f'{a}'", "x = f'{b}'"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("x = [None, 1]", "x = [1]"),
        ("x = {**a, 'b': 1}", "x = {'b': 1}"),
        ("f(a, b=1)", "f(a, b=2)"),
        ("raise ValueError('a')", "raise KeyError('a')"),
        ("raise ValueError(f('a'))", "raise ValueError(f('b'))"),
        ("if a: raise ValueError('a')", "if b: raise ValueError('a')"),
        ("print('a', file=replies)", "print('b', file=replies)"),
        ("note = 'a'\nraise ValueError(note)", "note = 'b'\nraise ValueError(note)"),
        ("import a", "import b"),
    ],
)
def test_what_is_computed_counts(library, before, after):
    assert digest(library, before) != digest(library, after)


def test_a_newer_python_gives_the_same_digest(library, monkeypatch):
    """Python 3.12 gives functions and classes the empty field `type_params`, which `ast.dump` writes out."""
    text = "class A(B):\n    def f(self, x: int = 1) -> int:\n        return x\n"
    older = digest(library, text)
    for node in (ast.FunctionDef, ast.ClassDef):
        monkeypatch.setattr(node, "_fields", (*node._fields, "type_params"))
        monkeypatch.setattr(node, "type_params", [], raising=False)
    assert digest(library, text) == older


def test_an_empty_piece_of_an_f_string_does_not_count(library, monkeypatch):
    """Python 3.12 ends the nested format of `f"{x:<{width}}"` with one."""
    text = 'y = f"{x:<{width}}"'
    older, parse = digest(library, text), ast.parse

    def parse_as_python_3_12(*arguments, **keywords):
        tree = parse(*arguments, **keywords)
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                node.values.append(ast.Constant(""))
        return tree

    monkeypatch.setattr(ast, "parse", parse_as_python_3_12)
    assert digest(library, text) == older


OTHER_PYTHONS = [f"python3.{minor}" for minor in range(11, 16) if minor != sys.version_info.minor]
DIGESTS = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from lossgeometry.planned import _code
print(hashlib.sha256(repr(_code()).encode()).hexdigest())
"""


@pytest.mark.parametrize("python", OTHER_PYTHONS)
def test_every_python_digests_this_library_alike(python):
    try:
        subprocess.run([python, "-c", ""], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"there is no {python} here")
    pythons = (sys.executable, python)
    calls = [[name, "-B", "-c", DIGESTS, module.SCRIPTS] for name in pythons]
    mine, other = (subprocess.run(call, capture_output=True, text=True, check=True).stdout for call in calls)
    assert mine == other


def test_a_package_counts_where_a_name_is_taken_from_it_and_what_it_hands_on_does_not(library):
    files = {
        "lossgeometry.room.__init__": "from lossgeometry.room.one import f\n",
        "lossgeometry.room.one": "def f(): return 1",
        "lossgeometry.room.two": "def g(): return 2",
    }
    taken = library(script="from lossgeometry.room.two import g\ng()", **files)
    assert sorted(taken) == ["lossgeometry/room/two.py", "script.py"]
    handed_on = library(script="from lossgeometry.room import f\nf()", **files)
    assert sorted(handed_on) == ["lossgeometry/room/one.py", "script.py"]
    files["lossgeometry.room.__init__"] += (
        "from lossgeometry.room.two import g\n__all__ = ['f', 'g']\ndef own(): pass\n"
    )
    assert library(script="from lossgeometry.room import f\nf()", **files) == handed_on
    own = library(script="from lossgeometry.room import own\nown()", **files)
    assert sorted(own) == ["lossgeometry/room/__init__.py", "script.py"]


def test_a_file_is_parsed_again_only_where_its_contents_or_its_reader_changed(library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {"lossgeometry.room": "def f(): return 1", "script": "from lossgeometry.room import f\nf()"}
    first = library(**files)
    paths = sorted(tmp_path.glob("**/*.py"))
    parsed_code._kept.cache_clear()
    parsed_code.keep({path.relative_to(tmp_path).as_posix(): module.parse(path) for path in paths})
    read, parse = [], ast.parse
    monkeypatch.setattr(ast, "parse", lambda source, filename: read.append(Path(filename).name) or parse(source))

    def again(**changed):
        read.clear()
        parsed_code._kept.cache_clear()
        return library(**{**files, **changed}), sorted(read)

    assert again() == (first, [])
    changed, parsed = again(**{"lossgeometry.room": "def f(): return 2"})
    assert parsed == ["room.py"] and changed["script.py"] == first["script.py"]
    assert changed["lossgeometry/room.py"] != first["lossgeometry/room.py"]
    with monkeypatch.context() as patch:
        patch.setattr(parsed_code, "_reader", lambda: "another")
        assert again() == (first, ["room.py", "script.py"])
    parsed_code.FILE.write_text(parsed_code.FILE.read_text()[:-9])
    assert again() == (first, ["room.py", "script.py"]), "a damaged file is as none"


def test_a_module_that_is_imported_for_its_digest_alone_counts(library):
    """A program that is started by its path shows in no other way."""
    found = library(script="from lossgeometry import worker\n", **{"lossgeometry.worker": "x = 1"})
    assert "lossgeometry/worker.py" in found


def test_settings_do_not_count(library):
    files = {"lossgeometry.settings.block": "x = 1", "lossgeometry.errors": "class E(Exception): pass"}
    text = "from lossgeometry.settings.block import x\nfrom lossgeometry.errors import E\n"
    assert list(library(script=text, **files)) == ["script.py"]


def test_what_is_imported_for_annotations_alone_does_not_count(library):
    head = "from typing import TYPE_CHECKING\n"
    files = {"lossgeometry.config": "class Config: pass", "lossgeometry.light": "x = 1"}
    text = f"{head}from lossgeometry.light import x\nif TYPE_CHECKING:\n    from lossgeometry.config import Config\n"
    assert list(library(script=text, **files)) == ["lossgeometry/light.py", "script.py"]
    assert "lossgeometry/config.py" in library(script=f"{head}if x:\n    from lossgeometry.config import Config\n")


@pytest.mark.parametrize(
    ("script", "started"),
    [
        ("grade_answers.py", "lossgeometry/grading/worker.py"),
        ("grade_rollouts.py", "lossgeometry/grading/worker.py"),
        ("train_adapter.py", "lossgeometry/training/run.py"),
    ],
)
def test_what_a_job_starts_as_a_process_counts(script, started):
    assert started in code_digests(script)
