"""From the records of translation runs to the tables of GN_CycleGAN, and what they do not print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.data.pairs import TranslationData
from lib.evaluation.enhancement import Evaluation
from lib.training.experiments import resolve
from lib.metrics import evaluate
from lib.metrics.feature_distance import kernel_distance, vgg16_features
from lib.metrics.lpips import lpips
from lib.networks.weights import PretrainedUnavailable
from lib.results.examples import means, store_table
from lib.results.numbers import Number
from lib.data.composition import example_pairs
from lib.results.runs import Run, load_generator, load_run, summarise
from lib.evaluation.translation import evaluate_translation

REPORTED = ("PSNR", "SSIM")


def table_numbers(
    profile: str, experiments: Mapping[tuple[str, str], str], seeds: Sequence[int]
) -> list[Number]:
    """PSNR and SSIM of each experiment. Keys of `experiments`: printed row, prefix of the column.

    The prefix is "OSU." or "Flir." in Table 2 and nothing in Table 3.
    """
    numbers = []
    for (row, prefix), experiment in experiments.items():
        runs = [load_run(profile, experiment, seed) for seed in seeds]
        for metric in REPORTED:
            numbers.append(replace(summarise(runs, metric, prefix + metric), row=row))
    return numbers


@dataclass(frozen=True)
class Translations:
    """What several methods made of the test images of one data set.

    `outputs`: method -> (N, H, W); `visible` (N, H, W, 3), `infrared` (N, H, W), all bytes.
    `untrained`: outputs that no training made. `examples`: positions of scenes for a figure.
    """

    outputs: dict[str, np.ndarray]
    untrained: dict[str, np.ndarray]
    visible: np.ndarray
    infrared: np.ndarray
    names: tuple[str, ...]
    dataset: str
    examples: list[int]


def translations(runs: Mapping[str, Run], key: str, root: Path) -> Translations:
    """The test images of data set `key` by the trained generator of each run, method -> run."""
    made = {method: evaluate_run(run, root) for method, run in runs.items()}
    test, pairs = next(iter(made.values()))
    examples = [test.names.index(pairs.names[i]) for i in example_pairs(key, root, pairs)]
    outputs = {method: one.outputs for method, (one, _) in made.items()}
    return Translations(outputs, without_training(pairs), test.inputs, test.references,
                        test.names, pairs.name, examples)  # fmt: skip


def evaluate_run(run: Run, root: Path) -> tuple[Evaluation, TranslationData]:
    """What a trained generator makes of the test images, and the pairs they come from."""
    config = resolve(run.record["experiment"], run.record["profile"])
    recipe = import_module(f"lib.training.recipes.{config.experiment.recipe}")
    pairs, shown = recipe.load_data(config, root)
    test = shown.split["test"]
    made = evaluate_translation(
        load_generator(run), pairs.visible[test], shown.visible[test], shown.infrared[test],
        tuple(shown.names[i] for i in test), torch.device("cpu"),
    )  # fmt: skip
    return made, shown


def without_training(data: TranslationData) -> dict[str, np.ndarray]:
    """Two outputs that no training made, as a floor for all methods: (N, H, W) bytes each.

    The visible image itself in grey, and for every scene the mean of the training infrared images.
    """
    grey = np.rint(data.visible[data.split["test"]].mean(axis=-1)).astype(np.uint8)
    mean = np.rint(data.infrared[data.split["train"]].mean(axis=0)).astype(np.uint8)
    return {"visible image, grey": grey, "mean infrared of training": np.stack([mean] * len(grey))}


def judged(
    outputs: Mapping[str, np.ndarray], references: np.ndarray, profile: str, name: str,
    dataset: str,
) -> pd.DataFrame:
    """PSNR, SSIM, LPIPS (AlexNet), kernel distance (VGG-16) of each method; tables/<name>.csv.

    Means over images with 95 % bootstrap intervals; the kernel distance is of the sets as wholes.
    Where weights cannot be had, LPIPS and the kernel distance are left empty and `why` says so.
    """  # fmt: skip
    rows, why = {}, ""
    try:
        real = vgg16_features(references)
    except PretrainedUnavailable as problem:
        why = str(problem)
    for method, images in outputs.items():
        metrics = {key: evaluate(images, references)[key] for key in REPORTED}
        row = {"why": why}
        if not why:
            metrics["LPIPS"] = lpips(images, references)
            row["kernel distance"] = kernel_distance(vgg16_features(images), real, paired=True)
        rows[method] = {**row, **means(metrics), "n_images": len(images), "dataset": dataset}
    columns = [f"{metric}{end}" for metric in (*REPORTED, "LPIPS") for end in ("", " low", " high")]
    columns += ["kernel distance", "n_images", "dataset", "why"]
    frame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    return store_table(frame, profile, name)
