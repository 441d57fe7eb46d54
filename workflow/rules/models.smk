"""The student, the teacher and the problems."""


if CONFIG.student.source == "tiny":

    rule build_student:
        message:
            "Pre-training the tiny student"
        output:
            directory(student_folder()),
        log:
            log_of("build_student"),
        benchmark:
            benchmark_of("build_student")
        conda:
            CPU
        # One thread: with more, sums are split differently and the bytes depend on the machine.
        threads: 1
        params:
            cfg=plain(CONFIG.student.tiny),
            code=code_digests("build_student.py"),
        script:
            "../scripts/build_student.py"

else:

    rule fetch_student:
        message:
            "Fetching the student at its pinned revision"
        output:
            directory(student_folder()),
        log:
            log_of("fetch_student"),
        benchmark:
            benchmark_of("fetch_student")
        localrule: True
        conda:
            CPU
        params:
            cfg=plain(CONFIG.student),
            code=code_digests("fetch_model.py"),
        script:
            "../scripts/fetch_model.py"


if CONFIG.teacher.source == "tiny":

    use rule build_student as build_teacher with:
        message:
            "Pre-training the tiny teacher"
        output:
            directory(teacher_folder()),
        log:
            log_of("build_teacher"),
        benchmark:
            benchmark_of("build_teacher")
        params:
            cfg=plain(CONFIG.teacher.tiny),
            code=code_digests("build_student.py"),

elif CONFIG.teacher.source != "endpoint":

    rule provide_teacher:
        message:
            "Providing the teacher"
        input:
            student_folder() if CONFIG.teacher.source == "student" else [],
        output:
            directory(teacher_folder()),
        log:
            log_of("provide_teacher"),
        benchmark:
            benchmark_of("provide_teacher")
        localrule: True
        conda:
            CPU
        params:
            cfg=plain(CONFIG.teacher),
            code=code_digests("fetch_model.py"),
        script:
            "../scripts/fetch_model.py"


# Problems that this experiment takes from a source of their own; those of imported rollouts come with the rollouts.
PROBLEM_SETS = [*([] if CONFIG.rollouts.file else ROLLOUT_SETS), *CONFIG.evaluation.benchmarks]


def problem_source(wildcards):
    return CONFIG.prompts if wildcards.set in ROLLOUT_SETS else CONFIG.evaluation.benchmarks[wildcards.set]


def problem_cfg(wildcards):
    """Return what a set of problems depends on; `train` and `heldout` are two parts of one source."""
    cfg = {"part": "benchmark", **plain(problem_source(wildcards))}
    if wildcards.set in ROLLOUT_SETS:
        cfg |= {"part": wildcards.set, "heldout_count": CONFIG.rollouts.heldout_prompts}
    if problem_source(wildcards).source != "generated":
        cfg["deadline_seconds"] = CONFIG.grading.deadline_seconds
    return cfg


def problem_file(wildcards):
    source = problem_source(wildcards)
    return source.name if source.source == "file" else []


rule write_prompts:
    message:
        "Writing the problems of {wildcards.set}"
    input:
        problem_file,
    output:
        results("prompts/{set}.jsonl"),
    log:
        log_of("write_prompts/{set}"),
    benchmark:
        benchmark_of("write_prompts/{set}")
    wildcard_constraints:
        set="|".join(PROBLEM_SETS) or "(?!)",
    localrule: True
    conda:
        CPU
    threads: CONFIG.grading.workers
    params:
        cfg=problem_cfg,
        code=code_digests("write_prompts.py"),
    script:
        "../scripts/write_prompts.py"
