"""What is in the parts of the thermal faces, and Table 7's column that nothing is trained for."""

import numpy as np
import pandas as pd

from lib.data.enhancement import SPLITS, EnhancementData
from lib.data.faces import parse
from lib.data.sober_drunk import SoberDrunkData
from lib.results.numbers import Number
from lib.evaluation.statistics import bootstrap_interval


def selection(data: SoberDrunkData, chosen: np.ndarray) -> pd.DataFrame:
    """Sequences, recorded frames and basic frames `chosen` (N,) of each split and state."""
    frame = pd.DataFrame({"split": data.split, "state": data.state, "person": data.person})
    frame["basic"] = np.isin(np.arange(len(frame)), chosen)
    groups = frame.groupby(["split", "state"])
    table = groups.agg(
        sequences=("person", "nunique"), recorded=("person", "size"), basic=("basic", "sum")
    ).loc[list(SPLITS)]
    return pd.concat([table, table.sum().to_frame(("all", "")).T])


def composition(data: EnhancementData) -> pd.DataFrame:
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


def image_numbers(column: str, metrics: dict[str, np.ndarray], dataset: str) -> list[Number]:
    """A column of means over images, with the 95 % bootstrap interval of each, from (N,) values."""
    return [
        Number(
            metric, column, float(values.mean()), float(values.std(ddof=1)),
            *bootstrap_interval(values), n_images=len(values), dataset=dataset,
        )
        for metric, values in metrics.items()
    ]  # fmt: skip
