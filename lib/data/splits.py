"""How data sets are divided: the rules, and their outcomes in data/splits/*.csv.

A rule is applied once, and what comes of it is stored, so that it holds for good. Other copies of a
data set are divided by its rule when they are loaded:

    by_hash     images, in the order of a hash of their names     imagenet.csv
    by_scene    whole scenes, as frames of one are alike          translation_*.csv
    by_frame    frames, to see whether that flatters              (not stored)
"""

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lib.paths import REPO

FOLDER = REPO / "data" / "splits"
SPLITS = ("train", "validation", "test")
Limits = Mapping[str, int | None]  # by split: so many at most; None or absent: all there are
SHARES = {"train": 7, "validation": 2, "test": 1}  # of the faces: 2D-GAN, "Data settings"
N_TRAIN, N_TEST = 500, 20  # pairs: GN_CycleGAN, Section 4.1


def read(name: str) -> dict[str, dict[str, str]]:
    """The rows of a stored split by their first column; empty where none is stored."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return {}
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    return rows.set_index(rows.columns[0], drop=False).to_dict("index")


def hash_order(names: Iterable[str]) -> list[str]:
    """The names sorted by their SHA-256: random to the eye, the same everywhere and forever."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def by_hash(names: Iterable[str], excluded: Iterable[str] = ()) -> dict[str, str]:
    """The split of each name in hash order: train, validation, test or excluded.

    Names that begin with `train/` are for training. Of the others, in hash order, as many as a
    fifth of them are for validation, less those `excluded`, and the rest is for the test.
    Raises ValueError where too few are left for both validation and test.
    """
    excluded = set(excluded)
    ordered = hash_order(names)
    val = [name for name in ordered if not name.startswith("train/")]
    kept = [name for name in val if name not in excluded]
    n_validation = max(1, round(len(val) / 5))
    if len(kept) <= n_validation:
        raise ValueError(f"imagenet/val holds {len(kept)} images to use; put at least 2 there")
    split = dict.fromkeys(ordered, "train") | dict.fromkeys(val, "test")
    split |= dict.fromkeys(kept[:n_validation], "validation")
    return split | dict.fromkeys(excluded, "excluded")


def by_frame(state: np.ndarray) -> np.ndarray:
    """The split of frames, of which `state` (N,) is "drunk" or "sober": each at random 7:2:1."""
    split = np.empty(len(state), dtype="<U10")
    cuts = np.cumsum(list(SHARES.values())) / sum(SHARES.values())
    for one in ("drunk", "sober"):
        rng = np.random.default_rng([0, zlib.crc32(one.encode())])
        order = rng.permutation(np.flatnonzero(state == one))
        places = np.rint(cuts[:-1] * len(order)).astype(int)
        for name, part in zip(SHARES, np.split(order, places), strict=True):
            split[part] = name
    return split


def by_scene(scene_of: Mapping[str, str], grey: Mapping[str, float]) -> dict[str, str]:
    """The side of each pair: "train", "test" or "unused".

    Args:
        scene_of: the scene of each pair, in the order of the pairs.
        grey: the mean grey level of each scene.

    The test side is to have 20 pairs, or half of them all, if that is less. Scenes of at most a
    quarter of that (5 of 20) come first, so that it shows several; they are ranked by their grey
    level and taken in golden-ratio steps through the ranks, so that day and night are both there;
    larger scenes follow in the same way. The first combination of whole scenes that makes the
    number is the test side, or the one nearest below, or the smallest scene where none is below.
    The other scenes are the training side, thinned evenly to 500 pairs. Raises ValueError where all
    is one scene.
    """
    size = Counter(scene_of.values())
    if len(size) < 2:
        raise ValueError(f"{', '.join(size)}: all {len(scene_of)} pairs are of one scene; training "
                         "and test need at least two")
    wanted = min(N_TEST, len(scene_of) // 2)
    ranks = {scene: rank for rank, scene in enumerate(sorted(size, key=grey.get))}
    golden = (5**0.5 - 1) / 2
    order = sorted(size, key=lambda s: (size[s] > wanted // 4, ranks[s] * golden % 1))
    reached: dict[int, tuple[str, ...]] = {0: ()}
    for scene in order:
        for total in list(reached):
            if total + size[scene] <= wanted:
                reached.setdefault(total + size[scene], (*reached[total], scene))
    chosen = reached[max(reached)] or (min(order, key=size.get),)
    rest = [name for name, scene in scene_of.items() if scene not in chosen]
    side = {name: "test" if scene in chosen else "unused" for name, scene in scene_of.items()}
    return side | dict.fromkeys(evenly(rest, N_TRAIN), "train")


def evenly(names: Sequence[str], count: int) -> list[str]:
    """`count` of the names, evenly spread, or all where there are fewer."""
    places = np.linspace(0, len(names) - 1, min(count, len(names)))
    return [names[i] for i in places.astype(int)]
