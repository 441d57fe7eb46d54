"""Where the page has a select, a figure says what it shows: without, its chart has no rows."""

from importlib import import_module
from pathlib import Path

import yaml

from lossgeometry.experiment.loading import load_config
from lossgeometry.stages import STAGES

DEFAULT = load_config(yaml.safe_load((Path(__file__).parents[3] / "config/config.yaml").read_text(encoding="utf-8")))


def test_every_figure_of_a_panel_with_a_select_has_a_choice():
    modules = [import_module(f"lossgeometry.{stage.charts}") for stage in STAGES if stage.charts]
    selects = {
        panel.chart: panel.select for module in modules for panel in getattr(module, "PANELS", ()) if panel.select
    }
    figures = [figure for stage in STAGES for figure in stage.figures(DEFAULT) if figure.chart in selects]
    assert {"edits", "direction_by_norm"} <= {figure.name for figure in figures}
    assert [figure.name for figure in figures if selects[figure.chart] not in figure.state] == []
