"""One self-contained HTML page: the bundle, the compiled charts, the Vega runtime, code and style."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import vl_convert

from lossgeometry.charts.chart import Chart, Panel, compiled
from lossgeometry.charts.parts import Frame
from lossgeometry.explorer.assets import ASSET_FOLDER, ASSETS, CODE
from lossgeometry.explorer.columns import packed
from lossgeometry.explorer.training_curves import QUANTITIES
from lossgeometry.files.atomic import atomic_file

VERSION = "0.1.0"
"""Of this software; the same as in CITATION.cff."""
ONLY_WITH = {
    "training": ("robustness", "ceiling"),
    "regime": ("gradient_cosine",),
    "rollouts": ("mixed",),
    "connectivity": ("connectivity", "barrier"),
    "cka": ("cka",),
    "behaviour": ("kl",),
    "accuracy": ("accuracy", "mcnemar", "detectable"),
}
"""Definitions that a page holds only with a table, or where a panel names them."""


def charts_of(bundle: Mapping[str, Any]) -> dict[str, Chart]:
    """Return the charts of the stages that this experiment has, by name."""
    return {name: chart for module in _modules(bundle) for name, chart in module.CHARTS.items()}


def panels_of(bundle: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sections that stages describe for the page, those whose table is there."""
    panels = [panel for module in _modules(bundle) for panel in getattr(module, "PANELS", ())]
    return [_panel_entry(panel, bundle["tables"][panel.table]) for panel in panels if panel.table in bundle["tables"]]


def _panel_entry(panel: Panel, table: Mapping[str, list]) -> dict[str, Any]:
    values = list(dict.fromkeys(table[panel.select])) if panel.select else []
    values.sort(key=lambda value: value != panel.first)
    return {**panel._asdict(), "options": [[value, panel.titles.get(value, value)] for value in values]}


def _modules(bundle: Mapping[str, Any]) -> list[ModuleType]:
    return [import_module(f"lossgeometry.{name}") for name in bundle["charts"]]


def render_page(bundle: Mapping[str, Any], assets: Mapping[str, str]) -> str:
    """Return the page.

    Data goes, compressed and in base64, into a script element that the browser does not run, and from there into text
    nodes only. The page's policy lets the browser run the scripts named by their digests and fetch nothing at all.
    """
    complete = {
        **bundle,
        "tables": {name: packed(columns) for name, columns in bundle["tables"].items()},
        # Compiled to Vega, so that the page carries no compiler.
        "specs": {name: compiled(chart, Frame()) for name, chart in charts_of(bundle).items()},
        "panels": panels_of(bundle),
        "quantities": QUANTITIES,
        "told": json.loads(assets["losses.json"]),
        "version": VERSION,
        "definitions": _definitions(assets["definitions.json"], bundle),
    }
    runtime = _closed(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    code = _closed('"use strict";\n(async () => {\n' + "\n".join(assets[name] for name in CODE) + "})();")
    parts = {
        "policy": _policy(runtime, code),
        "title": _escaped(f"{bundle['experiment']}: {_subject(bundle)}"),
        "style": assets["style.css"],
        "bundle": compressed(json.dumps(complete, separators=(",", ":"), ensure_ascii=False, allow_nan=False)),
        "runtime": runtime,
        "code": code,
    }
    # Split first, fill then: what is filled in is never read as a template.
    head, *rest = assets["page.html"].split("{{")
    filled = [head]
    for piece in rest:
        name, _, text = piece.partition("}}")
        filled += [parts[name], text]
    return "".join(filled)


def compressed(text: str) -> str:
    """Return a text as gzip in base64, the same each time."""
    return base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode("ascii")


def held_bundle(page: str) -> dict[str, Any]:
    """Return the bundle that a page holds."""
    held = page.partition('id="bundle">')[2].partition("</script>")[0]
    return json.loads(gzip.decompress(base64.b64decode(held)))


def _definitions(text: str, bundle: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the definitions of what the page shows."""
    named = re.findall(r"\[\[(\w+)", json.dumps(panels_of(bundle)))
    absent = {key for table, keys in ONLY_WITH.items() if table not in bundle["tables"] for key in keys}
    missing = absent - set(named)
    return {key: entry for key, entry in json.loads(text).items() if key not in missing}


def _subject(bundle: Mapping[str, Any]) -> str:
    trained = "training" in bundle["tables"]
    return "what the choice of loss did to the weights" if trained else "how these adapters changed the weights"


def _closed(script: str) -> str:
    """Return a script that cannot end its own element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _policy(*scripts: str) -> str:
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    rest = "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {allowed}; {rest}"


def write_page(bundle: Mapping[str, Any], output: Path) -> None:
    """Write the page."""
    texts = {name: (ASSET_FOLDER / name).read_text(encoding="utf-8") for name in ASSETS}
    with atomic_file(output) as partial:
        partial.write_text(render_page(bundle, texts), encoding="utf-8")
