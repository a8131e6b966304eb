"""The data sets of both papers by key: the only door for training, evaluation and notebooks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from lib.data import enhancement, faces, infrared, pairs, sober_drunk
from lib.data.enhancement import EnhancementData
from lib.data.fingerprint import DataSet
from lib.data.pairs import TranslationData
from lib.data.sources import OF_YOUR_OWN, as_printed, look_at
from lib.data.splits import SPLITS, Limits
from lib.paths import data_root

Data = EnhancementData | TranslationData


@dataclass(frozen=True)
class Source:
    """Two functions that take the data root, see `describe` and `load`; the latter its own for each
    key, so that `lib.provenance.definitions` of it covers what this data set runs on and no other.
    """

    describe: Callable[[Path], DataSet]
    load: Callable[[Path, int, Limits], Data]
    folders: tuple[str, ...] = ()  # under the data root, of which it takes one


DATA_SETS = {
    # ImageNet, or embedded natural images
    "enhancement": Source(enhancement.describe, enhancement.load, ("imagenet",)),
    # the same, brightness, noise and blur drawn anew for each image as well
    "enhancement_wide": Source(enhancement.describe_wide, enhancement.load_wide, ("imagenet",)),
    # thermal faces, divided by person, and by frame to see whether that flatters
    "sober_drunk": Source(sober_drunk.describe, faces.load_by_person, ("sober_drunk",)),
    "sober_drunk_by_frame": Source(faces.describe_by_frame, faces.load_by_frame, ("sober_drunk",)),
    # the other reading of Table 7: recorded faces as originals
    "sober_drunk_recorded": Source(faces.describe_recorded, faces.load_recorded, ("sober_drunk",)),
    # visible and infrared pairs
    "flir": Source(pairs.FLIR_SET.describe, pairs.load_flir, ("roadscene",)),
    "osu": Source(pairs.OSU_SET.describe, pairs.load_osu, ("osu", "llvip")),
    "msrs": Source(pairs.MSRS_SET.describe, pairs.load_msrs, ("msrs",)),
    # the infrared halves of pairs, degraded: for networks that were trained on other images
    "flir_infrared": Source(infrared.describe_flir, infrared.load_flir, ("roadscene",)),
    "osu_infrared": Source(infrared.describe_osu, infrared.load_osu, ("osu", "llvip")),
}


def describe(key: str, root: Path | None = None) -> DataSet:
    """Name and fingerprint of what `key` stands for under the data root (data/README.md).

    Where its files are absent it is an embedded default; where they are not the published ones the
    name says so (`lib.data.sources`). Raises ValueError for an unknown key and a data set that is
    there but broken, FileNotFoundError where the root is no folder.
    """
    folder = data_root(root)
    if key not in DATA_SETS:
        raise ValueError(f"unknown data set {key!r}; there are {', '.join(DATA_SETS)}")
    source = DATA_SETS[key]
    for name in source.folders:
        look_at(folder / name)
    dataset = as_printed(source.describe(folder))
    unused = [folder / name for name in source.folders if (folder / name).is_dir()]
    if dataset.root is None and unused:
        raise ValueError(f"{unused[0]} holds too few pairs to use; add to it, or remove it to have "
                         f"{dataset.name}")
    return dataset


def load(key: str, root: Path | None, size: int, limits: Limits | None = None) -> Data:
    """The images of a data set.

    Args:
        key: of DATA_SETS.
        root: data root; None for $IR_DATA, else data/.
        size: height and width in pixels.
        limits: by split ("train", "validation", "test") at most so many, the first of a fixed
            order; None or absent: all there are. Pairs have no validation.

    Raises ValueError for an unknown key or split, a limit below 1, a data set or file that is
    there but broken, and where an image of one's own is in training and in the test;
    FileNotFoundError where the root is no folder.
    """
    limits = {split: n for split, n in (limits or {}).items() if n is not None}
    for split, n in limits.items():
        if split not in SPLITS or n < 1:
            raise ValueError(f"limit {split}={n}: at least 1, or None for all, of {SPLITS}")
    folder = data_root(root)
    name = describe(key, folder).name  # what is wrong is told before images are made
    data = DATA_SETS[key].load(folder, size, limits)
    if OF_YOUR_OWN in name:
        _hold_apart(data)
    return replace(data, name=name)


def _hold_apart(data: Data) -> None:
    """Raise ValueError where an image of training is one of validation or test, pixel by pixel."""
    if isinstance(data, EnhancementData):
        parts = [(getattr(data, split).names, getattr(data, split).reference) for split in SPLITS]
    else:
        names = np.array(data.names)
        parts = [(names[its], data.visible[its]) for its in map(data.split.get, ("train", "test"))]
    train, *others = (
        {sha256(image.tobytes()).digest(): name for name, image in zip(*part, strict=True)}
        for part in parts
    )
    for part in others:
        for image in part.keys() & train.keys():
            raise ValueError(f"{part[image]} is a copy of {train[image]}, which is in training; "
                             "remove one of them")
