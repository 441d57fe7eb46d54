"""What the rules of the page and the figures are given."""


def method_entries():
    """Return title, objective and citation of every method label."""
    entries = {}
    for label in CONFIG.methods:
        name, _, variant = label.partition("@")
        method = method_module(name)
        entries[label] = {
            "title": f"{method.TITLE} {variant}".strip(),
            "objective": method.OBJECTIVE,
            "citation": method.CITATION,
        }
    return entries


def explorer_facts():
    """Return what the head of the page says about the experiment."""
    facts = {"student": CONFIG.student_name}
    if TRAINED:
        targets = ", ".join(name.removesuffix("_proj") for name in CONFIG.lora.target_modules)
        facts["adapter"] = f"LoRA, rank {CONFIG.lora.rank}, on {targets}"
        facts["training"] = f"{CONFIG.training.steps} steps of {CONFIG.training.batch_size}"
    return facts


def figure_files():
    return [results(f"figures/{figure.name}.{suffix}") for suffix in ("svg", "png") for figure in FIGURES]
