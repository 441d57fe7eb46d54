"""What the rules of the updates are given."""


def update_inputs(wildcards):
    """Return the files that a run's update is read from; a full fine-tune is read beside the student that it started from."""
    if CONFIG.runs[wildcards.run].whole_model:
        return {"weights": adapter_inputs(wildcards.run), "base": student_folder()}
    return {"weights": adapter_inputs(wildcards.run)}


def update_cfg(wildcards):
    return {"rank": CONFIG.geometry.fine_tune_rank} if CONFIG.runs[wildcards.run].whole_model else {}
