"""The tables of replicates: what sets two losses apart beyond what is drawn."""

from typing import TYPE_CHECKING

from lossgeometry.stage import Column, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def swept(config: "Config") -> bool:
    """Return whether a method has several runs."""
    labels = [run.label for run in config.trained]
    return len(set(labels)) < len(labels)


REPLICATES = (
    Table(
        "replicates",
        "Two methods beside their own replicates of one kind; a method beside itself has `within_a` alone",
        (
            Column(
                "kind",
                "what alone replicates differ in: `order` of the data, `half` of the prompts, `initialisation`, or `both`"
                " initialisation and order",
            ),
            Column("method_a", "first method"),
            Column("method_b", "second method"),
            Column("conditions", "pairs of conditions that both methods were trained under"),
            Column("within_a", "mean cosine of the first with its replicate"),
            Column("within_b", "mean cosine of the second with its replicate"),
            Column("uncrossed", "mean cosine of the two in one condition, which shares what is drawn"),
            Column("crossed", "mean cosine of the two in different conditions"),
            Column("crossed_sd", "its standard deviation between unrelated updates, whose mean is 0"),
            Column("corrected", "crossed / sqrt(within_a within_b): 1 where only what is drawn sets the two apart"),
            Column("standard_error", "of `corrected`, leaving out one block of the network at a time"),
            Column("low", "lower end of its 95 % interval"),
            Column("high", "upper end"),
            Column(
                "verdict",
                "`one direction` where the interval lies above 0.95, `apart beyond noise` where it lies below, else `cannot"
                " tell`",
            ),
            Column("note", "why a value is undefined"),
        ),
        swept,
        None,
    ),
    Table(
        "components",
        "What one factor adds to an update of unit length, the others held fixed",
        (
            Column("factor", "`initialisation`, `order`, `data` (halves of the prompts) or `loss`"),
            Column("pairs", "pairs of runs that differ in it alone"),
            Column("share", "half their squared distance: 1 less their mean cosine", "share"),
            Column("low", "lower end of the 95 % interval, leaving out one block of the network at a time", "share"),
            Column("high", "upper end", "share"),
            Column("note", "what to beware of"),
        ),
        swept,
        None,
    ),
)
