"""What the rules of the pairs' geometry are given."""


def pair_cfg(a, b):
    """Return what one pair's geometry depends on beside the two updates."""
    a, b = CONFIG.runs[a], CONFIG.runs[b]
    reference = CONFIG.geometry.reference
    return {"k": CONFIG.geometry.k, "reference": int(b.label == reference != a.label)}


def pair_entries():
    """Return what the tables of the pairs depend on beside their files."""
    return [{"a": a, "b": b, "reference": pair_cfg(a, b)["reference"]} for a, b in CONFIG.pairs]


def run_identities():
    """Return what tells the runs apart in the tables; a user's adapter has no learning rate or seed that we know."""
    return {
        run.id: {
            "method": run.label,
            "learning_rate": None if run.external else run.learning_rate,
            "seed": "" if run.external else run.seed,
        }
        for run in CONFIG.runs.values()
    }


def swept_runs():
    """Return the trained runs of methods that have several seeds or learning rates."""
    trained = [run for run in CONFIG.runs.values() if not run.external]
    return [run for run in trained if sum(other.label == run.label for other in trained) > 1]
