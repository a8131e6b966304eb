"""Infrared images, degraded as the enhancement images are (2D-GAN, Abstract: generalisation).

They are the infrared halves of the pairs of `lib.data.pairs`, each on its pair's side, so that what
is tested here was trained on by nothing.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from lib.data import pairs
from lib.data.degradation import LITERAL, degrade
from lib.data.enhancement import EnhancementData, Pairs
from lib.data.fingerprint import DataSet
from lib.data.pairs import PairSet
from lib.data.splits import Limits


def _describe(source: PairSet, root: Path) -> DataSet:
    known = source.describe(root)
    return replace(known, key=f"{known.key}_infrared", name=f"{known.name}, infrared")


def _load(source: PairSet, root: Path, size: int, limits: Limits) -> EnhancementData:
    """See `lib.data.catalogue.load`; there are no validation images."""
    both = source.load(root, size, limits)
    sides = {}
    for side, rows in both.split.items():
        names = tuple(both.names[i] for i in rows)
        degraded = [degrade(both.infrared[i], both.names[i], ranges=LITERAL) for i in rows]
        sides[side] = Pairs(both.infrared[rows], np.stack(degraded), names)
    none = Pairs(both.infrared[:0], both.infrared[:0], ())
    known = _describe(source, root)
    return EnhancementData(
        known.name, known.fingerprint, sides["train"], none, sides["test"], LITERAL
    )


# two functions a data set: see `lib.data.catalogue.Source`
describe_flir = partial(_describe, pairs.FLIR_SET)
describe_osu = partial(_describe, pairs.OSU_SET)


def load_flir(root: Path, size: int, limits: Limits) -> EnhancementData:
    return _load(pairs.FLIR_SET, root, size, limits)


def load_osu(root: Path, size: int, limits: Limits) -> EnhancementData:
    return _load(pairs.OSU_SET, root, size, limits)
