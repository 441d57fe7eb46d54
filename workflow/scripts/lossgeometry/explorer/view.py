"""What the page shows before a control is turned, and the figures always."""

from collections.abc import Mapping
from typing import Any

from lossgeometry.explorer.columns import rows_of

SELECTS = {
    "map": "cosine",
    "depth": "cosine",
    "basis": "top_direction.output",
    "side": "output",
    "rank": "effective_rank",
    "decoding": "sampled",
    "quantity": "gradient_share_negative",
}
FROM_BUNDLE = ("arranged", "geometry", "metrics", "layers", "projections", "base_colour")


def initial_state(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the controls say at first; the page keeps what differs from it in the address."""
    tables = bundle["tables"]
    selects = {"loss": tables["connectivity"]["loss"][0] if "connectivity" in tables else ""}
    for name, table, column in (("decoding", "accuracy", "decoding"), ("quantity", "training", "quantity")):
        # What shows the most, or what there is.
        if table in tables and SELECTS[name] not in tables[table][column]:
            selects[name] = tables[table][column][0]
    return {
        "layer": bundle.get("layers", 1) // 2,
        "at": False,
        "projection": "",
        "off": [],
        "arms": ["default"],
        "focus": next(iter([*bundle["chosen"], *(pair["id"] for pair in bundle["pairs"])]), ""),
        **SELECTS,
        **selects,
    }


def signals(bundle: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the charts ask for (see `charts.transforms`), in light colours, where only selects were turned."""
    return {
        **{name: bundle.get(name) for name in FROM_BUNDLE},
        **bundle["initial"],
        **state,
        "where": -1,
        "shown": [run["id"] for run in bundle["runs"] if run["arm"] == "default"],
        "visible": bundle["visible"],
        "chosen": bundle["chosen"],
        "picked": False,
        "dark": False,
    }


def chart_tables(bundle: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables that charts start from, as rows."""
    found = {name: rows_of(columns) for name, columns in bundle["tables"].items()}
    return {**found, "pairs": bundle["pairs"], "runs": bundle["runs"]}
