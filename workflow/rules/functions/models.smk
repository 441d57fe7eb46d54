"""What the rules of the models and problems are given."""


def sets_from(*sources):
    """Return the constraint of `set` to the problems that come from these sources."""
    names = [name for name in PROBLEM_SETS if source_of(name) and source_of(name).source in sources]
    return "|".join(names) or "(?!)"


def problem_cfg(wildcards):
    """Return what a set of problems depends on; `train` and `heldout` are two parts of one source."""
    source = source_of(wildcards.set)
    cfg = {"part": "benchmark", **plain(source)}
    del cfg["grader"]
    if wildcards.set in ROLLOUT_SETS:
        cfg |= {"part": wildcards.set, "heldout_count": CONFIG.rollouts.heldout_prompts}
    if source.source != "generated":
        cfg |= {"deadline_seconds": CONFIG.grading.deadline_seconds, **grader_of(wildcards.set)}
    return cfg
