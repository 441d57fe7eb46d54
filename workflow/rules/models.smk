"""The student, the teacher and the problems."""


include: "functions/models.smk"


if CONFIG.student.source == "tiny":

    rule build_student:
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
        message:
            "Pre-training the tiny student"
        script:
            "../scripts/build_student.py"

else:

    rule fetch_student:
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
        message:
            "Fetching the student at its pinned revision"
        script:
            "../scripts/fetch_model.py"


if CONFIG.teacher.source == "tiny":

    use rule build_student as build_teacher with:
        output:
            directory(teacher_folder()),
        log:
            log_of("build_teacher"),
        benchmark:
            benchmark_of("build_teacher")
        params:
            cfg=plain(CONFIG.teacher.tiny),
            code=code_digests("build_student.py"),
        message:
            "Pre-training the tiny teacher"

elif CONFIG.teacher.source != "endpoint":

    rule provide_teacher:
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
        message:
            "Providing the teacher"
        script:
            "../scripts/fetch_model.py"


# Problems that this experiment takes from a source of their own; those of imported rollouts come with the rollouts.
PROBLEM_SETS = [*([] if CONFIG.rollouts.file else ROLLOUT_SETS), *CONFIG.evaluation.benchmarks]


# Two rules, so that a change in how data sets are read and checked does not make the generated problems anew, and all after.
rule write_prompts:
    output:
        results("prompts/{set}.jsonl"),
    log:
        log_of("write_prompts/{set}"),
    benchmark:
        benchmark_of("write_prompts/{set}")
    wildcard_constraints:
        set=sets_from("generated"),
    localrule: True
    conda:
        CPU
    params:
        cfg=problem_cfg,
        code=code_digests("write_prompts.py"),
    message:
        "Writing the problems of {wildcards.set}"
    script:
        "../scripts/write_prompts.py"


rule fetch_prompts:
    input:
        lambda wildcards: source_of(wildcards.set).name if source_of(wildcards.set).source == "file" else [],
    output:
        results("prompts/{set}.jsonl"),
    log:
        log_of("fetch_prompts/{set}"),
    benchmark:
        benchmark_of("fetch_prompts/{set}")
    wildcard_constraints:
        set=sets_from("hub", "file"),
    localrule: True
    conda:
        CPU
    threads: CONFIG.grading.workers
    params:
        cfg=problem_cfg,
        code=lambda wildcards: code_digests("fetch_prompts.py", grader_path(wildcards.set)),
    message:
        "Fetching and checking the problems of {wildcards.set}"
    script:
        "../scripts/fetch_prompts.py"
