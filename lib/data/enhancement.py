"""Pairs for the enhancement task: good grey images and their degraded copies.

ImageNet where the data root has it, else crops of the embedded photographs.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data import imagenet, natural, splits
from lib.data.degradation import DegradationRanges, degrade
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


def describe(root: Path) -> DataSet:
    """Name and fingerprint of what `load` takes. Raises ValueError for a broken ImageNet folder."""
    return imagenet.describe(root) if (root / "imagenet").is_dir() else natural.describe()


def load(root: Path, size: int, limits: Limits) -> EnhancementData:
    """See `lib.data.catalogue.load`. Fewer images are a subset of more.

    Raises ValueError for a broken ImageNet folder or file.
    """
    dataset = describe(root)

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

    return kept_pairs(dataset, [identity(load), size, dict(limits)], images, DegradationRanges())


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

    arrays = pack(dataset.key, [dataset.fingerprint, *key], make)
    parts = [
        Pairs(arrays[f"{split} reference"], arrays[f"{split} degraded"],
              tuple(arrays[f"{split} names"].tolist()))
        for split in SPLITS
    ]  # fmt: skip
    return EnhancementData(dataset.name, dataset.fingerprint, *parts)


def crops(pairs: Pairs, size: int, seed: int = 0) -> Pairs:
    """One fixed crop an image, the same of reference and degraded: (N, size, size).

    The place is drawn from `seed` and the image's name. Images of that size stay as they are.
    Raises ValueError where the images are smaller.
    """
    height, width = pairs.reference.shape[1:]
    if size > min(height, width):
        raise ValueError(f"no crop of {size} pixels fits in images of {height} x {width}")
    corners = []
    for name in pairs.names:
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        corners.append((rng.integers(height - size + 1), rng.integers(width - size + 1)))

    def cut(images: np.ndarray) -> np.ndarray:
        return np.stack([
            image[top : top + size, left : left + size]
            for image, (top, left) in zip(images, corners, strict=True)
        ])  # fmt: skip

    return Pairs(cut(pairs.reference), cut(pairs.degraded), pairs.names)
