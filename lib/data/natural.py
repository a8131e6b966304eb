"""Embedded natural images: seeded crops of photographs that scikit-image carries in its package.

They stand in for ImageNet where it is absent: nothing is downloaded, nothing is redistributed. The
splits share no photograph. Ten scenes are far less than ImageNet's variety, so a network trained on
them shows that the kit works, not how well the method generalises.
"""

import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lib.data.fingerprint import DataSet, of_values
from lib.data.images import centre_square, open_image
from lib.files import sha256
from lib.provenance import identity

COUNTS = {"train": 600, "validation": 40, "test": 100}
# photographs in skimage/data; licences: data/README.md
SOURCES = {
    "train": ("astronaut", "camera", "coffee", "coins", "gravel", "motorcycle_left", "rocket"),
    "validation": ("brick",),
    "test": ("chelsea", "grass"),
}


def describe() -> DataSet:
    """Name and fingerprint: of the photographs' contents and of the code that cuts them."""
    contents = {name: sha256(_path(name)) for names in SOURCES.values() for name in names}
    content = of_values(identity(crop_names, crop), contents)
    return DataSet("enhancement", "embedded natural images", content, None)


def crop_names(split: str, n: int | None = None) -> list[str]:
    """Names `photograph/number` of the first n crops of a split, all where n is None.

    Photographs take turns, so that any first n are balanced.
    """
    photographs = SOURCES[split]
    turns = (divmod(i, len(photographs)) for i in range(COUNTS[split]))
    return [f"{photographs[k]}/{number:03d}" for number, k in turns][:n]


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
        top, left = (rng.integers(length - side + 1) for length in photograph.shape)
        part = photograph[top : top + side, left : left + side]
        part = part[:, ::-1] if rng.random() < 0.5 else part
        if part.std() >= 15:  # grey levels: no crops of mere sky or wall
            return centre_square(part, size)


@cache
def read_photograph(name: str) -> np.ndarray:
    """A photograph of `SOURCES` as grey: (H, W) uint8."""
    return np.asarray(open_image(_path(name), "L"))


def _path(name: str) -> Path:
    """The file of a photograph, found without importing the package."""
    folder = Path(find_spec("skimage").origin).parent / "data"
    for path in folder.glob(f"{name}.*"):
        return path
    raise ValueError(f"{folder / name} is missing: install scikit-image as environment.yml says, "
                     "or put ImageNet under the data root (data/README.md)")
