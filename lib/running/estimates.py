"""How long trainings take that were never run here, and what memory and disk: from steps that were
measured (lib/training/cost.py)."""

from collections.abc import Iterable

import pandas as pd

from lib.machine import choose_device
from lib.running.job import Job, Options
from lib.training import cost
from lib.training.experiments import EXPERIMENTS
from lib.training.precision import choose_precision

MEASURED = (("cpu", "fp32"), ("cpu", "bf16"), ("cuda", "fp32"), ("cuda", "bf16"))
ON_TOP = 1.2  # times its steps: images, features, validation (the median of 99 published trainings)
MORE_MB = 2000  # than a step, for images and features


class Estimates:
    """For a profile and device; None where nothing says."""

    def __init__(self, options: Options, threads: int):
        self.options, self.threads = options, threads
        try:
            self.precision = choose_precision(options.precision, choose_device(options.device))
        except ValueError:  # a GPU of another machine
            self.precision = "bf16" if options.precision == "auto" else options.precision

    def seconds(self, experiment: str) -> float | None:
        """Of a training, in the precision that it would have here."""
        profile, device = self.options.profile, self.options.device
        if not (step := cost.of_step(experiment, profile, device, self.precision)):
            return None
        steps = cost.steps(experiment, profile, self.options.data)
        return ON_TOP * steps * step.seconds / (self.threads if device == "cpu" else 1)

    def memory_mb(self, experiment: str) -> int | None:
        """Of the process of a training."""
        step = cost.of_step(experiment, self.options.profile, "cpu", self.precision)
        return step and step.memory_mb + MORE_MB

    def table(self, jobs: Iterable[Job]) -> str:
        """What the trainings of a plan cost, by recipe: hours of one core and of a GPU, from steps
        alone; nothing where none of their steps was measured."""
        rows, guessed, machines, unknown = [], set(), set(), []
        profile = self.options.profile
        for job in (job for job in jobs if job.what == "train"):
            name = job.runs[0]
            known = [step for kind in MEASURED if (step := cost.of_step(name, profile, *kind))]
            if not known:
                unknown.append(name)
                continue
            steps = cost.steps(name, profile, self.options.data)
            guessed |= {f"{name} from {step.like}" for step in known if step.like}
            machines |= {f"{step.machine} ({step.device})" for step in known}
            hours = {f"{step.device} {step.precision}, h":
                     ON_TOP * step.seconds * steps / 3600 for step in known}
            rows.append({"trainings of": EXPERIMENTS[name].recipe, "runs": 1, "steps": steps,
                         **hours, "PFLOP": known[0].gflop * steps / 1e6,
                         "memory, GB": (job.memory_mb or float("nan")) / 1000,
                         "disk, GB": known[0].disk_mb / 1000})
        if not rows:
            return ""
        frame = pd.DataFrame(rows)
        how = dict.fromkeys(frame.columns[1:], lambda its: its.sum(skipna=False))
        how["memory, GB"] = "max"
        by_recipe = frame.groupby("trainings of", sort=False).agg(how)
        by_recipe.loc["all"] = frame.agg(how)
        by_recipe[["runs", "steps"]] = by_recipe[["runs", "steps"]].astype(int)
        lines = [
            by_recipe.to_string(float_format="{:,.1f}".format, na_rep="unknown"),
            f"cpu: hours of one core, cuda: of one GPU; measured on {', '.join(sorted(machines))}; "
            "bf16 is for processors with AMX or AVX512-BF16",
            f"hours are those of the steps (data/timings.csv), times {ON_TOP}",
        ]
        if not any("(cuda)" in machine for machine in machines):
            lines.append("no step was measured on a GPU; python -m lib.benchmarks.cost --device "
                         f"cuda --profile {profile} does, and one that sustains 10 "
                         f"TFLOP/s takes {by_recipe.loc['all', 'PFLOP'] / 36:,.1f} hours")
        if unknown:
            lines.append(f"nothing of their kind was measured: {', '.join(unknown)}")
        if guessed:
            lines.append("never measured, reckoned by the operations of their generators: "
                         f"{', '.join(sorted(guessed))}")
        return "\n".join(lines)
