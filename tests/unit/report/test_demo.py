"""The page and the pictures of the README come from finished results, whole and small enough."""

import json

import pytest

from lossgeometry.errors import InputError
from lossgeometry.report import demo
from lossgeometry.report.demo import END, PICTURES, START, make_demo


@pytest.fixture
def finished(tmp_path):
    (tmp_path / "results/figures").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "results/explorer.html").write_text("page")
    (tmp_path / "results/tables").mkdir()
    findings = [{"rank": place, "question": f"Q{place}?", "statement": f"S{place}."} for place in (1, 2, 3, 4, 5, 0)]
    (tmp_path / "results/tables/findings.json").write_text(json.dumps(findings))
    (tmp_path / "README.md").write_text(f"# top\n\n{START}old\n{END}\n\nrest\n")
    for figure in PICTURES:
        (tmp_path / f"results/figures/{figure}.png").write_text(figure)
    return tmp_path


def test_everything_is_copied_under_its_name(finished):
    made = make_demo(finished / "results", finished / "README.md", finished / "docs")
    assert (finished / "docs/demo.html").read_text() == "page"
    assert {path.name for path in made} == {"README.md", "demo.html", *(f"{name}.png" for name in PICTURES.values())}


def test_the_readme_says_the_first_takeaways_between_its_marks_and_nothing_else_changes(finished):
    for _ in range(2):
        make_demo(finished / "results", finished / "README.md", finished / "docs")
        text = (finished / "README.md").read_text()
        assert text.startswith("# top\n\n") and text.endswith(f"{END}\n\nrest\n") and "old" not in text
        assert [f"- **Q{place}?** S{place}." in text for place in (1, 4, 5, 0)] == [True, True, False, False]
    for name in PICTURES.values():
        assert f"(docs/{name}.png)" in text


def test_nothing_is_copied_of_what_is_unfinished_or_too_large(finished, monkeypatch):
    monkeypatch.setattr(demo, "LARGEST", 3)
    with pytest.raises(InputError, match="4 bytes, more than"):
        make_demo(finished / "results", finished / "README.md", finished / "docs")
    (finished / "results/figures/cosine_map.png").unlink()
    with pytest.raises(InputError, match=r"cosine_map\.png is missing; run `make all`"):
        make_demo(finished / "results", finished / "README.md", finished / "docs")
    assert not any((finished / "docs").iterdir())


def test_the_pictures_are_figures_of_the_default_experiment():
    from lossgeometry.experiment.layers import DEFAULT, read_layer
    from lossgeometry.experiment.loading import load_config
    from lossgeometry.provenance import SCRIPTS
    from lossgeometry.stages import STAGES

    config = load_config(dict(read_layer(SCRIPTS.parents[1] / DEFAULT)))
    assert set(PICTURES) <= {figure.name for stage in STAGES for figure in stage.figures(config)}
