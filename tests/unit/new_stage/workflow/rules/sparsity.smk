rule tabulate_sparsity:
    input:
        [results(f"deltas/{run}.safetensors") for run in CONFIG.runs],
    output:
        results("tables/sparsity.csv"),
    script:
        "../scripts/tabulate_sparsity.py"
