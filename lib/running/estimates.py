"""How long trainings take that were never run here, and what memory and disk: from published runs,
and from steps that were measured (lib/training/cost.py)."""

import json
from collections.abc import Iterable
from functools import cache, cached_property
from statistics import median

import pandas as pd

from lib import paths
from lib.machine import choose_device
from lib.running.job import Job, Options
from lib.training import cost
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.precision import choose_precision

MEASURED = (("cpu", "fp32"), ("cpu", "bf16"), ("cuda", "fp32"), ("cuda", "bf16"))


class Estimates:
    """For a profile and device. `machines`: what the answers so far were measured on."""

    def __init__(self, options: Options, threads: int):
        self.options, self.threads = options, threads
        self.machines: set[str] = set()
        try:
            self.precision = choose_precision(options.precision, choose_device(options.device))
        except ValueError:  # a GPU of another machine
            self.precision = "bf16" if options.precision == "auto" else options.precision

    @property
    def told(self) -> str:
        return f", as on {' and '.join(sorted(self.machines))}" if self.machines else ""

    @cached_property
    def published(self) -> list[dict]:
        """The records of published trainings on a CPU, of all profiles; read where a plan asks."""
        found = []
        for folder in (folder for results in sorted(paths.published_dir("").glob("*"))
                       for folder in paths.run_folders(results)):
            run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            own = run.get("wall_time_s") and not run["config"]["experiment"]["weights_of"]
            if own and run["device"].endswith("threads"):
                found.append(run)
        return found

    def seconds(self, experiment: str) -> float | None:
        """Of a training: of published ones in the precision that it would have here, else so many
        measured steps, with what comes on top of them; None where nothing says."""
        if self.options.device == "cpu":
            wanted = experiment, self.options.profile, self.precision
            alike = [run for run in self.published
                     if (run["experiment"], run["profile"], run["config"]["precision"]) == wanted]
            if alike:
                self.machines |= {f"{run['device']} in {self.precision}" for run in alike}
                return median(run["wall_time_s"] * run["steps_total"] / run["steps"]
                              for run in alike)
        if step := self.step(experiment, self.options.device, self.precision):
            self.machines.add(f"{step.machine} in {self.precision}, by its steps")
            threads = self.threads if step.device == "cpu" else 1
            return self.on_top(experiment) * self.steps(experiment) * step.seconds / threads
        return None

    def memory_mb(self, experiment: str) -> int | None:
        """Of the process: a step's, and what images, features and validation took on top of it in
        published runs."""
        if step := self.step(experiment, "cpu", self.precision):
            more = [0, *(memory_mb for _, memory_mb, _ in self.beyond(experiment))]
            return round(step.memory_mb + max(more))
        return None

    def on_top(self, experiment: str) -> float:
        """How many times as long as their steps published trainings took, 1 without any."""
        return median([times for times, _, _ in self.beyond(experiment)] or [1.0])

    def beyond(self, experiment: str) -> list[tuple[float, int, str]]:
        """`beyond_steps` of the published trainings of the same recipe, else of all."""
        recipe = EXPERIMENTS[experiment].recipe
        return [row for row in self.beyond_steps if row[2] == recipe] or self.beyond_steps

    @cached_property
    def beyond_steps(self) -> list[tuple[float, int, str]]:
        """Of each published training: how many times as long as its steps it took, how many MB more
        than a step, and its recipe."""
        found = []
        for run in self.published:
            config = resolve(run["experiment"], run["profile"])
            if step := cost.of_step(config, "cpu", run["config"]["precision"]):
                found.append((run["wall_time_s"] / run["steps"] / step.seconds,
                              run["peak_memory_mb"] - step.memory_mb, config.experiment.recipe))
        return found

    @cache
    def step(self, experiment: str, device: str, precision: str) -> cost.Cost | None:
        return cost.of_step(resolve(experiment, self.options.profile), device, precision)

    @cache
    def steps(self, experiment: str) -> int:
        return cost.steps(resolve(experiment, self.options.profile), self.options.data)

    def table(self, jobs: Iterable[Job]) -> str:
        """What the trainings of a plan cost, by recipe: hours of one core and of a GPU, from steps
        alone; nothing where none of their steps was measured."""
        rows, guessed, machines, unknown = [], set(), set(), []
        for job in (job for job in jobs if job.what == "train"):
            name = job.runs[0]
            known = [step for kind in MEASURED if (step := self.step(name, *kind))]
            if not known:
                unknown.append(name)
                continue
            steps = self.steps(name)
            guessed |= {f"{name} from {step.like}" for step in known if step.like}
            machines |= {f"{step.machine} ({step.device})" for step in known}
            hours = {f"{step.device} {step.precision}, h":
                     step.seconds * steps * self.on_top(name) / 3600 for step in known}
            rows.append({"trainings of": EXPERIMENTS[name].recipe, "runs": 1, "steps": steps,
                         **hours, "PFLOP": known[0].gflop * steps / 1e6,
                         "memory, GB": job.memory_mb / 1000, "disk, GB": known[0].disk_mb / 1000})
        if not rows:
            return ""
        frame = pd.DataFrame(rows)
        how = {name: "max" if name == "memory, GB" else "sum" for name in frame.columns[1:]}
        by_recipe = frame.groupby("trainings of", sort=False).agg(how)
        by_recipe.loc["all"] = frame.agg(how)
        by_recipe[["runs", "steps"]] = by_recipe[["runs", "steps"]].astype(int)
        ratios = sorted(row[0] for row in self.beyond_steps)
        times = (f", times what {len(ratios)} published trainings took of them: {ratios[0]:.2f} to "
                 f"{ratios[-1]:.2f}, the median of each recipe" if ratios else "")
        lines = [
            by_recipe.to_string(float_format="{:,.1f}".format),
            f"cpu: hours of one core, cuda: of one GPU; measured on {', '.join(sorted(machines))}; "
            "bf16 is for processors with AMX or AVX512-BF16",
            f"hours are those of the steps (data/timings.csv){times}",
        ]
        if not any("(cuda)" in machine for machine in machines):
            lines.append("no step was measured on a GPU; python -m lib.benchmarks.cost --device "
                         f"cuda --profile {self.options.profile} does, and one that sustains 10 "
                         f"TFLOP/s takes {by_recipe.loc['all', 'PFLOP'] / 36:,.1f} hours")
        if unknown:
            lines.append(f"nothing of their kind was measured: {', '.join(unknown)}")
        if guessed:
            lines.append("never measured, reckoned by the operations of their generators: "
                         f"{', '.join(sorted(guessed))}")
        return "\n".join(lines)
