"""What the rules of the answers are given."""


def generation_cfg():
    return {
        "prompt_suffix": CONFIG.prompt_suffix,
        "greedy": CONFIG.evaluation.greedy,
        "samples": CONFIG.evaluation.samples,
        "sampling": plain(CONFIG.evaluation.sampling),
        "engine": plain(CONFIG.evaluation.engine),
        "seed": CONFIG.evaluation.seed,
    }
