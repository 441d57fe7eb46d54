"""What the rules of the updates are given."""


def adapter_weights(wildcards):
    """Return the two files of a run's adapter by name."""
    weights, config = adapter_inputs(wildcards.run)
    return {"weights": weights, "config": config}
