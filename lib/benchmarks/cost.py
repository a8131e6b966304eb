"""What a training step of each experiment costs here: seconds, operations, memory, disk.

    python -m lib.benchmarks.cost --profile paper --device cuda      # what data/timings.csv lacks

Adds rows to data/timings.csv, which `./run_all.sh --dry-run` reckons from (lib/training/cost.py):
for each experiment whose step no other has, in fp32 and, where the device is made for it, in bf16.
On a CPU a step runs on one thread and its seconds are those of that core, not those that pass: what
else the machine does hardly counts. Steps come after two that are not timed, on images whose
features are known, as nearly all steps of a run.
"""

import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from lib.benchmarks import in_one_line, positive
from lib.files import write_text
from lib.machine import choose_device, make_deterministic, peak_memory_mb, processor
from lib.paths import data_root
from lib.training import checkpoint, record
from lib.training.averaging import average_of
from lib.training.cost import TIMINGS, Cost, measured, step_settings
from lib.training.experiments import EXPERIMENTS, RunConfig, resolve
from lib.training.precision import PRECISIONS, choose_precision
from lib.training.profiles import PROFILES
from lib.training.recipes import RECIPES
from lib.training.run import load, training_size

TRAINED = [name for name, one in EXPERIMENTS.items()
           if one.network and not name.startswith("search")]  # a search's step is another's


class Operations(TorchDispatchMode):
    """Counts what convolutions and matrix products compute, in all passes; torch's own counter
    cannot follow a gradient's gradient."""

    total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func._overloadpacket):
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def measure(config: RunConfig, device: str, rounds: int) -> Cost:
    """Train a few steps, on as few images as will do; a process of its own gives the memory."""
    torch.set_num_threads(1)
    target = choose_device(device)
    few = ({"n_train": config.scale.batch_size, "n_validation": 1, "n_test": 1}
           if config.experiment.paper == "2dgan" else {"n_pairs": 2})
    config = replace(config, scale=replace(config.scale, **few))
    make_deterministic(0)
    data = load(config, data_root(), training_size(config))
    recipe = RECIPES[config.experiment.recipe](config, data, target)
    recipe.modules["average"] = average_of(recipe.modules["generator"])
    clock = time.perf_counter if target.type == "cuda" else time.process_time
    with Operations() as counted:
        recipe.step(0)
    seconds = []
    for step in range(1, 2 + rounds):
        start = clock()
        [loss.item() for loss in recipe.step(step).values()]  # a GPU is waited for
        seconds.append(clock() - start)
    with tempfile.TemporaryDirectory() as folder:
        for name in record.STORED_WEIGHTS:
            record.write_weights(Path(folder) / name, recipe.modules["generator"])
        kept = checkpoint.save(Path(folder), recipe, {"step": 0})
        sizes = {file.name: file.stat().st_size for file in Path(folder).iterdir()}
        disk = sum(sizes.values()) + (checkpoint.KEPT - 1) * sizes[kept.name]
    machine = torch.cuda.get_device_name(target) if target.type == "cuda" else processor()
    return Cost(config.experiment.name, config.profile, machine, target.type, config.precision,
                float(f"{statistics.median(seconds[1:]):.3g}"), float(f"{counted.total / 1e9:.4g}"),
                peak_memory_mb(target), round(disk / 1e6, 1))


def missing(profile: str, device: torch.device, precisions: list[str],
            only: list[str]) -> Iterator[tuple[str, str]]:
    """Experiments and precisions of a profile whose step was not measured on such a device."""
    seen = [(row.precision, step_settings(resolve(row.experiment, profile))) for row in measured()
            if (row.profile, row.device) == (profile, device.type)]
    for name in only or TRAINED:
        for precision in precisions:
            step = precision, step_settings(resolve(name, profile))
            if step not in seen:
                seen.append(step)
                yield name, precision


@in_one_line
def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser("python -m lib.benchmarks.cost", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="paper", choices=[*PROFILES])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--rounds", type=positive, default=2, help="timed steps")
    parser.add_argument("--only", nargs="+", choices=TRAINED, metavar="EXPERIMENT",
                        default=[])
    options = parser.parse_args(arguments)
    rows = list(measured())
    processes = get_context("forkserver")  # a new one each, as the memory of one step is asked for
    processes.set_forkserver_preload(["lib.training.run", "torch._dynamo"])
    device = choose_device(options.device)
    fast = choose_precision("auto", device)
    precisions = [one for one in PRECISIONS if one in ("fp32", fast)]
    for name, precision in list(missing(options.profile, device, precisions, options.only)):
        with ProcessPoolExecutor(1, mp_context=processes) as pool:
            config = replace(resolve(name, options.profile), precision=precision)
            rows.append(pool.submit(measure, config, device.type, options.rounds).result())
        print(" ".join(map(str, asdict(rows[-1]).values())), flush=True)
        table = pd.DataFrame(rows).drop(columns="like")
        write_text(TIMINGS, table.to_csv(index=False, lineterminator="\n"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
