from typing import TYPE_CHECKING

from lossgeometry.script import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    from pathlib import Path

    from lossgeometry.geometry.tabulation import write_csv
    from lossgeometry.trajectories.tabulation import tabulate
    from lossgeometry.updates.loading import load

    cfg, inputs, output = snakemake.params.cfg, snakemake.input, snakemake.output
    base = inputs.get("base") or None
    tables = tabulate(
        runs={
            run: {step: load(Path(inputs[name][0]).parent, base, cfg["rank"]) for step, name in steps}
            for run, steps in cfg["runs"].items()
        },
        pairs=cfg["pairs"],
        behaviour=Path(inputs.behaviour) if inputs.get("behaviour") else None,
        names={run: dict(steps) for run, steps in cfg["runs"].items()},
    )
    for name, table in tables._asdict().items():
        if output.get(name):
            write_csv(output[name], table)
