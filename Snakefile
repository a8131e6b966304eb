# The order of things, for Snakemake. Usually run by ./run_all.sh; by hand, for example:
#     snakemake --cores 2 --config profile=smoke data=data
#
# What there is to do, and what of it has to run, is decided in lib/running; here each job that has
# to becomes a rule. Its output is a stamp whose name holds the identity of all that the job depends
# on, so that what is not up to date is a missing file, and Snakemake's own records do not matter.
#
# On a cluster (profiles/slurm) each job reads this file again, on its node, and the plan with it.

import multiprocessing
import os

from lib import paths
from lib.running.job import Options, Plan, live_while, resources, stamp_of
from lib.running.run_job import carry_out

os.environ["OMP_NUM_THREADS"] = "1"  # a training gives PyTorch the threads of its profile
PROFILE = config.get("profile", "smoke")
RESULTS = paths.results_dir(PROFILE)
MAIN = workflow.is_main_process  # not a job's
PLAN_FILE = RESULTS / "stamps" / ("plan.json" if "parent" in config else "plan_by_hand.json")
if "parent" in config:  # run_all.sh, which has made a plan
    if MAIN:
        live_while(lambda: os.getppid() == int(config["parent"]))
elif MAIN:
    from lib.running.planning import make_plan

    SEEDS = tuple(map(int, str(config["seeds"]).split(","))) if "seeds" in config else None
    DATA = paths.data_root(config.get("data"))
    make_plan(Options(PROFILE, SEEDS, config.get("device", "cpu"), str(DATA))).write(PLAN_FILE)
PLAN = Plan.read(PLAN_FILE)
if PLAN.made_by != int(config.get("parent", PLAN.made_by)):
    raise ValueError("the run_all.sh that submitted this job has ended")
# Jobs are forks of one process that has imported what trainings need. Not on a GPU: a fork cannot
# use CUDA where the process that it comes from has touched it. On a cluster each has its own.
WARM = PLAN.options.device == "cpu" and not PLAN.cluster and any(job.runs for job in PLAN.jobs)
multiprocessing.set_forkserver_preload(["lib.running.warm"] if WARM else [])


workdir: str(RESULTS)


rule all:
    input:
        [stamp_of(job.name, job.identity) for job in PLAN.jobs],


for place, job in enumerate(PLAN.jobs):

    rule:
        name:
            job.name
        input:
            [ancient(stamp_of(name, identity)) for name, identity in job.needs.items()],
        output:
            stamp_of(job.name, job.identity),
        priority: len(PLAN.jobs) - place
        threads: PLAN.threads
        resources:
            **resources(job, PLAN),
        run:
            carry_out(PLAN_FILE, rule, output[0])
