# The order of things, for Snakemake. Usually run by ./run_all.sh; by hand, for example:
#     snakemake --cores 2 --rerun-triggers mtime input params --config profile=smoke data=data
#
# What there is to do stands in lib/running/workflow.py; here each job becomes a rule. Its params are all
# that its result depends on besides other jobs (hashes of code, data, settings), so that files
# touched or checked out again re-run nothing, and an edit made while a job runs is not lost.
# The executed notebook is a log, because Snakemake deletes outputs of a failed job but not logs.

import sys

from lib import paths
from lib.running.workflow import NOTEBOOKS, Options, jobs

OPTIONS = Options(
    profile=config.get("profile", "smoke"),
    seeds=tuple(int(seed) for seed in str(config.get("seeds", 0)).split(",")),
    device=config.get("device", "cpu"),
    data=paths.data_root(config.get("data")),
)
JOBS = jobs(OPTIONS)


workdir: str(paths.results_dir(OPTIONS.profile))


rule all:
    input:
        [JOBS[notebook.name].outputs for notebook in NOTEBOOKS],


for place, job in enumerate(JOBS.values()):

    rule:
        name:
            job.name
        input:
            [JOBS[name].outputs for name in job.needs],
        output:
            *job.outputs,
        log:
            job.executed,
        params:
            *job.state,
            # a function of `output` is not kept as a parameter: the path of the data may change
            arguments=lambda wildcards, output, job=job: [
                job.notebook, job.executed, *job.parameters, "--label", job.label,
                "--stamp", job.stamp, "--writes", *job.weights,
            ],
        priority: len(JOBS) - place
        threads: config.get("threads", 1)
        shell:
            "exec {sys.executable:q} -P -m lib.running.run_notebook {params.arguments:q}"
