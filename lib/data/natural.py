"""Embedded natural images: crops of photographs that come with this kit's own dependencies.

scikit-image, scikit-learn and matplotlib carry some photographs in their packages. Seeded crops of
these stand in for ImageNet where it is absent: nothing is downloaded, nothing is redistributed.
The splits share no photograph. A dozen scenes are far less than ImageNet's variety, so a network
trained on them shows that the kit works, not how well the method generalises.
"""

import importlib.util
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from lib.data.fingerprint import DataSet, of_values
from lib.files import sha256
from lib.provenance import identity

NAME = "embedded natural images"
COUNTS = {"train": 600, "validation": 40, "test": 100}
MIN_CONTRAST = 15.0  # standard deviation in grey levels; leaves out crops of mere sky or wall

# split -> photograph: package, file in it. Licences: data/README.md.
SOURCES = {
    "train": {
        "astronaut": ("skimage", "data/astronaut.png"),
        "camera": ("skimage", "data/camera.png"),
        "china": ("sklearn", "datasets/images/china.jpg"),
        "coffee": ("skimage", "data/coffee.png"),
        "coins": ("skimage", "data/coins.png"),
        "gravel": ("skimage", "data/gravel.png"),
        "motorcycle": ("skimage", "data/motorcycle_left.png"),
        "rocket": ("skimage", "data/rocket.jpg"),
    },
    "validation": {
        "brick": ("skimage", "data/brick.png"),
        "flower": ("sklearn", "datasets/images/flower.jpg"),
    },
    "test": {
        "chelsea": ("skimage", "data/chelsea.png"),
        "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
        "grass": ("skimage", "data/grass.png"),
    },
}


def describe() -> DataSet:
    """Name and fingerprint: of the photographs' contents and of the code that cuts them."""
    contents = {name: sha256(_path(name)) for split in SOURCES for name in SOURCES[split]}
    return DataSet("enhancement", NAME, of_values(identity(crop_names, crop), contents), None)


def crop_names(split: str, n: int | None = None) -> tuple[str, ...]:
    """Names `photograph/number` of the first n crops of a split, all where n is None.

    Photographs take turns, so that any first n are balanced.
    """
    photographs = list(SOURCES[split])
    count = COUNTS[split] if n is None else min(n, COUNTS[split])
    return tuple(f"{photographs[i % len(photographs)]}/{i // len(photographs):03d}"
                 for i in range(count))  # fmt: skip


def crop(name: str, size: int) -> np.ndarray:
    """The crop of that name: (size, size) uint8 grey.

    Place, scale (edge from `size` to the whole photograph, log-uniform), and horizontal flip are
    drawn from the name. Raises ValueError where the photograph is not in its package.
    """
    photograph = read_photograph(name.split("/")[0])
    edge = min(photograph.shape)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    while True:
        side = round(np.exp(rng.uniform(np.log(min(size, edge)), np.log(edge))))
        top = rng.integers(photograph.shape[0] - side + 1)
        left = rng.integers(photograph.shape[1] - side + 1)
        part = photograph[top : top + side, left : left + side]
        part = part[:, ::-1] if rng.random() < 0.5 else part
        if part.std() >= MIN_CONTRAST:
            image = Image.fromarray(np.ascontiguousarray(part))
            return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


@cache
def read_photograph(name: str) -> np.ndarray:
    """A photograph of `SOURCES` as grey: (H, W) uint8."""
    with Image.open(_path(name)) as image:
        return np.asarray(image.convert("RGB").convert("L"))


def _path(name: str) -> Path:
    """The file of a photograph in its package, found without importing the package."""
    package, file = next(part[name] for part in SOURCES.values() if name in part)
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / file if spec else Path(package, file)
    if not path.is_file():
        raise ValueError(
            f"{path} is missing: install {package} as environment.yml says, or put ImageNet under "
            "the data root (data/README.md)"
        )
    return path
