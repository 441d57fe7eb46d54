"""What the page says of two runs is what the columns of the tables say, word for word."""

import json
import shutil
import subprocess

import pandas as pd
import pytest
from explorer_results import write_results

from lossgeometry.explorer.assets import ASSET_FOLDER
from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.metrics import METRICS
from lossgeometry.explorer.page import panels_of
from lossgeometry.geometry import chance

# The page's own code, up to the sections, in a browser's stead.
PAGE = """
const [bundle_text, ...code] = JSON.parse(require("fs").readFileSync(0, "utf8"));
globalThis.document = { getElementById: () => ({ textContent: bundle_text }), documentElement: { dataset: {} } };
globalThis.location = { hash: "" };
globalThis.matchMedia = () => ({ matches: false });
eval("(async () => {" + code.join("\\n") + `readHash(); applyTheme();
console.log(JSON.stringify(Object.fromEntries([...pairs.values()].map((pair) => [pair.id, sentence(pair)]))));
})()`);
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """The tables, and what the page says of every pair."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    given = write_results(tmp_path_factory.mktemp("results"), methods=6, seeds=2, rates=1)
    bundle = gather(**given)
    text = json.dumps({**bundle, "panels": panels_of(bundle)})
    code = [
        (ASSET_FOLDER / name).read_text(encoding="utf-8") for name in ("state.js", "data.js", "views.js", "pair.js")
    ]
    done = subprocess.run(
        ["node", "-e", PAGE], input=json.dumps([text, *code]), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    tables = {name: pd.read_csv(given["tables"][name]) for name in ("geometry", "barriers", "differences")}
    return tables, json.loads(done.stdout), bundle["initial"]["decoding"]


def verdicts_of(rows, a, b, *columns):
    of_pair = rows[(rows.run_a == a) & (rows.run_b == b)]
    return list(of_pair[list(columns)].itertuples(index=False, name=None))


def test_every_judgement_of_a_pair_is_a_column(said):
    tables, sentences, decoding = said
    geometry = tables["geometry"]
    whole = geometry[(geometry.scope == "global") & geometry.value.notna()]
    asked = tables["differences"][tables["differences"].decoding == decoding].drop_duplicates(
        ["run_a", "run_b", "benchmark"]
    )
    for pair, text in sentences.items():
        a, b = pair.split("--")
        for metric, side in (("cosine", "none"), ("gram_alignment", "output")):
            rows = whole[(whole.metric == metric) & (whole.side.fillna("none") == side)]
            for (verdict,) in verdicts_of(rows.fillna({"verdict": ""}), a, b, "verdict"):
                key = metric if side == "none" else f"{metric}.{side}"
                title = METRICS[key].title[0].lower() + METRICS[key].title[1:]
                assert f"are {METRICS[key].words[verdict[:1] or '-']} ({title}" in text
        for loss, verdict in verdicts_of(tables["barriers"], a, b, "loss", "verdict"):
            assert f"{verdict} ({loss.replace('_', ' ')})" in text
        for benchmark, verdict in verdicts_of(asked, a, b, "benchmark", "verdict"):
            assert f"{verdict} on {benchmark}" in text
    assert len({text.split("accuracy:")[-1] for text in sentences.values() if "accuracy:" in text}) > 1


@pytest.mark.parametrize(
    ("metric", "verdict", "words"),
    [
        ("cosine", chance.ABOVE, "more alike than chance"),
        ("cosine", chance.BELOW, "opposed, beyond chance"),
        ("gram_alignment.output", chance.BELOW, "less alike than chance"),
        ("angle_first.output", chance.BELOW, "more alike than chance"),
        ("angle_first.output", chance.ABOVE, "further apart than chance"),
        ("orthogonal_fraction", chance.ABOVE, "further apart than chance"),
        ("cosine", chance.INSIDE, "no more alike than chance"),
        ("cosine", chance.NO_NULL, "without a chance level"),
    ],
)
def test_a_verdict_reads_as_likeness(metric, verdict, words):
    assert METRICS[metric].words[verdict[:1] or "-"] == words
