"""The tables of the answers: what each row and column means."""

from typing import TYPE_CHECKING

from lossgeometry.stage import RUN_PAIR, Column, Table

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def asked(config: "Config") -> bool:
    return bool(config.evaluation.benchmarks)


def _trained_here(config: "Config") -> bool:
    # Nothing is known of what the adapters of a user were trained on.
    return asked(config) and bool(config.trained)


BENCHMARK = Column("benchmark", "key of `evaluation.benchmarks`")
DECODING = Column("decoding", "`greedy` or `sampled`")
FAMILY = (
    Column("question", "what the pair was compared for: one correction of Holm's each"),
    Column("group", "seed and learning rate within the question: likewise"),
    Column("family", "number of pairs that are corrected together"),
)
ACCURACY = Table(
    "accuracy",
    "One run on one benchmark under one decoding",
    (
        Column("run", "run, or `base`"),
        BENCHMARK,
        DECODING,
        Column("problems", "problems asked"),
        Column("samples", "completions per problem"),
        Column("accuracy", "share of correct completions, mean over problems", "share"),
        Column("low", "lower end of its 95 % interval over problems", "share"),
        Column("high", "upper end of that interval", "share"),
        Column(
            "interval",
            "`wilson` for single answers; for several samples `beta-binomial` below 100 problems, else `clustered wilson`",
        ),
        Column(
            "conditional_on", "what the interval takes as given; `tables/across_seeds.csv` takes the seeds as drawn too"
        ),
        Column("standard_error", "of the accuracy, clustered by problem", "share"),
        Column("pass_at_k", "chance that at least one of the samples is right; sampled decoding only", "share"),
        Column("truncation_rate", "completions cut by the token budget", "share"),
        Column("truncation_flag", "whether more than 1 % were cut, so that the accuracy reads too low"),
        Column("no_answer_rate", "completions without an answer", "share"),
        Column("timeout_rate", "completions that could not be graded in time", "share"),
        Column("tokens_mean", "mean length of a completion", "tokens"),
        Column(
            "minimum_detectable_difference",
            "true difference to the base that this comparison reveals four times out of five, after Holm's correction",
            "share",
        ),
        Column("difference_to_base", "accuracy less the base's, on the same problems", "share"),
        Column("difference_low", "lower end of its 95 % interval over problems", "share"),
        Column("difference_high", "upper end of that interval", "share"),
        Column("problems_without_overlap", "problems that share no text with a training prompt, see `contamination`"),
        Column("accuracy_without_overlap", "accuracy on these", "share"),
        Column("low_without_overlap", "lower end of its 95 % interval", "share"),
        Column("high_without_overlap", "upper end of that interval", "share"),
        Column("note", "what to beware of"),
    ),
    asked,
    None,
)
DIFFERENCES = Table(
    "differences",
    "One paired comparison of two runs' answers to one benchmark under one decoding, within one question",
    (
        Column("run_a", "first run of the pair, or `base`"),
        Column("run_b", "second run of the pair"),
        BENCHMARK,
        DECODING,
        Column("most_precise", "whether claims are read on this decoding: samples where there are any"),
        Column("problems", "problems that both answered"),
        Column("samples", "completions per problem"),
        Column("difference", "accuracy of the second run less that of the first", "share"),
        Column("low", "lower end of its 95 % interval over problems", "share"),
        Column("high", "upper end of that interval", "share"),
        Column("standard_error", "of the difference, over problems", "share"),
        Column("b", "problems that only the first run solves; greedy only"),
        Column("c", "problems that only the second run solves; greedy only"),
        Column("p", "two-sided: exact McNemar test for greedy answers, Wald's for samples"),
        Column("p_holm", "the same after Holm's correction over the family"),
        *FAMILY,
        Column("margin", "differences within it on both sides count as none: `evaluation.margin`", "share"),
        Column("smallest_difference", "true difference that this pair reveals four times out of five", "share"),
        Column("verdict", "`equal`, `different` or `cannot tell`"),
        Column("reason", "why"),
    ),
    asked,
    (
        *("pair", "run_a", "run_b", "benchmark", "decoding", "most_precise", "question"),
        *("difference", "low", "high", "margin", "verdict", "reason"),
    ),
)
MCNEMAR = Table(
    "mcnemar",
    "One exact McNemar test of two runs on the greedy answers to one benchmark",
    (
        *RUN_PAIR,
        BENCHMARK,
        Column("problems", "problems that both answered"),
        Column("b", "problems that only the first run solves"),
        Column("c", "problems that only the second run solves"),
        Column("p", "two-sided p of b among b + c"),
        Column("p_holm", "the same after Holm's correction over the family"),
        *FAMILY,
    ),
    asked,
    None,
)
PASS_AT_K = Table(
    "pass_at_k",
    "One run on one benchmark with k of its samples",
    (
        Column("run", "run, or `base`"),
        BENCHMARK,
        DECODING,
        Column("k", "samples per problem"),
        Column("problems", "problems asked"),
        Column("avg_at_k", "share of correct completions: the mean over all samples, for every k", "share"),
        Column("avg_low", "lower end of the 95 % interval that k samples a problem would have given", "share"),
        Column("avg_high", "upper end of that interval", "share"),
        Column("pass_at_k", "chance that at least one of k samples is right", "share"),
        Column("pass_low", "lower end of its 95 % interval over problems", "share"),
        Column("pass_high", "upper end of that interval", "share"),
    ),
    asked,
)
ACROSS_SEEDS = Table(
    "across_seeds",
    "One method's accuracy, or the difference of two methods, over the seeds that were run",
    (
        Column(
            "quantity", "`accuracy` of method_a, or `difference`: method_b less method_a on the same seeds and problems"
        ),
        Column("method_a", "method, or `base`"),
        Column("method_b", "method; empty for an accuracy"),
        BENCHMARK,
        DECODING,
        Column("seeds", "seeds that both were run at, joined by semicolons"),
        Column("problems", "problems asked"),
        Column("samples", "completions per problem"),
        Column("value", "mean over seeds and problems", "share"),
        Column("low", "lower end of its 95 % interval over seeds and problems", "share"),
        Column("high", "upper end of that interval", "share"),
        Column("standard_error", "of the value, over seeds and problems", "share"),
        Column("degrees_of_freedom", "Satterthwaite's, of the standard error"),
        Column("sd_between_seeds", "standard deviation between seeds, sampling of problems aside", "share"),
    ),
    asked,
)
CONTAMINATION = Table(
    "contamination",
    "One benchmark compared with the training prompts",
    (
        BENCHMARK,
        Column("problems", "its problems"),
        Column("exact", "problems that are a training prompt but for white space, case, LaTeX spacing and delimiters"),
        Column("exact_share", "the same", "share"),
        Column("ngram", "problems that share 13 words in a row with a training prompt; phrases of templates count too"),
        Column("ngram_share", "the same", "share"),
        Column("overlapping", "problems that are either"),
        Column("overlapping_share", "the same", "share"),
        Column("exact_ids", "ids of the exact copies, joined by semicolons"),
        Column("ngram_ids", "ids of those that share 13 words, joined by semicolons"),
    ),
    _trained_here,
)
TABLES = (ACCURACY, DIFFERENCES, MCNEMAR, PASS_AT_K, ACROSS_SEEDS, CONTAMINATION)
