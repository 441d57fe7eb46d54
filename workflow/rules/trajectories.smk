"""How updates move through training: all snapshots in one light job, straight from their adapters."""

FOLLOWED = {run: jobs.trajectories.followed(CONFIG, run) for run in CONFIG.snapshots}
FROM_BASE = any(jobs.weights.beside_base(CONFIG, run) for run in FOLLOWED)

if FOLLOWED:

    rule tabulate_trajectories:
        input:
            **{name: adapter_inputs(name) for steps in FOLLOWED.values() for _, name in steps},
            base=ancient(student_folder()) if FROM_BASE else [],
            base_manifest=manifest(student_folder()) if FROM_BASE else [],
            behaviour=results("tables/behaviour.csv") if CONFIG.behaving else [],
        output:
            **{
                name: reported(name)
                for name in ("trajectories", "step_pairs", "matched")
                if name == "trajectories" or jobs.trajectories.table(CONFIG)["pairs"]
            },
        log:
            log_of("tabulate_trajectories"),
        benchmark:
            benchmark_of("tabulate_trajectories")
        conda:
            CPU
        threads: 1
        params:
            cfg=jobs.trajectories.table(CONFIG),
            code=planned_code("tabulate_trajectories.py"),
        message:
            "Following the runs through their snapshots"
        script:
            "../scripts/tabulate_trajectories.py"
