"""What a set of visible and infrared pairs consists of: sizes, scenes, dark images."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.synthetic import streets as street_scenes
from lib.data.pairs import (
    N_TEST,
    N_TRAIN,
    TranslationData,
    choose,
    group_scenes,
    list_pairs,
    read_split,
)

NEAR_BLACK = 16  # mean grey level of 255


def scenes(key: str, root: Path, names: tuple[str, ...]) -> list[str]:
    """The scene of each pair that `load_pairs(key, root)` gave.

    From the stored split (data/splits) where it knows all of them, else grouped anew by the rule
    that made it. Synthetic streets are all different, synthetic parks have 25 frames of a place.
    """
    layout = choose(key, root)
    if layout is None:
        if key == "flir":
            return list(names)
        frames = street_scenes.FRAMES_PER_PARK
        return [f"park {int(name.rsplit('_', 1)[1]) // frames}" for name in names]
    stored = {name: scene for name, (scene, _) in read_split(layout).items()}
    if not stored.keys() >= set(names):
        stored = group_scenes(list_pairs(root, layout), layout.apart)
    return [stored[name] for name in names]


def split_summary(key: str, root: Path, data: TranslationData) -> dict[str, int | str]:
    """Pairs and scenes of each side, and scenes on both, which must be 0."""
    of_pair = np.array(scenes(key, root, data.names))
    train, test = (set(of_pair[data.split[side]]) for side in ("train", "test"))
    return {
        "data set": data.name,
        "train pairs": len(data.split["train"]),
        "test pairs": len(data.split["test"]),
        "train scenes": len(train),
        "test scenes": len(test),
        "scenes on both sides": len(train & test),
    }


def example_pairs(key: str, root: Path, data: TranslationData, count: int = 3) -> list[int]:
    """Indices of `count` test pairs for the figures, of different scenes as far as there are.

    The first pair of each scene, evenly spread over the scenes by name: nothing is picked by eye.
    """
    of_pair = scenes(key, root, data.names)
    test = sorted(data.split["test"].tolist())
    first = list({of_pair[i]: i for i in reversed(test)}.values())[::-1]
    ordered = first + [i for i in test if i not in first]
    return sorted(ordered[k] for k in np.linspace(0, max(len(first), count) - 1, count).astype(int))


def against_paper(key: str, root: Path, data: TranslationData) -> dict[str, int | str]:
    """Sizes of the paper (Section 4.1) and ours, and how many pairs ours has fewer."""
    ours = split_summary(key, root, data)
    return {
        "ours measured on": data.name,
        "train, paper": N_TRAIN,
        "train, ours": ours["train pairs"],
        "test, paper": N_TEST,
        "test, ours": ours["test pairs"],
        "pairs fewer": max(N_TRAIN - ours["train pairs"], 0) + max(N_TEST - ours["test pairs"], 0),
    }


def grey_levels(data: TranslationData) -> pd.DataFrame:
    """Mean and standard deviation of each visible image (over pixels and colours), darkest first.

    On 0..255. Instance norm divides by a deviation: an image that is all but constant would be the
    one to fear.
    """
    flat = data.visible.reshape(len(data.names), -1)
    frame = pd.DataFrame(
        {"mean": flat.mean(axis=1), "deviation": flat.std(axis=1)},
        pd.Index(data.names, name="pair"),
    )
    return frame.sort_values("mean", kind="stable")


def dark_summary(data: TranslationData) -> dict[str, float | int | str]:
    """How many visible images are near black (mean below 16 of 255), and the extremes."""
    levels = grey_levels(data)
    near_black = set(levels.index[levels["mean"] < NEAR_BLACK])
    on_side = {side: len(near_black & {data.names[i] for i in data.split[side]})
               for side in ("train", "test")}  # fmt: skip
    return {
        "data set": data.name,
        "near-black, train": on_side["train"],
        "near-black, test": on_side["test"],
        "darkest mean": levels["mean"].min(),
        "smallest deviation": levels["deviation"].min(),
    }
