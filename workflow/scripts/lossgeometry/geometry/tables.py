"""The tables of the pairwise geometry, of seeds and learning rates, and of the updates' relation to the base weights."""

from typing import TYPE_CHECKING

from lossgeometry.geometry.replicate_tables import REPLICATES, swept
from lossgeometry.stage import RUN_PAIR, Column, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def _pairs(config: "Config") -> bool:
    return bool(config.pairs)


def _overlaps(config: "Config") -> bool:
    return bool(config.geometry.relation_to_base and config.pairs)


def _relations(config: "Config") -> bool:
    return config.geometry.relation_to_base


LAYER = Column("layer", "counted from 0; empty where layers are pooled")
PROJECTION = Column("projection", "kind of matrix (`q`, `k`, `v`, `o`, ...); empty where they are pooled")
VALUE = (
    Column("metric", "what is measured; see docs/measurements.md"),
    Column("side", "`output`, `input`, or `none` for metrics of both"),
    Column("k", "leading directions compared; empty for metrics that take none"),
    Column("value", "the measurement", "degrees for angles"),
    Column("null_mean", "its mean for unrelated updates", "as `value`"),
    Column("null_sd", "standard deviation for unrelated updates", "as `value`"),
)
NOTE = Column("note", "why the value is undefined, what it leaves out, or where its chance level is from")
BESIDE = (
    Column(
        "control",
        "the same between a control on shuffled verdicts and either run, whichever pair is more alike, from one initialisation"
        " where the two runs share theirs: what training on this base gives by itself; empty without a control",
        "as `value`",
    ),
    Column(
        "replicate",
        "the same between two runs that differ in the order of the data alone, mean over the replicates named in"
        " `replicate_of` of `geometry`; empty for runs of two initialisations",
        "as `value`",
    ),
)
RESHUFFLE = (
    Column("replicate_low", "lower end of the replicates' spread over layers; global cosine only, as all that follow"),
    Column("replicate_high", "upper end of that spread"),
    Column("replicate_of", "methods of these replicates: those of the pair, or others where neither has one"),
    Column(
        "reshuffle",
        "`within a reshuffle`: no further apart than reshuffling the data sets every replicate; `beyond a reshuffle`:"
        " further than for both methods; or `cannot tell`; empty for runs that were not trained here, and for controls",
    ),
    Column("reshuffle_reason", "why it cannot be told, and what to add"),
)
VERDICT = Column(
    "verdict",
    "`inside chance`: within 1.96 null_sd of null_mean; else `above chance` or `below chance`; empty without a null",
)

TABLES = (
    Table(
        "geometry",
        "One metric of one pair over the whole model, or over all matrices of one projection",
        (
            *RUN_PAIR,
            *(
                Column(f"{name}_{end}", f"{text} of the {place} run")
                for end, place in (("a", "first"), ("b", "second"))
                for name, text in (
                    ("method", "key of `methods`"),
                    ("learning_rate", "peak learning rate"),
                    ("seed", "seed"),
                )
            ),
            Column("reference", "run that the orthogonal fraction is measured against"),
            Column("scope", "`global` or `projection`"),
            PROJECTION,
            *VALUE,
            Column(
                "depth_low", "lower end of the spread over layers (a bootstrap over layers); global only", "as `value`"
            ),
            Column("depth_high", "upper end of that spread", "as `value`"),
            *BESIDE,
            *RESHUFFLE,
            NOTE,
            VERDICT,
        ),
        _pairs,
        None,
    ),
    Table(
        "layers",
        "One metric of one pair over one layer",
        (*RUN_PAIR, LAYER, *VALUE, *BESIDE, NOTE, VERDICT),
        _pairs,
        None,
    ),
    Table(
        "modules",
        "One metric of one pair in one weight matrix",
        (*RUN_PAIR, Column("module", "name of the weight matrix"), LAYER, PROJECTION, *VALUE, *BESIDE, NOTE, VERDICT),
        _pairs,
        None,
        "parquet",
    ),
    Table(
        "grassmann",
        "Similarity of the i leading directions of one update with the j leading ones of the other",
        (
            *RUN_PAIR,
            Column("scope", "`global` or `projection`"),
            PROJECTION,
            Column("side", "`output` or `input`"),
            Column("i", "leading directions of the first run"),
            Column("j", "leading directions of the second run"),
            Column("value", "norm(U_i' U_j)^2 / min(i, j), mean over matrices; 1: one subspace holds the other"),
            Column("null_mean", "its mean for unrelated updates"),
        ),
        _pairs,
    ),
    Table(
        "seeds",
        "Two methods beside themselves under another seed, by one measure of similarity",
        (
            Column("measure", "`cosine` or `output_gram_alignment`"),
            Column("method_a", "first method"),
            Column("method_b", "second method"),
            Column("same_seed", "mean similarity of the two at one seed, which shares A and data order"),
            Column("other_seed", "mean similarity of the two at different seeds"),
            Column("within_a", "mean similarity of the first with itself at different seeds"),
            Column("within_b", "mean similarity of the second with itself at different seeds"),
            Column("ceiling", "sqrt(within_a within_b)"),
            Column("ratio", "other_seed / ceiling: 1 where the methods differ no more than their own seeds do"),
            Column("chance", "mean of `other_seed` for unrelated updates"),
            Column("chance_sd", "its standard deviation for unrelated updates"),
            *(
                Column(f"{series}_chance{end}", f"{text} of `{series}` for unrelated updates")
                for series in ("same_seed", "within_a", "within_b")
                for end, text in (("", "mean"), ("_sd", "standard deviation"))
            ),
            Column("note", "why the ceiling is undefined"),
        ),
        swept,
        None,
    ),
    *REPLICATES,
    Table(
        "decomposition",
        "Share of the squared norm of the unit-length updates that one factor explains (two-way analysis of variance)",
        (
            Column("measure", "`cosine` or `output_gram_alignment`"),
            Column("term", "`common` to all runs, `method`, `seed`, or `remainder`"),
            Column("share", "the four terms add up to 1", "share"),
            Column("chance", "its expectation for mutually orthogonal updates", "share"),
            Column("methods", "methods that have every seed"),
            Column("seeds", "their seeds"),
        ),
        swept,
        None,
    ),
    Table(
        "rates",
        "Two learning rates of one method at one seed",
        (
            Column("method", "key of `methods`"),
            Column("seed", "seed of both runs"),
            Column("rate_a", "the lower learning rate"),
            Column("rate_b", "the higher learning rate"),
            Column("rate_ratio", "rate_b / rate_a"),
            Column("cosine", "cosine of the two updates"),
            Column("angle", "arccos of it; 0 where the learning rate only rescales the update", "degrees"),
            Column("norm_ratio", "norm at rate_b over norm at rate_a"),
            Column("output_alignment", "cosine of the two output Grams"),
        ),
        swept,
    ),
    Table(
        "base_relations",
        "One relation of one update to the base weights, at one scope",
        (
            Column("run", "run"),
            Column("scope", "`global`, `projection`, `layer` or `module`"),
            Column("module", "name of the weight matrix; empty where matrices are pooled"),
            LAYER,
            PROJECTION,
            *VALUE,
            NOTE,
        ),
        _relations,
    ),
    Table(
        "changed_entries",
        "Whether two updates change the same entries of the base, by the rule of a thousandth of the entry; edits to one divergence"
        " are compared with each other too",
        (
            *RUN_PAIR,
            Column("at_norm", "`own`: as they are; `equal`: every module at a thousandth of the norm of its weight"),
            Column("overlap", "entries that both change over those that either changes"),
            Column(
                "null_mean", "the same with the second update's singular values in random directions, mean of the draws"
            ),
            Column("null_sd", "its standard deviation"),
            Column("note", "why it is undefined"),
        ),
        _overlaps,
    ),
)
