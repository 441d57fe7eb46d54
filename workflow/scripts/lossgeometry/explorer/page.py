"""One self-contained HTML page: the bundle, the compiled charts, the Vega runtime, code and style."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vl_convert

from lossgeometry.charts.depth import depth_chart
from lossgeometry.charts.maps import map_chart
from lossgeometry.charts.palette import BASE
from lossgeometry.charts.parts import Frame
from lossgeometry.charts.planes import basis_chart, path_chart, training_chart
from lossgeometry.charts.spread import SERIES, accuracy_chart, bar_chart, robustness_chart, whisker_chart
from lossgeometry.explorer.outputs import ASSET_FOLDER, ASSETS, CODE
from lossgeometry.explorer.training_curves import QUANTITIES
from lossgeometry.files.atomic import atomic_file


def page_specs(layers: int) -> dict[str, dict[str, Any]]:
    """Return the page's charts, compiled to Vega, so that the page carries no compiler."""
    frame = Frame()
    specs = {
        "map": map_chart(frame, 10),
        "map_small": map_chart(frame, 30),
        "depth": depth_chart(frame, layers),
        "basis": basis_chart(frame),
        "whisker": whisker_chart(frame),
        "whisker_last": whisker_chart(frame, last=True),
        "bar": bar_chart(frame),
        "accuracy": accuracy_chart(frame),
        "robustness": robustness_chart(frame),
        "path": path_chart(frame),
        "training": training_chart(frame),
    }
    return {name: vl_convert.vegalite_to_vega(json.dumps(spec)) for name, spec in specs.items()}


def render_page(bundle: Mapping[str, Any], assets: Mapping[str, str]) -> str:
    """Return the page.

    Data goes into a script element that the browser does not run, with every `<` escaped, and from there into text
    nodes only. The page's policy lets the browser run the scripts named by their digests and fetch nothing at all.
    """
    complete = {
        **bundle,
        "specs": page_specs(bundle.get("layers", 1)),
        "series": {metric: title for metric, (title, _) in SERIES.items()},
        "quantities": QUANTITIES,
        "base_colour": list(BASE),
        "definitions": json.loads(assets["definitions.json"]),
    }
    runtime = _closed(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    code = _closed('"use strict";\n{\n' + "\n".join(assets[name] for name in CODE) + "}")
    parts = {
        "policy": _policy(runtime, code),
        "title": _escaped(f"{bundle['experiment']}: what the choice of loss did to the weights"),
        "style": assets["style.css"],
        "bundle": json.dumps(complete, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
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
