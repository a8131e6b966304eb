"""What data sets consist of: pairs by scene, dark images, faces by person. For the notebooks."""

import numpy as np
import pandas as pd

from lib.data.enhancement import EnhancementData
from lib.data.faces import parse
from lib.data.pairs import TranslationData
from lib.data.sober_drunk import SoberDrunkData
from lib.data.splits import N_TEST, N_TRAIN, SPLITS


def split_summary(data: TranslationData) -> dict[str, int | str]:
    """Pairs of each side, in the paper (Section 4.1) and here, their scenes, and scenes on both
    sides, which must be 0."""
    train, test = ({data.scenes[i] for i in data.split[side]} for side in ("train", "test"))
    return {
        "data set": data.name,
        "train pairs, paper": N_TRAIN,
        "train pairs": len(data.split["train"]),
        "test pairs, paper": N_TEST,
        "test pairs": len(data.split["test"]),
        "train scenes": len(train),
        "test scenes": len(test),
        "scenes on both sides": len(train & test),
    }


def grey_levels(data: TranslationData) -> pd.DataFrame:
    """Mean and standard deviation of each visible image (over pixels and colours), darkest first.

    On 0..255. Instance norm divides by a deviation: an image that is all but constant would be the
    one to fear.
    """
    flat = data.visible.reshape(len(data.names), -1)
    levels = {"pair": data.names, "mean": flat.mean(axis=1), "deviation": flat.std(axis=1)}
    return pd.DataFrame(levels).set_index("pair").sort_values("mean", kind="stable")


def dark_summary(data: TranslationData) -> dict[str, float | int | str]:
    """How many visible images are near black (mean below 16 of 255), and the extremes."""
    levels = grey_levels(data)
    dark = levels["mean"].loc[list(data.names)].to_numpy() < 16
    return {
        "data set": data.name,
        "near-black, train": dark[data.split["train"]].sum(),
        "near-black, test": dark[data.split["test"]].sum(),
        "darkest mean": levels["mean"].min(),
        "smallest deviation": levels["deviation"].min(),
    }


def selection(data: SoberDrunkData, chosen: np.ndarray) -> pd.DataFrame:
    """Sequences, recorded frames and basic frames `chosen` (N,) of each split and state."""
    frame = pd.DataFrame({"split": data.split, "state": data.state, "person": data.person})
    frame["basic"] = np.isin(np.arange(len(frame)), chosen)
    table = frame.groupby(["split", "state"]).agg(
        sequences=("person", "nunique"), recorded=("person", "size"), basic=("basic", "sum")
    ).loc[list(SPLITS)]
    return pd.concat([table, table.sum().to_frame(("all", "")).T])


def face_parts(data: EnhancementData) -> pd.DataFrame:
    """Images by state, basic frames, persons and persons shared with another part, by part."""
    parts = [pd.DataFrame(map(parse, getattr(data, s).names)).assign(part=s) for s in SPLITS]
    faces = pd.concat(parts)
    persons = faces[["part", "person"]].drop_duplicates()
    counted = {
        "images": faces,
        "drunk": faces[faces["state"] == "drunk"],
        "sober": faces[faces["state"] == "sober"],
        "basic frames": faces.drop_duplicates(["part", "person", "state", "frame"]),
        "persons": persons,
        "of them in another part": persons[persons.duplicated("person", keep=False)],
    }
    table = pd.DataFrame({name: rows["part"].value_counts() for name, rows in counted.items()})
    return table.reindex(SPLITS).fillna(0).astype(int)
