from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake, with_model=True):
    from pathlib import Path

    from lossgeometry.behaviour.scaling import factor_to_kl
    from lossgeometry.edits.derivation import derive
    from lossgeometry.settings.edits import Edit
    from lossgeometry.settings.tasks import Divergences
    from lossgeometry.updates.peft import Adapter

    cfg, inputs = snakemake.params.cfg, snakemake.input
    edit = Edit(**cfg["edit"])
    target = edit.to_kl or 0.0  # what the rule is for
    factor = factor_to_kl(
        student=inputs.student,
        adapter=Adapter(Path(inputs.weights[0]).parent),
        answers=inputs.base,
        prompts=inputs.prompts,
        task=Divergences.from_told(cfg["divergence"]),
        target=target,
    )
    print(f"{target:g} nats per token at {factor:.6g} times the update")
    derive(
        edit=edit,
        sources=dict(zip(cfg["names"], inputs.weights, strict=True)),
        runs=dict(zip(cfg["names"], cfg["sources"], strict=True)),
        folder=Path(snakemake.output.weights).parent,
        factor=factor,
    )
