"""What the page says of two runs is what findings.json says of them, word for word."""

import json
import shutil
import subprocess

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
console.log(JSON.stringify(Object.fromEntries([...pairs.values()].map((pair) => [pair.id, sentences(pair)]))));
})()`);
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """The bundle, and what the page says of every pair."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    bundle = gather(**write_results(tmp_path_factory.mktemp("results"), methods=6, seeds=2, rates=1))
    text = json.dumps({**bundle, "panels": panels_of(bundle)})
    code = [
        (ASSET_FOLDER / name).read_text(encoding="utf-8") for name in ("state.js", "data.js", "views.js", "pair.js")
    ]
    done = subprocess.run(
        ["node", "-e", PAGE], input=json.dumps([text, *code]), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return bundle, json.loads(done.stdout)


def test_every_sentence_on_a_pair_is_a_finding_about_it(said):
    bundle, sentences = said
    runs = {run["id"]: run for run in bundle["runs"]}
    statements: dict[str, set[str]] = {}
    for finding in bundle["findings"]:
        statements.setdefault(finding["pair"], set()).add(finding["statement"])
    for pair in bundle["pairs"]:
        a, b = (runs[pair[end]] for end in ("a", "b"))
        of_losses = [] if "learning_rate" in (a["arm"], b["arm"]) else [(a, b), (b, a)]
        about = [pair["id"], *(f"{one['label']}--{other['label']}" for one, other in of_losses)]
        assert set(sentences[pair["id"]]) <= set().union(*(statements.get(key, set()) for key in about))
    assert len(sentences["sft.lr0.001.s42--rft.lr0.001.s42"]) == 3  # made-up results have no shift of the hidden states


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
