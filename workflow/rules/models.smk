"""The student, the teacher and the problems."""

if CONFIG.student.source == "tiny":

    rule build_student:
        output:
            folder=directory(student_folder()),
            manifest=manifest(student_folder()),
        log:
            log_of("build_student"),
        benchmark:
            benchmark_of("build_student")
        conda:
            CPU
        # Two processes, on any number of cores: see lossgeometry/students/half_batches.py.
        threads: 2
        params:
            cfg=CONFIG.student.tiny.told(),
            code=planned_code("build_student.py"),
        message:
            "Pre-training the tiny student"
        script:
            "../scripts/build_student.py"

elif CONFIG.student.source in ("gguf", "package"):

    rule unpack_student:
        input:
            files=source_files(CONFIG.student),
        output:
            folder=directory(student_folder()),
            manifest=manifest(student_folder()),
        log:
            log_of("unpack_student"),
        benchmark:
            benchmark_of("unpack_student")
        conda:
            CPU
        threads: 1
        params:
            cfg=CONFIG.student.told(),
            code=planned_code("unpack_student.py"),
        message:
            "Unpacking the student"
        script:
            "../scripts/unpack_student.py"

else:

    rule fetch_student:
        input:
            files=source_files(CONFIG.student),
        output:
            folder=directory(student_folder()),
            manifest=manifest(student_folder()),
        log:
            log_of("fetch_student"),
        benchmark:
            benchmark_of("fetch_student")
        localrule: True
        conda:
            CPU
        params:
            cfg=CONFIG.student.told(),
            code=planned_code("fetch_model.py"),
        message:
            "Fetching the student at its pinned revision"
        script:
            "../scripts/fetch_model.py"


if CONFIG.teacher.source == "tiny":

    rule build_teacher:
        output:
            folder=directory(teacher_folder()),
            manifest=manifest(teacher_folder()),
        log:
            log_of("build_teacher"),
        benchmark:
            benchmark_of("build_teacher")
        conda:
            CPU
        threads: 1
        params:
            cfg=CONFIG.teacher.tiny.told(),
            code=planned_code("build_student.py"),
        message:
            "Pre-training the tiny teacher"
        script:
            "../scripts/build_student.py"

elif CONFIG.teacher.source not in ("endpoint", "generated"):

    rule provide_teacher:
        input:
            **(model("student", student_folder()) if CONFIG.teacher.source == "student" else {}),
            files=source_files(CONFIG.teacher),
        output:
            folder=directory(teacher_folder()),
            manifest=manifest(teacher_folder()),
        log:
            log_of("provide_teacher"),
        benchmark:
            benchmark_of("provide_teacher")
        localrule: True
        conda:
            CPU
        params:
            cfg=CONFIG.teacher.told(),
            code=planned_code("fetch_model.py"),
        message:
            "Providing the teacher"
        script:
            "../scripts/fetch_model.py"


# Two rules, so that a change in how data sets are read and checked does not make the generated problems anew, and all after.
rule write_prompts:
    output:
        results("prompts/{set}.jsonl"),
    log:
        log_of("write_prompts/{set}"),
    benchmark:
        benchmark_of("write_prompts/{set}")
    wildcard_constraints:
        set=one_of(jobs.rollouts.problem_sets(CONFIG, "generated")),
    localrule: True
    conda:
        CPU
    params:
        cfg=lambda wildcards: jobs.rollouts.problems(CONFIG, wildcards.set),
        code=planned_code("write_prompts.py"),
    message:
        "Writing the problems of {wildcards.set}"
    script:
        "../scripts/write_prompts.py"


rule fetch_prompts:
    input:
        lambda wildcards: problem_file(wildcards.set),
    output:
        results("prompts/{set}.jsonl"),
    log:
        log_of("fetch_prompts/{set}"),
    benchmark:
        benchmark_of("fetch_prompts/{set}")
    wildcard_constraints:
        set=one_of(jobs.rollouts.problem_sets(CONFIG, "hub", "file")),
    localrule: True
    conda:
        CPU
    threads: CONFIG.grading.workers
    params:
        cfg=lambda wildcards: jobs.rollouts.problems(CONFIG, wildcards.set),
        code=lambda wildcards: planned_code(
            "fetch_prompts.py",
            *jobs.rollouts.problem_modules(CONFIG, wildcards.set),
            jobs.grading.module(CONFIG, wildcards.set),
        ),
    message:
        "Fetching and checking the problems of {wildcards.set}"
    script:
        "../scripts/fetch_prompts.py"
