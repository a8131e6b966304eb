"""What runs have left of images, by scene and method, beside what needs no training."""

from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import torch
from torch import nn

from lib import paths
from lib.data import catalogue
from lib.evaluation import classical
from lib.own_images import shipped
from lib.own_images.methods import TWO_D_GAN
from lib.results.runs import Run, find_runs
from lib.results.tables import COMPONENTS, GENERATORS, METHODS
from lib.training import record
from lib.training.experiments import EXPERIMENTS
from lib.training.profiles import PROFILES
from lib.training.recipes.untrained import fit_mean, fit_tone_map, fit_visible
from lib.training.run import load_generator

SHOWN = 4  # scenes, where no run says which
Scenes = dict[str, dict[str, np.ndarray]]  # scene -> method -> bytes (H, W)


def stored_runs(names: Iterable[str], profile: str, data: str | None = None) -> dict[str, Run]:
    """Those of `names` that have a run as it should be, all of one profile: the one given or else
    the largest that has any, and of the same images. Nothing is trained; what is not there is left
    out."""
    for one in dict.fromkeys((profile, *PROFILES)):
        found = {}
        published = paths.published_dir(one)
        looked_at = published.is_dir() or (published.parents[1] / one).is_dir()
        for name in names if looked_at else ():
            with suppress(FileNotFoundError, record.Damaged):
                runs = find_runs(one, [name], [0], data, report=lambda *_: None)
                found[name] = runs[name][0]
        if found:  # beside one reference stand outputs of the same images alone
            images = {name: (run.record["data_fingerprint"], run.record["examples"])
                      for name, run in found.items()}
            first, *_ = images.values()
            return {name: run for name, run in found.items() if images[name] == first}
    return {}


def enhancement_scenes(profile: str, data: str | None = None) -> Scenes:
    """The input, every classical method, the tone map and every trained network that is there, and
    the reference last; of the images that the runs keep, else of the first test images."""
    images = catalogue.load("enhancement", data, 128, PROFILES["smoke"].enhancement.limits)
    names = [*filter("C5".__ne__, COMPONENTS), *METHODS.values()]  # the last of which is C5
    runs = stored_runs([name for name in names if EXPERIMENTS[name].network], profile, data)
    test = images.test
    inputs, references, scenes = _examples(runs, test.degraded, test.reference, test.names)
    made = {name: classical.enhance(name, inputs) for name in classical.METHODS}
    made["tone map"] = fit_tone_map(images)(inputs)
    return _by_scene(scenes, {"input": inputs} | made, runs, {"reference": references})


def translation_scenes(profile: str, data: str | None = None) -> Scenes:
    """The visible image in grey, the mean infrared image of training, every trained network that is
    there, and the infrared image last."""
    pairs = catalogue.load("flir", data, 128, PROFILES["smoke"].translation.limits)
    runs = stored_runs([f"{name}-FLIR" for name in GENERATORS.values()], profile, data)
    test = pairs.split["test"]
    names = [pairs.names[i] for i in test]
    inputs, references, scenes = _examples(runs, pairs.visible[test], pairs.infrared[test], names)
    found = {"visible, grey": fit_visible(pairs)(inputs)}
    if pairs.infrared.shape[1:] == references.shape[1:]:
        found["mean infrared"] = fit_mean(pairs)(inputs)
    return _by_scene(scenes, found, runs, {"infrared": references})


def _examples(runs: dict[str, Run], inputs, references, names) -> tuple:
    """Inputs, references and names of the scenes that all runs keep, else of the first few."""
    for first in runs.values():
        samples = first.samples()
        return samples["input"], samples["reference"], first.record["examples"]
    return inputs[:SHOWN], references[:SHOWN], names[:SHOWN]


def _by_scene(scenes: Iterable[str], untrained: dict, runs: dict[str, Run], last: dict) -> Scenes:
    found = untrained | {name: run.samples()["output"] for name, run in runs.items()} | last
    return {scene: {method: images[k] for method, images in found.items()}
            for k, scene in enumerate(scenes)}


def attentive_generator(profile: str, data: str | None = None) -> tuple[nn.Module, str]:
    """C5 as it is stored with its weights, else the one that comes with the kit; and a line that
    says which."""
    if run := stored_runs(["C5"], profile, data).get("C5"):
        with suppress(FileNotFoundError, record.Damaged):
            return load_generator(run.folder), f"C5, {run.share}, {run.dataset}"
    known = shipped.about(TWO_D_GAN, shipped.FOLDER)
    network = shipped.load(TWO_D_GAN, shipped.FOLDER, torch.device("cpu"), known["sha256"])
    return network, f"{known['experiment']}, {known['steps']} steps, {known['dataset']}"
