"""A loss in a file of one's own is placed among the known ones, in words with numbers."""

import shutil

import pandas as pd
import pytest
import yaml
from test_audit_tables import write
from training_tools import build_world

from lossgeometry.audit import own_loss
from lossgeometry.audit.tables import NO_WRONG, tabulate
from lossgeometry.errors import InputError

SCALED = "def token_loss(tokens, options):\n    return -3 * tokens.log_probs\n"
RIGHT = "def select(rollouts, options, job):\n    return rollouts[rollouts.reward > 0].assign(weight=1.0)\n" + SCALED
PAIRS = """
from lossgeometry.settings.block import Block

class Options(Block):
    pairs: str = "one_per_prompt"

def pair_loss(pairs, options):
    return pairs.rejected - pairs.chosen
"""


@pytest.fixture(scope="module")
def rollouts(tmp_path_factory):
    """The rollouts of what looks like a finished experiment."""
    folder = tmp_path_factory.mktemp("own")
    world = build_world(folder)
    results = folder / "results" / "small"
    for name, source in (("models/student", world.student), ("initialisations/s42", world.initialisation)):
        shutil.copytree(source, results / name)
    for name, source in (("prompts/train.jsonl", "prompts.jsonl"), ("rollouts/rollouts.parquet", "rollouts.parquet")):
        (results / name).parent.mkdir(parents=True)
        shutil.copy(folder / source, results / name)
    config = {"experiment": "small", "prompts": {"source": "generated", "count": 4}, "training": {"max_length": 128}}
    config |= {"methods": {"sft": {"learning_rate": 1e-3}}, "audit": {"folds": 4}}
    (results / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return results / "rollouts" / "rollouts.parquet"


@pytest.fixture(autouse=True)
def two_folds(monkeypatch):
    """Four prompts fill two folds."""
    whole = own_loss.AuditedLosses
    monkeypatch.setattr(own_loss, "AuditedLosses", lambda **values: whole(**{**values, "folds": 2}))


@pytest.mark.parametrize(("text", "known"), [(SCALED, "sft"), (RIGHT, "rft"), (PAIRS, "dpo")])
def test_a_loss_up_to_a_factor_is_recognised(rollouts, tmp_path, text, known):
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    audit, noise, regime = own_loss.audit_method(tmp_path / "mine.py", rollouts)
    beside = audit[(audit.scope == "global") & (audit.loss_a == "your mine")].set_index("loss_b").cosine
    assert beside.idxmax() == known or beside.max() - beside[known] < 1e-6
    assert beside[known] == pytest.approx(1, abs=1e-5) and {"sft", "rift", "kto", "simpo"} <= set(beside.index)
    said = own_loss.in_words((audit, noise, regime))
    assert "Nearest: " in said and "cosine 1.000" in said and "of 4 prompts" in said


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("missing.py", None, "missing.py is no Python file with a loss"),
        ("broken.py", "def token_loss(:", "cannot be loaded: invalid syntax"),
        ("empty.py", "", "audited through its token_loss, pair_loss or row_loss; write one"),
        ("nothing.py", "def select(rollouts, options, job):\n    return rollouts[:0]\n" + SCALED, "leaves no rollout"),
    ],
)
def test_what_is_no_loss_is_said(rollouts, tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        own_loss.audit_method(tmp_path / name, rollouts)


def test_a_folder_that_is_no_experiment_is_said(tmp_path):
    (tmp_path / "mine.py").write_text(SCALED, encoding="utf-8")
    with pytest.raises(InputError, match="is no folder of an experiment; give ROLLOUTS="):
        own_loss.audit_method(tmp_path / "mine.py", tmp_path / "rollouts" / "rollouts.parquet")


def test_where_two_losses_part_is_read_off_the_curve(tmp_path):
    """In the made-up gradients of the test of the tables, SFT and RFT differ by what wrong rows do."""
    tables = tabulate({"initialisation": write(tmp_path / "a.safetensors")}, own_loss.SHARES, {})
    said = own_loss.in_words(tables)
    curve = tables[2].query("loss_a == 'sft' and loss_b == 'rft'").set_index("share").cosine
    assert "They are apart already (below 0.95); 30% of its rollouts are wrong here." in said
    few = tables[0].assign(cosine=tables[0].cosine.where(tables[0].loss_b != "rft", 0.99))
    parting = own_loss.in_words((few, tables[1].assign(rows_right=95, rows_wrong=5), tables[2]))
    share = curve[(curve < 0.95) & (curve.index <= 0.95)].index.max()
    assert f"They would part (fall below 0.95) at {1 - share:.0%} wrong; 5% of its rollouts are wrong here." in parting


def test_without_wrong_rows_the_parting_is_not_told(tmp_path):
    tables = tabulate({"initialisation": write(tmp_path / "a.safetensors", wrong=0)}, own_loss.SHARES, {})
    assert f"cannot be told: {NO_WRONG}." in own_loss.in_words(tables)
    assert isinstance(tables[0], pd.DataFrame)
