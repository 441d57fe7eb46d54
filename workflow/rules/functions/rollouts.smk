"""What the rules of the rollouts are given."""


def sampling_cfg():
    """Return what generation depends on."""
    engine = plain(CONFIG.rollouts.engine)
    return {
        "model": CONFIG.teacher.name if CONFIG.teacher.source == "endpoint" else "",
        "prompt_suffix": CONFIG.prompt_suffix,
        "samples_per_prompt": CONFIG.rollouts.samples_per_prompt,
        "sampling": plain(CONFIG.rollouts.sampling),
        "engine": {key: engine[key] for key in engine if key not in CONFIG.rollouts.engine.speed_keys},
        "seed": CONFIG.rollouts.seed,
    }


# As a function that takes `input`, a parameter is not compared: these keys change the speed alone.
def sampling_speed(wildcards, input):
    engine = plain(CONFIG.rollouts.engine)
    return {key: engine[key] for key in CONFIG.rollouts.engine.speed_keys}
