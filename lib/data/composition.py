"""What data sets consist of: pairs by scene, dark images, faces by person. For the notebooks."""

import numpy as np
import pandas as pd

from lib.data.enhancement import EnhancementData
from lib.data.faces import parse
from lib.data.pairs import TranslationData
from lib.data.sober_drunk import SoberDrunkData
from lib.data.splits import N_TEST, N_TRAIN, SPLITS

NEAR_BLACK = 16  # mean grey level of 255
SIDES = ("train", "test")


def split_summary(data: TranslationData) -> dict[str, int | str]:
    """Pairs and scenes of each side, and scenes on both, which must be 0."""
    train, test = ({data.scenes[i] for i in data.split[side]} for side in SIDES)
    return {
        "data set": data.name,
        "train pairs": len(data.split["train"]),
        "test pairs": len(data.split["test"]),
        "train scenes": len(train),
        "test scenes": len(test),
        "scenes on both sides": len(train & test),
    }


def example_pairs(data: TranslationData, count: int = 3) -> list[int]:
    """Indices of `count` test pairs for the figures, of different scenes as far as there are.

    The first pair of each scene, evenly spread over the scenes by name: nothing is picked by eye.
    """
    test = data.split["test"].tolist()
    first = sorted({data.scenes[i]: i for i in reversed(test)}.values())
    ordered = first + [i for i in test if i not in first]
    return sorted(ordered[k] for k in np.linspace(0, max(len(first), count) - 1, count).astype(int))


def against_paper(data: TranslationData) -> dict[str, int | str]:
    """Sizes of the paper (Section 4.1) and ours, and how many pairs ours has fewer."""
    train, test = (len(data.split[side]) for side in SIDES)
    return {
        "ours measured on": data.name,
        "train, paper": N_TRAIN,
        "train, ours": train,
        "test, paper": N_TEST,
        "test, ours": test,
        "pairs fewer": max(N_TRAIN - train, 0) + max(N_TEST - test, 0),
    }


def grey_levels(data: TranslationData) -> pd.DataFrame:
    """Mean and standard deviation of each visible image (over pixels and colours), darkest first.

    On 0..255. Instance norm divides by a deviation: an image that is all but constant would be the
    one to fear.
    """
    flat = data.visible.reshape(len(data.names), -1)
    levels = {"mean": flat.mean(axis=1), "deviation": flat.std(axis=1)}
    frame = pd.DataFrame(levels, pd.Index(data.names, name="pair"))
    return frame.sort_values("mean", kind="stable")


def dark_summary(data: TranslationData) -> dict[str, float | int | str]:
    """How many visible images are near black (mean below 16 of 255), and the extremes."""
    levels = grey_levels(data)
    near_black = levels.index[levels["mean"] < NEAR_BLACK]
    counts = {side: np.isin(np.array(data.names)[data.split[side]], near_black).sum()
              for side in SIDES}  # fmt: skip
    return {
        "data set": data.name,
        "near-black, train": counts["train"],
        "near-black, test": counts["test"],
        "darkest mean": levels["mean"].min(),
        "smallest deviation": levels["deviation"].min(),
    }


def selection(data: SoberDrunkData, chosen: np.ndarray) -> pd.DataFrame:
    """Sequences, recorded frames and basic frames `chosen` (N,) of each split and state."""
    frame = pd.DataFrame({"split": data.split, "state": data.state, "person": data.person})
    frame["basic"] = np.isin(np.arange(len(frame)), chosen)
    table = frame.groupby(["split", "state"]).agg(
        sequences=("person", "nunique"), recorded=("person", "size"), basic=("basic", "sum")
    ).loc[list(SPLITS)]  # fmt: skip
    return pd.concat([table, table.sum().to_frame(("all", "")).T])


def face_parts(data: EnhancementData) -> pd.DataFrame:
    """Images by state, basic frames, persons and persons shared with another part, by part."""
    faces = {split: [parse(name) for name in getattr(data, split).names] for split in SPLITS}
    persons = {split: {face.person for face in faces[split]} for split in SPLITS}
    rows = {}
    for split in SPLITS:
        others = set.union(*(persons[other] for other in SPLITS if other != split))
        rows[split] = {
            "images": len(faces[split]),
            "drunk": sum(face.state == "drunk" for face in faces[split]),
            "sober": sum(face.state == "sober" for face in faces[split]),
            "basic frames": len({face[:3] for face in faces[split]}),
            "persons": len(persons[split]),
            "of them in another part": len(persons[split] & others),
        }
    return pd.DataFrame.from_dict(rows, orient="index")
