"""The data sets of both papers by key: the only door for training, evaluation and notebooks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lib.data import enhancement, faces, infrared, pairs, sober_drunk
from lib.data.enhancement import EnhancementData
from lib.data.fingerprint import DataSet
from lib.data.pairs import TranslationData
from lib.data.sources import FOLDERS, as_printed
from lib.data.splits import SPLITS, Limits
from lib.paths import data_root

Data = EnhancementData | TranslationData
# (key, data root, fingerprint) -> name of what was described: to ask the files costs half a second
_names: dict[tuple[str, Path, str], str] = {}


@dataclass(frozen=True)
class Source:
    """Two functions that take the data root, see `describe` and `load`; the latter its own for each
    key, so that `lib.provenance.definitions` of it covers what this data set runs on and no other.
    """

    describe: Callable[[Path], DataSet]
    load: Callable[[Path, int, Limits], Data]


DATA_SETS = {
    # ImageNet, or embedded natural images
    "enhancement": Source(enhancement.describe, enhancement.load),
    # the same, brightness, noise and blur drawn anew for each image as well
    "enhancement_wide": Source(enhancement.describe_wide, enhancement.load_wide),
    # thermal faces, divided by person, and by frame to see whether that flatters
    "sober_drunk": Source(sober_drunk.describe, faces.load_by_person),
    "sober_drunk_by_frame": Source(faces.describe_by_frame, faces.load_by_frame),
    # the other reading of Table 7: recorded faces as originals
    "sober_drunk_recorded": Source(faces.describe_recorded, faces.load_recorded),
    # visible and infrared pairs
    "flir": Source(pairs.FLIR_SET.describe, pairs.load_flir),
    "osu": Source(pairs.OSU_SET.describe, pairs.load_osu),
    "msrs": Source(pairs.MSRS_SET.describe, pairs.load_msrs),
    # the infrared halves of pairs, degraded: for networks that were trained on other images
    "flir_infrared": Source(infrared.describe_flir, infrared.load_flir),
    "osu_infrared": Source(infrared.describe_osu, infrared.load_osu),
}


def describe(key: str, root: Path | None = None) -> DataSet:
    """Name and fingerprint of what `key` stands for under the data root (data/README.md).

    Where its files are absent it is an embedded default; where they are not the published ones the
    name says so (`lib.data.sources`). Raises ValueError for an unknown key and a data set that is
    there but broken, FileNotFoundError where the root is no folder.
    """
    folder = data_root(root)
    for path in (folder / name for name in FOLDERS):
        if path.is_symlink() and not path.exists():
            raise ValueError(f"{path} is a link to nothing; mend or remove it")
    dataset = as_printed(_source(key).describe(folder))
    _names[key, folder, dataset.fingerprint] = dataset.name
    return dataset


def load(key: str, root: Path | None, size: int, limits: Limits | None = None) -> Data:
    """The images of a data set.

    Args:
        key: of DATA_SETS.
        root: data root; None for $IR_DATA, else data/.
        size: height and width in pixels.
        limits: by split ("train", "validation", "test") at most so many, the first of a fixed
            order; None or absent: all there are. Pairs have no validation.

    Raises ValueError for an unknown key or split, a limit below 1, and a data set or file that is
    there but broken; FileNotFoundError where the root is no folder.
    """
    limits = {split: n for split, n in (limits or {}).items() if n is not None}
    for split, n in limits.items():
        if split not in SPLITS or n < 1:
            raise ValueError(f"limit {split}={n}: at least 1, or None for all, of {SPLITS}")
    folder = data_root(root)
    data = _source(key).load(folder, size, limits)
    known = _names.get((key, folder, data.fingerprint))
    return replace(data, name=known or describe(key, folder).name)


def _source(key: str) -> Source:
    if key not in DATA_SETS:
        raise ValueError(f"unknown data set {key!r}; there are {', '.join(DATA_SETS)}")
    return DATA_SETS[key]
