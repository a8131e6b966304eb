"""What an image shows, by its name: of images of one scene or person a method does alike, so they
count as one where a mean is said to be sure (`lib.evaluation.statistics`)."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from lib.data import splits
from lib.data.faces import N_IMAGES, parse
from lib.data.natural import SOURCES
from lib.data.synthetic.streets import FRAMES


def scenes_of(names: Iterable[str]) -> list[str]:
    """Of pairs the scene that data/splits has, of faces the person, of synthetic scenes the place,
    of embedded crops the photograph; of any other image, those of one's own too, the image itself.
    """
    return [_scene(str(name)) for name in names]


def _scene(name: str) -> str:
    if name in _stored():
        return _stored()[name]
    with suppress(ValueError):  # no face
        face = parse(name)
        if face.state in N_IMAGES:
            return f"person {face.person}"
    if (made := re.fullmatch(r"(\w+)_(\d+)", name)) and made[1] in FRAMES:
        return f"{made[1]} {int(made[2]) // FRAMES[made[1]]}"
    photograph, _, number = name.partition("/")
    if number.isdecimal() and any(photograph in its for its in SOURCES.values()):
        return photograph
    return name


@cache
def _stored() -> dict[str, str]:
    """The scene of each pair of the stored splits that have scenes."""
    rows = [item for file in splits.FOLDER.glob("*.csv") for item in splits.read(file.stem).items()]
    return {pair: row["scene"] for pair, row in rows if "scene" in row}
