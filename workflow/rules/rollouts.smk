"""Sampling the teacher, and grading what it wrote: the one data set of every offline method."""


scattergather:
    rollouts=CONFIG.rollouts.shards,


def sampling_cfg():
    """Return what generation depends on; the engine's batch size stays out, since no result depends on it."""
    return {
        "model": plain(CONFIG.teacher) if CONFIG.teacher.source == "endpoint" else {},
        "prompt_suffix": CONFIG.prompt_suffix,
        "samples_per_prompt": CONFIG.rollouts.samples_per_prompt,
        "sampling": plain(CONFIG.rollouts.sampling),
        "engine": plain(CONFIG.rollouts.engine),
        "seed": CONFIG.rollouts.seed,
        "file": CONFIG.rollouts.file,
    }


rule generate_rollouts:
    message:
        "Sampling the teacher, part {wildcards.scatteritem}"
    input:
        teacher=teacher_folder() if CONFIG.teacher.source != "endpoint" and not CONFIG.rollouts.file else [],
        prompts=[results(f"prompts/{name}.jsonl") for name in ROLLOUT_SETS],
        file=CONFIG.rollouts.file or [],
    output:
        results("rollouts/shards/{scatteritem}.jsonl"),
    log:
        log_of("generate_rollouts/{scatteritem}"),
    benchmark:
        benchmark_of("generate_rollouts/{scatteritem}")
    conda:
        CPU if CONFIG.rollouts.engine.name == "transformers" else GPU
    threads: 1 if CONFIG.rollouts.engine.name == "transformers" else 8
    resources:
        gpu=int(CONFIG.rollouts.engine.name == "vllm"),
    params:
        cfg=sampling_cfg(),
        code=code_digests("generate_rollouts.py"),
    script:
        "../scripts/generate_rollouts.py"


rule grade_rollouts:
    message:
        "Grading the rollouts"
    input:
        prompts=[results(f"prompts/{name}.jsonl") for name in ROLLOUT_SETS],
        shards=gather.rollouts(results("rollouts/shards/{scatteritem}.jsonl")),
    output:
        rollouts=results("rollouts/rollouts.parquet"),
        heldout=results("rollouts/heldout.jsonl"),
        summary=results("tables/rollouts.csv"),
    log:
        log_of("grade_rollouts"),
    benchmark:
        benchmark_of("grade_rollouts")
    conda:
        CPU
    threads: CONFIG.grading.workers
    params:
        cfg={"deadline_seconds": CONFIG.grading.deadline_seconds},
        code=code_digests("grade_rollouts.py"),
    script:
        "../scripts/grade_rollouts.py"
