"""Which known loss is mine? A loss of the user beside all known ones, on the rollouts of a finished experiment."""

import importlib.util
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lossgeometry.audit.coefficients import is_paired
from lossgeometry.audit.measurement import audit
from lossgeometry.audit.tables import LEAST_COSINE, NO_RIGHT, NO_WRONG, tabulate
from lossgeometry.errors import InputError
from lossgeometry.experiment.config import Config
from lossgeometry.experiment.loading import load_config
from lossgeometry.geometry.chance import WIDTH
from lossgeometry.methods import __path__ as METHODS
from lossgeometry.methods import method_module
from lossgeometry.settings.block import Block
from lossgeometry.settings.tasks import AuditedLoss, AuditedLosses

SHARES = tuple(np.round(np.arange(0.05, 1.0, 0.01), 2).tolist())


def audit_method(method: str | Path, rollouts: str | Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables `audit`, `noise` and `regime` of a loss and all known ones that these rollouts serve.

    Parameters
    ----------
    method
        A Python file with what methods have: `token_loss` (and `select` for another choice than all rows, weight 1), `pair_loss`
        or `row_loss`; and `Options`, if it has any.
    rollouts
        `rollouts/rollouts.parquet` of a finished experiment, whose student, initialisation and problems are used.

    Raises
    ------
    InputError
        If the file or the experiment is not there, or the loss cannot be audited.
    """
    results = Path(rollouts).resolve().parent.parent
    config = _config(results)
    mine = load_method(Path(method))
    losses = [AuditedLoss(label=f"your {Path(method).stem}", method=mine, options={}), *_known(config, Path(rollouts))]
    first = config.trained[0]
    task = AuditedLosses(
        losses=tuple(losses),
        batch_size=config.training.batch_size,
        max_length=config.training.max_length,
        prompt_suffix=config.prompt_suffix,
        order_seed=first.order_seed,
        prompts=config.audit.prompts,
        folds=config.audit.folds,
        precision=config.audit.precision,
        tokens_per_batch=config.audit.tokens_per_batch,
    )
    start = results / "initialisations" / f"s{first.init_seed}"
    with tempfile.TemporaryDirectory() as folder:
        products = Path(folder) / "products.safetensors"
        prompts = results / "prompts" / "train.jsonl"
        audit(task, results / "models" / "student", start, prompts, Path(rollouts), products)
        return tabulate({"initialisation": products}, SHARES, {})


def load_method(path: Path) -> str:
    """Return the name under which `method_module` finds the method in a file.

    Raises
    ------
    InputError
        If there is no such file, or it is not one Python can read.
    """
    if path.suffix != ".py" or not path.is_file():
        raise InputError(
            f"{path} is no Python file with a loss; give one like workflow/scripts/lossgeometry/methods/sft.py"
        )
    name = f"{path.stem}_of_mine"
    spec = importlib.util.spec_from_file_location(f"lossgeometry.methods.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError) as error:
        raise InputError(f"{path} cannot be loaded: {error}") from None
    vars(module).setdefault("Options", Block)
    vars(module).setdefault("select", lambda rollouts, options, job: rollouts.assign(weight=1.0))
    sys.modules[f"lossgeometry.methods.{name}"] = module
    return name


def _config(results: Path) -> Config:
    path = results / "config.yaml"
    if not path.is_file():
        raise InputError(
            f"{results} is no folder of an experiment; give ROLLOUTS=results/<experiment>/rollouts/rollouts.parquet"
        )
    return load_config(yaml.safe_load(path.read_text(encoding="utf-8")))


def _known(config: Config, rollouts: Path) -> Iterable[AuditedLoss]:
    """Yield the offline methods, with the options of the experiment where it has them, that these rollouts serve."""
    frame = pd.read_parquet(rollouts, columns=["prompt_id", "reward"])
    right = (frame.reward > 0).groupby(frame.prompt_id).mean()
    mixed, some_right = bool(((right > 0) & (right < 1)).any()), bool((right > 0).any())
    for name in sorted(path.stem for path in Path(METHODS[0]).glob("[a-z]*.py")):
        module = method_module(name)
        if not module.OFFLINE or (is_paired(module) and not mixed) or (name == "rft" and not some_right):
            continue
        options = config.methods[name].options if name in config.methods else {}
        yield AuditedLoss(label=name, method=name, options=module.Options(**options).told())


def in_words(tables: Sequence[pd.DataFrame]) -> str:
    """Return what the tables of `audit_method` say, in a few sentences with their numbers."""
    audit_table, noise, regime = tables
    mine = noise.loss[0]
    row = noise.iloc[0]
    beside = audit_table[(audit_table.scope == "global") & (audit_table.loss_a == mine)]
    beside = beside.sort_values("cosine", ascending=False, kind="stable")
    share = row.rows_right / max(row.rows_right + row.rows_wrong, 1)
    lines = [
        f"{mine} takes {row.rows_right} right and {row.rows_wrong} wrong rollouts of {row.prompts} prompts.",
        _noise_in_words(row),
        f"Nearest: {_near(beside.iloc[0])}.",
        *(f"Then: {_near(other)}." for _, other in beside.iloc[1:3].iterrows()),
        f"Farthest: {_near(beside.iloc[-1])}.",
        _parting(mine, beside.iloc[0], regime, 1 - share),
    ]
    return "\n".join(lines)


def _noise_in_words(row: pd.Series) -> str:
    if pd.isna(row.noise_scale):
        return f"Its gradient cannot be told from noise on these prompts: {row.note}."
    return (
        f"Its gradient is as large as its noise at {row.noise_scale:.0f} prompts (se {row.noise_scale_se:.0f}); a cosine of 0.95 to"
        f" the gradient on all prompts takes {row.prompts_95:.0f}."
    )


def _near(row: pd.Series) -> str:
    if pd.isna(row.corrected):
        sure = f"without noise undefined: {row.note}"
    elif pd.isna(row.corrected_se):
        sure = f"without noise {row.corrected:.3f}, {row.note}"
    else:
        half = WIDTH * row.corrected_se
        ends = f"95 % {row.corrected - half:.3f} to {row.corrected + half:.3f}"
        sure = f"without noise {row.corrected:.3f}, {ends}: {row.direction}"
    return f"{row.loss_b}, cosine {row.cosine:.3f} (chance ± {WIDTH * row.null_sd:.3f}; {sure})"


def _parting(mine: str, nearest: pd.Series, regime: pd.DataFrame, wrong: float) -> str:
    """Return at which share of wrong rollouts the nearest loss would part."""
    curve = regime[(regime.loss_a == mine) & (regime.loss_b == nearest.loss_b)]
    if curve.note.isin([NO_WRONG, NO_RIGHT]).all():
        return f"At which share of wrong rollouts they would part cannot be told: {curve.note.iloc[0]}."
    apart = curve[(1 - curve.share >= wrong) & (curve.cosine < LEAST_COSINE)].sort_values("share", ascending=False)
    here = f"{wrong:.0%} of its rollouts are wrong here"
    if nearest.cosine < LEAST_COSINE:
        return f"They are apart already (below {LEAST_COSINE}); {here}."
    if apart.empty:
        return f"They would not part (fall below {LEAST_COSINE}) at any share of wrong rollouts up to 95 %; {here}."
    return f"They would part (fall below {LEAST_COSINE}) at {1 - apart.share.iloc[0]:.0%} wrong; {here}."
