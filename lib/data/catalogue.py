"""The data sets of both papers by key, and what stands for each under a data root."""

from pathlib import Path

from lib.data import enhancement, sober_drunk, pairs as translation
from lib.data.fingerprint import DataSet

KEYS = ("enhancement", "sober_drunk", "sober_drunk_by_frame", *translation.KEYS)


def describe(key: str, root: Path) -> DataSet:
    """The data set that `key` stands for under data root `root`, or its embedded default.

    Args:
        key: "enhancement" (ImageNet or embedded natural images), "sober_drunk" or
            "sober_drunk_by_frame", or a visible and infrared pair set: "flir", "osu", "msrs".
        root: data root (see data/README.md).

    Raises ValueError for an unknown key, and where the data set is there but broken.
    """
    if key == "enhancement":
        return enhancement.describe(root)
    if key in ("sober_drunk", "sober_drunk_by_frame"):  # one data set, divided in two ways
        return sober_drunk.describe(root)
    if key in translation.KEYS:
        return translation.describe(key, root)
    raise ValueError(f"unknown data set {key!r}; there are {', '.join(KEYS)}")
