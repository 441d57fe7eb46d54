"""The worked example of the README: its commands run, and print what it shows."""

import re
import runpy

from lossgeometry.command.main import main
from lossgeometry.provenance import SCRIPTS

REPOSITORY = SCRIPTS.parents[1]


def test_the_example_prints_what_the_readme_shows(tmp_path, monkeypatch, capsys):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("docs/example/make_adapters.py")[2]
    command, expected = re.search(r"```\n\$ lossgeometry (.*?)\n(.*?)```", shown, re.S).groups()
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(REPOSITORY / "docs/example/make_adapters.py"))["make"](tmp_path / "adapters")
    assert main(command.split()) == 0
    printed = capsys.readouterr().out
    assert re.sub(r"\s+", " ", printed).strip() == re.sub(r"\s+", " ", expected).strip()
    assert (tmp_path / "mine/explorer.html").is_file()
    assert (REPOSITORY / "docs/example/page.png").stat().st_size < 200_000
