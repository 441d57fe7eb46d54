"""The rows behind the charts of a figure; the page builds the same ones as its controls turn."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lossgeometry.charts.palette import BASE
from lossgeometry.explorer.columns import rows_of
from lossgeometry.geometry.chance import CHANCE_WIDTH

DASHES = {"default": [1, 0], "seed": [6, 3], "learning_rate": [2, 2]}


class Rows:
    """Rows of one bundle, in light colours."""

    def __init__(self, bundle: Mapping[str, Any]) -> None:
        self.bundle = bundle
        self.runs = {run["id"]: run for run in bundle["runs"]}
        self.pairs = {pair["id"]: {**pair, "index": index} for index, pair in enumerate(bundle["pairs"])}

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return a table's rows; none where it is absent."""
        return rows_of(self.bundle["tables"].get(name, {}))

    def look(self, pair_id: str) -> dict[str, Any]:
        """Return how a pair is drawn."""
        pair = self.pairs[pair_id]
        arms = [self.runs[pair[end]]["arm"] for end in "ab"]
        dash = DASHES[next((arm for arm in arms if arm != "default"), "default")]
        return {
            "id": pair_id,
            "name": pair["name"],
            "line": pair["line"][0],
            "dot": pair["dot"][0],
            "dash": dash,
            "order": pair["index"],
        }

    def value(self, metric: str, pair_id: str, layer: int = -1, projection: str = "") -> dict[str, Any]:
        """Return `value`, the chance band `low, high` and the note of a metric at one place; None where undefined."""
        geometry = self.bundle["geometry"]
        block, index = geometry["metrics"][metric], self.pairs[pair_id]["index"]
        place = geometry["places"].index([layer, projection])

        def at(values: Sequence) -> float | None:
            row = values[index] if isinstance(values[0], list) else values
            return row[place] if place < len(row) else None

        if index >= len(block["value"]):
            return {"value": None, "low": None, "high": None}
        return {name: at(block[name]) for name in ("value", "low", "high")}

    def depth(self, metric: str, pairs: Iterable[str]) -> list[dict[str, Any]]:
        """Return a metric at every layer."""
        layers = [layer for layer, projection in self.bundle["geometry"]["places"] if layer >= 0 and not projection]
        return [
            {**self.look(pair), "layer": layer, **self.value(metric, pair, layer), "from": None, "to": None}
            for pair in pairs
            for layer in layers
        ]

    def similarity(self, estimator: str, pairs: Sequence[str]) -> list[dict[str, Any]]:
        """Return one estimator of the similarity of hidden states at every layer, with its interval."""
        chosen = [row for row in self.table("cka") if row["estimator"] == estimator and row["pair"] in pairs]
        return [
            {
                **self.look(row["pair"]),
                **{name: row[name] for name in ("layer", "value")},
                **{"from": row["low"], "to": row["high"], "low": None, "high": None},
            }
            for row in chosen
        ]

    def map(self, metric: str, runs: Sequence[str]) -> list[dict[str, Any]]:
        """Return every measured cell of the map, both above and below the diagonal."""
        described = self.bundle["metrics"][metric]
        rows = []
        for pair in self.pairs.values():
            found = self.value(metric, pair["id"])
            if {pair["a"], pair["b"]} <= set(runs) and found["value"] is not None:
                rows += [_cell(pair, found, described, self.runs, runs, turned) for turned in (False, True)]
        return rows

    def basis(self, metric: str, pairs: Iterable[str]) -> list[dict[str, Any]]:
        """Return a metric against the raw cosine."""
        rows = []
        for pair in pairs:
            cosine, other = self.value("cosine", pair), self.value(metric, pair)
            found = {"cosine": cosine["value"], "cosine_low": cosine["low"], "cosine_high": cosine["high"]}
            rows.append({**self.look(pair), **found, **other, "on": True, "tag": self._tag(pair), "shift": 0})
        return _dodged(rows)

    def _tag(self, pair_id: str) -> str:
        """Return what sets a pair apart in a chart of pairs with the reference: the other run."""
        first, second = (self.runs[self.pairs[pair_id][end]] for end in "ab")
        if first["label"] == self.bundle["reference"] != second["label"]:
            return second["name"]
        return (
            first["name"]
            if second["label"] == self.bundle["reference"] != first["label"]
            else self.pairs[pair_id]["name"]
        )

    def angles(self, side: str, pairs: Iterable[str]) -> list[dict[str, Any]]:
        """Return the first angle with a whisker up to the last one, and the chance band of the first."""
        rows = []
        for pair in pairs:
            first, last = (self.value(f"angle_{which}.{side}", pair) for which in ("first", "last"))
            rows.append({**self.look(pair), **first, "from": first["value"], "to": last["value"]})
        return rows

    def run_metric(self, metric: str, runs: Sequence[str]) -> list[dict[str, Any]]:
        """Return a metric of single runs over the whole model."""
        values = {
            row["run"]: row["value"] for row in self.table("runs") if row["metric"] == metric and row["layer"] == -1
        }
        return [{**self._run_look(run, order), "value": values[run]} for order, run in enumerate(runs) if run in values]

    def paths(self, loss: str, pairs: Sequence[str]) -> list[dict[str, Any]]:
        """Return a loss along the way between two adapters, with 95 % of its standard error on either side."""
        rows = []
        for row in self.table("connectivity"):
            if row["loss"] == loss and row["pair"] in pairs:
                half = None if row["se"] is None else CHANCE_WIDTH * row["se"]
                ends = (
                    {"from": None, "to": None}
                    if half is None
                    else {"from": row["value"] - half, "to": row["value"] + half}
                )
                rows.append({**self.look(row["pair"]), "t": row["t"], "value": row["value"], **ends})
        return rows

    def accuracies(self, benchmark: str, decoding: str) -> list[dict[str, Any]]:
        """Return accuracies with intervals, the base among them and also behind all."""
        chosen = [row for row in self.table("accuracy") if (row["benchmark"], row["decoding"]) == (benchmark, decoding)]
        base = next((row for row in chosen if row["run"] not in self.runs), {})
        behind = {"base": base.get("accuracy"), "base_from": base.get("low"), "base_to": base.get("high")}
        return [
            {
                **self._run_look(row["run"], order),
                **behind,
                "value": row["accuracy"],
                "from": row["low"],
                "to": row["high"],
            }
            for order, row in enumerate(chosen)
        ]

    def robustness(self, series: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
        """Return several metrics of the pairs of one method."""
        rows = []
        for pair in self.pairs.values():
            if pair["kind"] == "methods":
                continue
            for metric, (title, _) in series.items():
                rows.append({**self.look(pair["id"]), "series": title, **self.value(metric, pair["id"])})
        return rows

    def training(self, quantity: str, runs: Sequence[str]) -> list[dict[str, Any]]:
        """Return a training curve of every run that logged it."""
        order = {run: index for index, run in enumerate(runs)}
        return [
            {**self._run_look(row["run"], order[row["run"]]), "step": row["step"], "value": row["value"]}
            for row in self.table("training")
            if row["quantity"] == quantity and row["run"] in order
        ]

    def _run_look(self, run_id: str, order: int) -> dict[str, Any]:
        run = self.runs.get(run_id)
        if run is None:
            return {"id": run_id, "name": run_id, "line": BASE.light, "dash": DASHES["default"], "order": order}
        return {"id": run_id, "name": run["name"], "line": run["colour"][0], "dash": DASHES[run["arm"]], "order": order}


def _dodged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Set the labels of points that lie close to each other below one another."""
    placed: list[tuple[float, float]] = []
    for row in sorted((row for row in rows if row["value"] is not None), key=lambda row: -row["value"]):
        y = row["value"]
        while any(abs(other_y - y) < 0.055 and abs(other_x - row["cosine"]) < 0.3 for other_x, other_y in placed):
            y -= 0.0275
        placed.append((row["cosine"], y))
        row["shift"] = round((row["value"] - y) * 240)
    return rows


def _cell(pair, found, metric, runs, order, turned) -> dict[str, Any]:
    row, column = (pair["b"], pair["a"]) if turned else (pair["a"], pair["b"])
    value, angle = found["value"], metric["angle"]
    inside = found["low"] is not None and found["low"] <= value <= found["high"]
    return {
        "id": pair["id"],
        "name": pair["name"],
        "row": runs[row]["name"],
        "column": runs[column]["name"],
        "row_order": order.index(row),
        "column_order": order.index(column),
        "text": f"{value:.0f}°" if angle else f"{value:.2f}".replace("-", "−"),
        "similarity": 1 - value / 90 if angle else value,
        "inside": inside,
        "edge": pair["line"][0],
        "chance": "",
    }
