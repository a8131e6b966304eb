"""Pairs for the enhancement task: good grey images and their degraded copies.

ImageNet where the data root has it, else crops of the embedded photographs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lib.data import imagenet, natural, splits
from lib.data.degradation import LITERAL, WIDE, DegradationRanges, degrade
from lib.data.fingerprint import DataSet
from lib.data.packs import pack
from lib.data.splits import SPLITS, Limits
from lib.provenance import identity

# split, names of images, and the images (H, W), in the order of SPLITS
Images = Iterator[tuple[str, Sequence[str], Sequence[np.ndarray]]]


@dataclass(frozen=True)
class Pairs:
    """N pairs of one split. `reference` and `degraded`: (N, H, W) uint8 grey."""

    reference: np.ndarray
    degraded: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class EnhancementData:
    """A data set, divided. Choices are made on `validation`, never on `test`."""

    name: str  # as printed: "ImageNet-5504", "embedded natural images", ...
    fingerprint: str  # of the data set as a whole, whatever the limits
    train: Pairs
    validation: Pairs
    test: Pairs
    ranges: DegradationRanges = LITERAL  # that the degraded copies were made with


def describe(root: Path) -> DataSet:
    """Name and fingerprint of what `load` takes. Raises ValueError for a broken ImageNet folder."""
    return imagenet.describe(root) if (root / "imagenet").is_dir() else natural.describe()


def describe_wide(root: Path) -> DataSet:
    """Name and fingerprint of what `load_wide` takes."""
    dataset = describe(root)
    return replace(dataset, name=f"{dataset.name}, wide degradation")


def load(root: Path, size: int, limits: Limits) -> EnhancementData:
    """See `lib.data.catalogue.load`. Fewer images are a subset of more.

    Raises ValueError for a broken ImageNet folder or file.
    """
    return _load(describe(root), root, size, limits, LITERAL)


def load_wide(root: Path, size: int, limits: Limits) -> EnhancementData:
    """The same images under the wide ranges."""
    return _load(describe_wide(root), root, size, limits, WIDE)


def _load(
    dataset: DataSet, root: Path, size: int, limits: Limits, ranges: DegradationRanges
) -> EnhancementData:

    def images() -> Images:
        if dataset.root is None:
            for split in SPLITS:
                names = natural.crop_names(split, limits.get(split))
                yield split, names, [natural.crop(name, size) for name in names]
            return
        files = imagenet.list_files(root)
        split_of = splits.by_hash(files, imagenet.stored_twins(files))
        for split in SPLITS:
            names = [name for name, its in split_of.items() if its == split][: limits.get(split)]
            yield split, names, [imagenet.read_grey(files[name], size) for name in names]

    return kept_pairs(dataset, [identity(_load), size, dict(limits)], images, ranges)


def kept_pairs(
    dataset: DataSet, key: list, images: Callable[[], Images], ranges: DegradationRanges
) -> EnhancementData:
    """Images and their copies degraded by `ranges`; made once, then from the cache.

    key: plain JSON values of all that `images` depends on besides the data set.
    """

    def make() -> dict[str, np.ndarray]:
        arrays = {}
        for split, names, references in images():
            pairs = zip(references, names, strict=True)
            degraded = [degrade(image, name, ranges=ranges) for image, name in pairs]
            arrays |= {
                f"{split} names": np.array(names),
                f"{split} reference": np.stack(references),
                f"{split} degraded": np.stack(degraded),
            }
        return arrays

    arrays = pack(dataset.key, [dataset.fingerprint, asdict(ranges), *key], make)
    parts = [
        Pairs(arrays[f"{split} reference"], arrays[f"{split} degraded"],
              tuple(arrays[f"{split} names"].tolist()))
        for split in SPLITS
    ]
    return EnhancementData(dataset.name, dataset.fingerprint, *parts, ranges)
