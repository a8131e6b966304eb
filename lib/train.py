"""Train one experiment without Jupyter.

    python -m lib.train --experiment C5 --profile smoke --seed 0 --data DIR --out DIR

A run that was interrupted goes on from its last checkpoint; one that is complete, with the same
configuration, code and data, is left alone.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

import torch

from lib.training.experiments import EXPERIMENTS, RunConfig, resolve, run_hash
from lib.paths import data_root, run_folder
from lib.networks.weights import PretrainedUnavailable, source
from lib.training.profiles import PROFILES
from lib.provenance import code_hash, git_commit, module_closure
from lib.training import engine, record


def choose_device(name: str) -> torch.device:
    """`auto` takes a GPU where there is one. Raises ValueError where `cuda` is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"unknown device {name!r}; there are auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda was asked for, but torch sees no CUDA device here")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def make_deterministic(seed: int) -> None:
    """Seed torch and ask for deterministic kernels: exact on the CPU, nearly so on a GPU."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a guard that costs time
    torch.manual_seed(seed)


def code_files(recipe: str) -> list[Path]:
    """The files of lib/ that a run of this recipe can depend on."""
    return sorted({*module_closure("lib.train"), *module_closure(f"lib.training.recipes.{recipe}")})


def run(
    experiment: str,
    profile: str = "smoke",
    seed: int = 0,
    data: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    time_budget: float | None = None,
    without_perceptual: bool = False,
    report=print,
) -> Path:
    """Train an experiment to its end, or to the end of `time_budget` seconds; returns its folder.

    Raises ValueError for an unknown name, FileNotFoundError for a missing data root,
    PretrainedUnavailable where the perceptual networks cannot be had, TrainingDiverged on NaN.
    """
    config = resolve(experiment, profile, seed, without_perceptual)
    root, target = data_root(data), choose_device(device)
    folder = Path(out) if out else run_folder(profile, experiment, seed)
    folder.mkdir(parents=True, exist_ok=True)
    module = importlib.import_module(f"lib.training.recipes.{config.experiment.recipe}")
    dataset = module.describe(config, root)
    code = code_hash(code_files(config.experiment.recipe))
    identity = f"{run_hash(config)}-{code[:16]}-{dataset.fingerprint[-16:]}"

    known = record.read(folder)
    if known and known["identity"] == identity and known["status"] == "complete":
        if (folder / "weights.safetensors").is_file():
            report(f"{experiment} seed {seed} is complete already")
            return folder

    report(f"{experiment} ({config.experiment.title}), profile {profile}, seed {seed}, "
           f"on {dataset.name}, {record.describe_device(target)}")  # fmt: skip
    if without_perceptual:
        report("WITHOUT the VGG and EfficientNet losses, as asked for")
    make_deterministic(seed)
    recipe = module.make_recipe(config, module.load_data(config, root), target)
    position = engine.train(recipe, folder, identity, time_budget, report)
    test = recipe.test()
    record.write(
        folder, _record(config, identity, code, dataset, target, recipe, position, test),
        recipe.modules["generator"], test,
    )  # fmt: skip
    shown = ", ".join(f"{name} {value:.4f}" for name, value in test.means().items())
    report(f"{len(test.names)} test images of {dataset.name}: {shown}")
    return folder


def _record(config: RunConfig, identity, code, dataset, device, recipe, position, test) -> dict:
    epochs = recipe.steps / recipe.steps_per_epoch
    return {
        "experiment": config.experiment.name,
        "profile": config.profile,
        "seed": config.seed,
        "status": "complete" if position.step == recipe.steps else "stopped",
        "trained": f"{position.step / recipe.steps_per_epoch:.4g} of {epochs:.4g} epochs",
        "steps": position.step,
        "steps_total": recipe.steps,
        "dataset": dataset.name,
        "data_fingerprint": dataset.fingerprint,
        "n_images": len(test.names),
        "metrics": test.means(),
        "checkpoint_rule": "the last step; no checkpoint is chosen by its metrics",
        "identity": identity,
        "config_hash": run_hash(config),
        "config": record.settings(config),
        "code_commit": git_commit(),
        "code_hash": code,
        "pretrained_weights": {name: source(name) for name in recipe.pretrained},
        "device": record.describe_device(device),
        "versions": record.versions(),
        "wall_time_s": round(position.seconds, 1),
        "peak_memory_mb": record.peak_memory_mb(device),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.train", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--experiment", required=True, help=f"one of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--profile", default="smoke", help=f"one of {', '.join(PROFILES)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    parser.add_argument("--out", help="folder of the run; default results/PROFILE/runs/...")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--time-budget", type=float, metavar="SECONDS",
        help="stop cleanly after this time; the same command then goes on",
    )  # fmt: skip
    parser.add_argument(
        "--without-perceptual", action="store_true",
        help="train without the VGG and EfficientNet losses; the record says so",
    )  # fmt: skip
    options = vars(parser.parse_args(arguments))
    try:
        run(**options)
    except (ValueError, FileNotFoundError, PretrainedUnavailable) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except engine.TrainingDiverged as problem:
        print(f"training diverged: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
