"""Natural images for the enhancement task: ImageNet-5504 (2D-GAN, section "Data settings").

Layout: `imagenet/train` and `imagenet/val` under the data root, JPEG or PNG of any size, in
subfolders or not, so that a copy of ImageNet itself works too. The paper drew its 5004 + 500 images
at random: of a larger folder the first in hash order are taken, of a smaller one all.

The paper names no test set. Here the 500 images of `val` are divided by `lib.data.splits.by_hash`:
every choice is made on a fifth of them, and none on the rest. data/splits/imagenet.csv has the
outcome for ImageNet-5504. It excludes images of `val` with a twin in `train` (thumbnails correlate
by more than 0.975, flipped or stretched as well): the public subsets share photographs. Any other
folder is divided by the same rule, less the twins listed there.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lib.data import splits
from lib.data.fingerprint import DataSet, of_files, of_values
from lib.data.images import centre_square, open_image

COUNTS = {"train": 5004, "val": 500}  # 2D-GAN, "Experimental data"


def list_files(root: Path) -> dict[str, Path]:
    """The files to use, by name (`train/xyz.jpg`, `val/xyz.jpg`), in hash order, train first.

    Hidden files are left aside. Raises ValueError where `train` or `val` is missing or empty.
    """
    folder = Path(root) / "imagenet"
    files = {}
    for part, limit in COUNTS.items():
        found = {
            path.relative_to(folder).as_posix(): path
            for path in (folder / part).rglob("*")
            if path.suffix.lower() in (".jpg", ".jpeg", ".png") and path.name[0] != "."
        }
        if not found:
            raise ValueError(f"{folder / part} holds no JPEG or PNG image; see data/README.md")
        files |= {name: found[name] for name in splits.hash_order(found)[:limit]}
    return files


def describe(root: Path) -> DataSet:
    """Name and fingerprint: `ImageNet-5504` for 5004 + 500 images, else the counts are named."""
    files, folder = list_files(root), Path(root) / "imagenet"
    counts = {part: sum(name.startswith(part) for name in files) for part in COUNTS}
    name = f"ImageNet subset ({counts['train']} train, {counts['val']} val)"
    content = of_values(of_files(files.values(), folder), sorted(stored_twins(files)))
    return DataSet("enhancement", "ImageNet-5504" if counts == COUNTS else name, content, folder)


def read_grey(path: Path, size: int) -> np.ndarray:
    """Centre square of an image as grey (ITU-R 601 luma), resized with antialiasing (Lanczos).

    Returns (size, size) uint8. Raises ValueError naming a file that is no complete image.
    """
    return centre_square(np.asarray(open_image(path, "RGB").convert("L")), size)


def stored_twins(names: Iterable[str]) -> set[str]:
    """Those of the names that data/splits/imagenet.csv excludes."""
    stored = splits.read("imagenet")
    return {name for name in names if stored.get(name, {}).get("split") == "excluded"}
