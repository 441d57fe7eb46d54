"""What the summary says about sparsity."""


def section(frames, facts):
    if "sparsity" not in frames:
        return ""
    return "\n".join(["## Sparsity", "", *(f"- {row.run}: {row.small:.1%}" for row in frames["sparsity"].itertuples())])
