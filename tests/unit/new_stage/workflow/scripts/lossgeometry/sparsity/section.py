"""What the summary says about sparsity."""


def section(frames, facts):
    if "sparsity" not in frames:
        return ""
    return "\n".join(["## Sparsity", "", *(f"- {row.run}: {row.small:.1%}" for row in frames["sparsity"].itertuples())])


def in_short(frames):
    return [f"**Sparsity**: at most {frames['sparsity'].small.max():.1%} are small"] if "sparsity" in frames else []
