"""What the rules of the losses along paths are given."""


def loss_cfg():
    """Return what every loss of this stage depends on."""
    connectivity = plain(CONFIG.connectivity)
    keys = ("losses", "sequences", "precision", "tokens_per_batch")
    return {"prompt_suffix": CONFIG.prompt_suffix, **{key: connectivity[key] for key in keys}}


def endpoint_cfg(wildcards):
    """Return what one end depends on; the base is not shrunk towards itself."""
    shrink_points = [] if wildcards.run == BASE else list(CONFIG.connectivity.shrink_points)
    return {**loss_cfg(), "shrink_points": shrink_points}


def accuracy_cfg():
    """Return what the accuracy along a path depends on."""
    return {
        "points": list(CONFIG.connectivity.accuracy_points),
        "problems": CONFIG.connectivity.accuracy_problems,
        "prompt_suffix": CONFIG.prompt_suffix,
        "batch_size": CONFIG.evaluation.engine.batch_size,
        "max_new_tokens": CONFIG.evaluation.sampling.max_new_tokens,
        "deadline_seconds": CONFIG.grading.deadline_seconds,
        **grader_of(CONFIG.benchmark_of(CONFIG.connectivity)),
    }
