"""Natural images for the enhancement task: ImageNet-5504 (2D-GAN, section "Data settings").

Layout: `imagenet/train` and `imagenet/val` under the data root, JPEG or PNG of any size, in
subfolders or not, so that a copy of ImageNet itself works too. "5004 images were randomly selected
from ImageNet for training, and 500 images were used for validation": of a larger folder the first
5004 and 500 in hash order are taken, of a smaller one all.

The paper names no test set. Here the 500 images of `val` are divided once and for all by
`lib.data.splits.by_hash`: every choice (weights, checkpoints) is made on a fifth of them, and none
on the rest. Images of `val` with a twin in `train`, or earlier in the hash order of `val`, are
excluded: the public subsets share photographs, some of them squashed or flipped (`find_twins`).
The outcome for ImageNet-5504 is data/splits/imagenet.csv; any other folder (your own ImageNet) is
divided by the same rule, less the twins listed there.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lib.data import splits
from lib.data.fingerprint import DataSet, of_files, of_values

N_TRAIN, N_VAL = 5004, 500  # 2D-GAN, "Experimental data"
SUFFIXES = {".jpg", ".jpeg", ".png"}
# Of 16x16 thumbnails. In ImageNet-5504, true twins (by eye) reach 0.997, others at most 0.971.
TWIN_CORRELATION = 0.975


def list_files(root: Path) -> dict[str, Path]:
    """The files to use, by name (`train/xyz.jpg`, `val/xyz.jpg`), in hash order, train first.

    Raises ValueError where `train` or `val` is missing or holds no image.
    """
    folder = Path(root) / "imagenet"
    files = {}
    for part, limit in (("train", N_TRAIN), ("val", N_VAL)):
        found = {
            path.relative_to(folder).as_posix(): path
            for path in (folder / part).rglob("*")
            if path.suffix.lower() in SUFFIXES
        }
        if not found:
            raise ValueError(f"{folder / part} holds no JPEG or PNG image; see data/README.md")
        files |= {name: found[name] for name in splits.hash_order(found)[:limit]}
    return files


def describe(root: Path) -> DataSet:
    """Name and fingerprint: `ImageNet-5504` for 5004 + 500 images, else the counts are named."""
    files = list_files(root)
    n_train = sum(name.startswith("train/") for name in files)
    n_val = len(files) - n_train
    full = (n_train, n_val) == (N_TRAIN, N_VAL)
    name = "ImageNet-5504" if full else f"ImageNet subset ({n_train} train, {n_val} val)"
    folder = Path(root) / "imagenet"
    content = of_values(of_files(files.values(), folder), sorted(stored_twins(files)))
    return DataSet("enhancement", name, content, folder)


def read_grey(path: Path, size: int) -> np.ndarray:
    """Centre square of an image as grey (ITU-R 601 luma), resized with antialiasing (Lanczos).

    Returns (size, size) uint8. Raises ValueError naming a file that is no complete image.
    """
    try:
        with Image.open(path) as image:
            grey = image.convert("RGB").convert("L")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error
    edge = min(grey.size)
    left, top = (grey.width - edge) // 2, (grey.height - edge) // 2
    box = (left, top, left + edge, top + edge)
    return np.asarray(grey.crop(box).resize((size, size), Image.Resampling.LANCZOS))


def stored_twins(names: Iterable[str]) -> set[str]:
    """Those of the names that data/splits/imagenet.csv excludes."""
    stored = splits.read("imagenet")
    return {name for name in names if stored.get(name, {}).get("split") == "excluded"}


def find_twins(names: Sequence[str], images: np.ndarray) -> dict[str, str]:
    """Images of `val` that show the same photograph as one of `train` or an earlier one of `val`.

    Args:
        names: N names in hash order, as `list_files` gives them.
        images: (N, size, size) uint8 grey, size a multiple of 16.

    Two images are twins when 16x16 thumbnails correlate by more than 0.975. One thumbnail is of the
    whole image; the other, of either orientation, is of the whole or of a central strip stretched
    to a square, which finds a photograph squashed to a square by one source and cropped by another.

    Returns {name in val: reason}.
    """
    whole = _thumbnails(images)
    val = np.array([name.startswith("val/") for name in names])
    reasons = {}
    best = np.full((val.sum(), len(names)), -1.0, np.float32)
    for strip in _strips(images):
        for flipped in (strip, strip[:, :, ::-1]):
            views = _thumbnails(flipped)
            np.maximum(best, whole[val] @ views.T, out=best)
            np.maximum(best, views[val] @ whole.T, out=best)
    for row, i in enumerate(np.flatnonzero(val)):
        best[row, i:] = -1  # itself and what comes after it
        j = int(best[row].argmax())
        if best[row, j] > TWIN_CORRELATION:
            reasons[names[i]] = f"twin of {names[j]} (correlation {best[row, j]:.3f})"
    return reasons


def _strips(images: np.ndarray) -> Iterable[np.ndarray]:
    """The images, and their central vertical and horizontal strips for usual aspect ratios."""
    size = images.shape[1]
    yield images
    for aspect in (1.1, 1.2, 4 / 3, 3 / 2):
        margin = round(size * (1 - 1 / aspect) / 2)
        yield images[:, :, margin : size - margin]
        yield images[:, margin : size - margin]


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """(N, H, W) -> (N, 256) float32: 16x16 means, each of zero mean and unit length."""
    small = np.stack([
        np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BOX))
        for image in images
    ]).reshape(len(images), -1).astype(np.float32)
    small -= small.mean(1, keepdims=True)
    return small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)


def make_split(root: Path) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Columns and rows of data/splits/imagenet.csv for the images under `root`."""
    files = list_files(root)
    twins = find_twins(list(files), np.stack([read_grey(path, 128) for path in files.values()]))
    split = splits.by_hash(files, twins)
    rows = [(name, split[name], twins.get(name, "")) for name in sorted(files)]
    return ("file", "split", "reason"), rows
