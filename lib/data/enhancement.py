"""Pairs for the enhancement task: good grey images and their degraded copies.

ImageNet where the data root has it, else crops of the embedded photographs.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lib.data import degradation, imagenet, natural
from lib.data.degradation import DegradationRanges, degrade
from lib.data.fingerprint import DataSet
from lib.files import write_atomically
from lib.paths import cache_dir

SPLITS = ("train", "validation", "test")


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
    return imagenet.describe(root) if imagenet.present(root) else natural.describe()


def load(
    root: Path,
    size: int = 128,
    n_train: int | None = None,
    n_validation: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    ranges: DegradationRanges = DegradationRanges(),
) -> EnhancementData:
    """Reads, or makes and keeps, the pairs of one image size.

    Args:
        root: data root (data/README.md).
        size: height and width in pixels.
        n_train, n_validation, n_test: at most so many images, the first of a fixed order, so that
            fewer are a subset of more; None for all there are.
        seed: of the degradation.
        ranges: of the degradation.

    Decoding 5504 images takes seconds, so the outcome is kept in the cache under a key of all that
    it depends on. Raises ValueError for a broken ImageNet folder, file or limit.
    """
    limits = dict(zip(SPLITS, (n_train, n_validation, n_test), strict=True))
    for split, n in limits.items():
        if n is not None and n < 1:
            raise ValueError(f"n_{split} is {n}; it must be at least 1, or None for all images")
    dataset = describe(root)
    if dataset.root:
        files = imagenet.list_files(root)
        split_of = imagenet.splits(files)
        names = {
            split: tuple(name for name in split_of if split_of[name] == split)[:n]
            for split, n in limits.items()
        }

        def read(name: str) -> np.ndarray:
            return imagenet.read_grey(files[name], size)
    else:
        names = {split: natural.crop_names(split, n) for split, n in limits.items()}

        def read(name: str) -> np.ndarray:
            return natural.crop(name, size)

    path = cache_dir("packs") / f"{_key(dataset, names, size, seed, ranges)}.npz"
    if not path.exists():
        _make(path, read, names, size, seed, ranges)
    with np.load(path) as pack:
        pairs = {
            split: Pairs(pack[f"{split}_reference"], pack[f"{split}_degraded"], names[split])
            for split in SPLITS
        }
    return EnhancementData(dataset.name, dataset.fingerprint, **pairs)


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


def _key(dataset: DataSet, names: dict, size: int, seed: int, ranges: DegradationRanges) -> str:
    modules = (degradation.__file__, imagenet.__file__, natural.__file__, __file__)
    code = [Path(module).read_text() for module in modules]
    parts = [dataset.fingerprint, names, size, seed, asdict(ranges), code]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _make(
    path: Path,
    read: Callable[[str], np.ndarray],
    names: dict[str, Sequence[str]],
    size: int,
    seed: int,
    ranges: DegradationRanges,
) -> None:
    """Writes reference and degraded images of each split to `path`."""
    arrays = {}
    for split, chosen in names.items():
        reference = np.empty((len(chosen), size, size), np.uint8)
        degraded = np.empty_like(reference)
        for i, name in enumerate(chosen):
            reference[i] = read(name)
            degraded[i] = degrade(reference[i], name, seed, ranges)
        arrays |= {f"{split}_reference": reference, f"{split}_degraded": degraded}

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:  # given a name, savez would append .npz to it
            np.savez(stream, **arrays)

    write_atomically(path, write)
