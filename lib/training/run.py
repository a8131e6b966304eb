"""One run from its name to its record: training, evaluation.

A run that is whole and was made by today's code, settings and data is left alone; one whose weights
are, but whose numbers are not, is evaluated again in seconds (lib/training/status.py).
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib import paths
from lib.data import catalogue
from lib.data.fingerprint import DataSet
from lib.evaluation.attention import drawn_maps
from lib.evaluation.examples import choose_examples
from lib.evaluation.inference import as_method
from lib.evaluation.judge import judge
from lib.files import only_one, telling, write_text
from lib.machine import (choose_device, cores, describe_device, make_deterministic,
                         peak_memory_mb, versions)
from lib.metrics import METRICS
from lib.networks.weights import source
from lib.provenance import digest, git_commit
from lib.training import checkpoint, engine, record
from lib.training.experiments import RunConfig, resolve
from lib.training.identity import evaluated_by, evaluation_code, settings, trained_by, training_code
from lib.training.precision import PRECISIONS, choose_precision
from lib.training.profiles import profile as profile_named
from lib.training.recipes import RECIPES
from lib.training.status import ToDo, as_begun, lender, to_do

VALIDATED = ("PSNR", "SSIM", "PSNR structure")  # along the way, on the validation images


def run(
    experiment: str, profile: str = "smoke", seed: int = 0, data: str | Path | None = None,
    out: str | Path | None = None, device: str = "auto", time_budget: float | None = None,
    without_perceptual: bool = False, force: bool = False, threads: int | None = None,
    precision: str = "auto", report=print,
) -> Path:
    """Train an experiment to its end, or to the end of `time_budget` seconds; returns its folder.

    What was in the folder before stays until the new run is complete; a run stopped by its budget
    takes the place of nothing but another stopped one. The budget is of the steps: images and
    features before them, the evaluation after them come on top. `force`: from the first step,
    whatever is there. `threads`: of the CPU, by default those of the profile. `precision`: fp32,
    bf16, or auto: that of a training that has begun, else what the device is faster in.

    Raises ValueError for an unknown name, FileNotFoundError for a missing data root,
    BlockingIOError where another process is at this run, PretrainedUnavailable where the
    perceptual networks cannot be had, TrainingDiverged on NaN.
    """
    config = resolve(experiment, profile, seed, without_perceptual, precision)
    root, target = paths.data_root(data), choose_device(device)
    choose_precision(precision, target)  # a wrong name is told of before anything else
    results = paths.results_dir(profile)
    folder = Path(out) if out else paths.run_folder(results, experiment, seed)
    dataset = catalogue.describe(config.experiment.data, root)
    torch.set_num_threads(threads or profile_named(profile).threads or cores())
    busy = f"another process is at {experiment} seed {seed} in {folder}; wait for it or stop it"
    with telling(folder, paths.cache_dir()), only_one(folder / ".lock", busy):
        inside = folder.resolve().is_relative_to(results)
        if inside and os.environ.get("IR_RUN_ALL") != str(results):  # it has not started us
            busy = f"run_all.sh is writing to {results}; wait for it or stop it"
            with only_one(results / ".lock", busy, wait=1):  # others look for a moment, too
                pass
        todo = ToDo("train", "asked for") if force else to_do(folder, config, dataset)
        work = folder / "training"  # all is made here and moved out when it is complete
        if todo.what == "nothing":
            _tidy(work, record.read(folder))
            report(f"{experiment} seed {seed} is complete already")
            return folder
        if force or todo.what == "evaluate":  # then what a killed training left is of no use
            shutil.rmtree(work, ignore_errors=True)
        work.mkdir(exist_ok=True)
        if todo.what == "evaluate":
            config = as_begun(config, record.read(folder))
        else:
            begun = work / "precision.txt"  # of the run that has begun, unless told otherwise
            known = begun.read_text(errors="replace") if begun.is_file() else ""
            if config.precision != "auto" or known not in PRECISIONS:
                known = choose_precision(config.precision, target)
                write_text(begun, known)
            config = replace(config, precision=known)
        report(f"{experiment} ({config.experiment.title}), profile {profile}, seed {seed}, on "
               f"{dataset.name}, {describe_device(target)}, {config.precision}: {todo.why}")
        if without_perceptual:
            report("WITHOUT the VGG and EfficientNet losses, as asked for")
        loaded = load(config, root)
        if todo.what == "evaluate":
            about = record.read(folder)
        elif config.experiment.weights_of:
            about = _borrow(config, root, folder)
        else:
            about = _train(config, loaded, dataset, work, target, time_budget, report)
        if about["status"] == "stopped" and record.is_complete(folder):
            report(f"stopped at step {about['steps']}; the complete run in {folder} stays until "
                   "this one is complete")
            return folder
        _judge(config, root, loaded, dataset, folder, target, about, report)
        record.install(work, folder)
        if about["status"] == "complete":
            shutil.rmtree(work)
    return folder


def _tidy(work: Path, known: dict) -> None:
    """Remove what a kill left of the training that made a complete run, after its last file was
    moved; what another training has begun stays."""
    if work.is_dir():
        state = checkpoint.read_last(work)
        if not state or state["position"]["identity"] == digest(known["trained_by"]):
            shutil.rmtree(work)


def training_size(config: RunConfig) -> int:
    """Height and width of the images that a run trains on."""
    recipe = RECIPES.get(config.experiment.recipe)  # None where another run has trained
    return getattr(recipe, "training_size", lambda config: config.scale.image_size)(config)


def load(config: RunConfig, root: Path, size: int | None = None):
    """The images of a run, at the size that its training needs unless told otherwise."""
    limits = config.scale.limits
    return catalogue.load(config.experiment.data, root, size or training_size(config), limits)


def make_generator(config: RunConfig) -> nn.Module:
    """The generator of a run, as it starts."""
    return RECIPES[config.experiment.recipe].make_generator(config.experiment.network)


def load_generator(folder: Path) -> nn.Module:
    """The trained generator of a run, on the CPU, ready to evaluate. Raises Damaged where its
    weights are not those that its numbers come from."""
    known = record.read(folder)
    config = resolve(known["experiment"], known["profile"], known["seed"])
    return record.load_weights(folder, known, make_generator(config))


def _train(config: RunConfig, data, dataset: DataSet, work: Path, device: torch.device,
           time_budget: float | None, report) -> dict:
    """Train in the folder `work`, where there is something to train; what the record says of it."""
    about = {
        "status": "complete", "trained": "nothing to train", "steps": 0,
        "code_commit": git_commit(), "trained_by": trained_by(config, dataset),
        "definitions": {"trained": training_code(config)}, "device": describe_device(device),
        "versions": versions(),
    }
    if not config.experiment.network:
        return about
    make_deterministic(config.seed)
    recipe = RECIPES[config.experiment.recipe](config, data, device)

    def validate(generator: nn.Module) -> dict[str, float]:
        """Means over the validation images; of pairs there are none, and no choice is made."""
        images = getattr(data, "validation", None)
        if images is None:
            return {}
        outputs = as_method(generator, data, config.scale.image_size, device)(images.degraded)
        return {metric: float(np.mean(METRICS[metric](outputs, images.reference)))
                for metric in VALIDATED}

    identity = digest(about["trained_by"])
    position = engine.train(recipe, work, identity, validate, time_budget, report)
    for name, module in zip(record.STORED_WEIGHTS, ("average", "generator"), strict=True):
        record.write_weights(work / name, recipe.modules[module])
    epochs = recipe.steps / recipe.steps_per_epoch
    return about | {
        "status": "complete" if position.step == recipe.steps else "stopped",
        "trained": f"{position.step / recipe.steps_per_epoch:.4g} of {epochs:.4g} epochs",
        "steps": position.step,
        "steps_total": recipe.steps,
        "checkpoint_rule": "the average of the weights at the last step, and beside it the last "
                           "weights; no checkpoint is chosen by its metrics",
        "pretrained_weights": {name: source(name) for name in recipe.backbones(config)},
        "wall_time_s": round(position.seconds, 1),
        "peak_memory_mb": peak_memory_mb(device),
    }


def _borrow(config: RunConfig, root: Path, folder: Path) -> dict:
    """What the record says of a network that another run has trained. Raises ValueError where that
    run is not there as it should be."""
    borrower, owner = config.experiment, lender(folder, config)
    name, profile, seed = borrower.weights_of, config.profile, config.seed
    of_owner = resolve(name, profile, seed)
    why = to_do(owner, of_owner, catalogue.describe(of_owner.experiment.data, root)).why
    known = None if why else record.read(owner)
    if known and record.WEIGHTS not in known["files"]:
        why = "its weights were not published; give --force"
    if why:
        raise ValueError(f"{borrower.name} needs the network of {name} seed {seed} ({why}): python "
                         f"-m lib.train --experiment {name} {borrower.name} --profile {profile} "
                         f"--seed {seed}{paths.data_option(root)}")
    return known | {"weights": known["files"][record.WEIGHTS]}  # its numbers are replaced


def _judge(config: RunConfig, root: Path, data, dataset: DataSet, folder: Path,
           device: torch.device, about: dict, report) -> None:
    """Evaluate the weights as they are stored, new ones or those of before; write the record."""
    experiment, size, work = config.experiment, config.scale.image_size, folder / "training"
    shown = data if training_size(config) == size else load(config, root, size)
    examples = choose_examples(experiment.data, shown)
    if not experiment.trained:
        test = judge(RECIPES[experiment.recipe](data), data, shown)
    elif experiment.weights_of:
        generator = load_generator(lender(folder, config))
        test = judge(as_method(generator, data, size, device), data, shown)
    else:
        stored = work if (work / record.WEIGHTS).is_file() else folder
        generator, of_last_step = (record.fill(make_generator(config), stored / name)
                                   for name in record.STORED_WEIGHTS)
        test = judge(as_method(generator, data, size, device), data, shown)
        last = judge(as_method(of_last_step, data, size, device), data, shown, learned=False)
        test = test.beside("last", last)
    attention = drawn_maps(generator, test.inputs[examples]) if experiment.trained else {}
    about |= {
        "experiment": experiment.name, "profile": config.profile, "seed": config.seed,
        "dataset": dataset.name, "data_fingerprint": dataset.fingerprint,
        "n_images": len(test.names), "metrics": test.means(), "not_measured": test.why,
        "evaluated_by": evaluated_by(config, dataset), "evaluated_at_commit": git_commit(),
        "config": settings(config),
    }
    about["definitions"]["evaluated"] = evaluation_code(experiment.data)
    record.write(work, folder, about, test, examples, attention)
    means = ", ".join(f"{name} {value:.4f}" for name, value in about["metrics"].items()
                      if not name.startswith("last "))
    report(f"{len(test.names)} test images of {dataset.name}: {means}")
