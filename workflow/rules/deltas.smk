"""The update of every run as a compact singular value decomposition, and its relation to the weights that it changes."""


# `external.<name>`, `control.random` and `edit.<name>` are also possible run ids in the eyes of the rule that trains.
ruleorder: fetch_adapter > scale_adapter > derive_adapter > train_adapter


rule fetch_adapter:
    output:
        weights=results("adapters/external.{name}/adapter_model.safetensors"),
        config=results("adapters/external.{name}/adapter_config.json"),
    log:
        log_of("fetch_adapter/{name}"),
    benchmark:
        benchmark_of("fetch_adapter/{name}")
    localrule: True
    conda:
        CPU
    params:
        cfg=lambda wildcards: {"source": CONFIG.folders[wildcards.name]},
        code=planned_code("fetch_adapter.py"),
    message:
        "Fetching the adapter {wildcards.name}"
    script:
        "../scripts/fetch_adapter.py"


rule derive_adapter:
    input:
        weights=lambda wildcards: [adapter_inputs(run)[0] for run in CONFIG.runs[wildcards.run].sources],
        configs=lambda wildcards: [adapter_inputs(run)[1] for run in CONFIG.runs[wildcards.run].sources],
    output:
        weights=results("adapters/{run}/adapter_model.safetensors"),
        config=results("adapters/{run}/adapter_config.json"),
        record=results("adapters/{run}/edit.json"),
    log:
        log_of("derive_adapter/{run}"),
    benchmark:
        benchmark_of("derive_adapter/{run}")
    wildcard_constraints:
        run=one_of(run.id for run in CONFIG.runs.values() if run.origin == "derived"),
    priority: BEFORE_ANSWERS
    conda:
        CPU
    threads: 1
    resources:
        mem_mb=1000,
    params:
        cfg=lambda wildcards: jobs.weights.derived(CONFIG, wildcards.run),
        code=planned_code("derive_adapter.py"),
    message:
        "Computing {wildcards.run} from other updates"
    script:
        "../scripts/derive_adapter.py"


rule scale_adapter:
    input:
        **model("student", student_folder()),
        weights=lambda wildcards: [adapter_inputs(run)[0] for run in CONFIG.runs[wildcards.run].sources],
        configs=lambda wildcards: [adapter_inputs(run)[1] for run in CONFIG.runs[wildcards.run].sources],
        base=results(f"evaluation/{BASE}/{CONFIG.measured_benchmark}.jsonl"),
        prompts=results(f"prompts/{CONFIG.measured_benchmark}.jsonl"),
    output:
        weights=results("adapters/{run}/adapter_model.safetensors"),
        config=results("adapters/{run}/adapter_config.json"),
        record=results("adapters/{run}/edit.json"),
    log:
        log_of("scale_adapter/{run}"),
    benchmark:
        benchmark_of("scale_adapter/{run}")
    wildcard_constraints:
        run=one_of(jobs.weights.scaled_to_kl(CONFIG)),
    conda:
        CPU if CONFIG.behaviour.precision == "float32" else GPU
    threads: CONFIG.behaviour.threads
    resources:
        gpu=int(CONFIG.behaviour.precision != "float32"),
    params:
        cfg=lambda wildcards: {
            **jobs.weights.derived(CONFIG, wildcards.run),
            "divergence": jobs.function_space.divergences(CONFIG),
        },
        code=planned_code("scale_adapter.py"),
    message:
        "Scaling {wildcards.run} to its divergence from the base"
    script:
        "../scripts/scale_adapter.py"


rule reduce_adapter:
    input:
        weights=lambda wildcards: adapter_inputs(wildcards.run),
        base=lambda wildcards: ancient(student_folder()) if jobs.weights.beside_base(CONFIG, wildcards.run) else [],
        base_manifest=lambda wildcards: (
            manifest(student_folder()) if jobs.weights.beside_base(CONFIG, wildcards.run) else []
        ),
    output:
        results("deltas/{run}.safetensors"),
    log:
        log_of("reduce_adapter/{run}"),
    benchmark:
        benchmark_of("reduce_adapter/{run}")
    priority: BEFORE_ANSWERS
    conda:
        CPU
    threads: 1
    resources:
        mem_mb=1000,
    params:
        cfg=lambda wildcards: jobs.weights.update(CONFIG, wildcards.run),
        code=planned_code("reduce_adapter.py"),
    message:
        "Decomposing the update of {wildcards.run}"
    script:
        "../scripts/reduce_adapter.py"


rule decompose_base:
    input:
        **model("student", student_folder()),
    output:
        results("base/spectra.safetensors"),
    log:
        log_of("decompose_base"),
    benchmark:
        benchmark_of("decompose_base")
    conda:
        CPU
    threads: CONFIG.training.threads
    params:
        cfg=jobs.weights.base_spectra(CONFIG),
        code=planned_code("decompose_base.py"),
    message:
        "Decomposing the base weights"
    script:
        "../scripts/decompose_base.py"


rule relate_to_base:
    input:
        **model("student", student_folder()),
        delta=results("deltas/{run}.safetensors"),
        spectra=results("base/spectra.safetensors"),
    output:
        results("base/relations/{run}.parquet"),
    log:
        log_of("relate_to_base/{run}"),
    benchmark:
        benchmark_of("relate_to_base/{run}")
    conda:
        CPU
    threads: CONFIG.training.threads
    params:
        cfg={"k": CONFIG.geometry.k},
        code=planned_code("relate_to_base.py"),
    message:
        "Relating {wildcards.run} to the base weights"
    script:
        "../scripts/relate_to_base.py"


rule tabulate_relations:
    input:
        [results(f"base/relations/{run}.parquet") for run in CONFIG.runs],
    output:
        results("tables/base_relations.csv"),
    log:
        log_of("tabulate_relations"),
    benchmark:
        benchmark_of("tabulate_relations")
    localrule: True
    conda:
        CPU
    threads: 1
    params:
        cfg={"runs": list(CONFIG.runs)},
        code=planned_code("tabulate_relations.py"),
    message:
        "Tabulating the relations to the base weights"
    script:
        "../scripts/tabulate_relations.py"


rule overlap_changes:
    input:
        **model("student", student_folder()),
        deltas=[
            results(f"deltas/{run}.safetensors")
            for run in dict.fromkeys(run for pair in jobs.weights.overlapped(CONFIG) for run in pair)
        ],
    output:
        results("tables/changed_entries.csv"),
    log:
        log_of("overlap_changes"),
    benchmark:
        benchmark_of("overlap_changes")
    conda:
        CPU
    threads: CONFIG.training.threads
    params:
        cfg={"pairs": [list(pair) for pair in jobs.weights.overlapped(CONFIG)]},
        code=planned_code("overlap_changes.py"),
    message:
        "Counting the entries of the base that pairs of updates change together"
    script:
        "../scripts/overlap_changes.py"
