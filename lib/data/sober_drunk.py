"""Infrared faces before and after drinking: the Sober-Drunk database (2D-GAN, "Data settings").

Layout: `sober_drunk/{sober,drunk}/NN_S_f_X.tif` under the data root: person NN, S = 1 sober or 2
drunk, f front face, X sex (M or F). Each file is a sequence of frames, 100 ms apart, taken by a
FLIR A10 (7.5 to 13 um), as pages of 16 bits. Files of other views than f are left aside. Persons
are divided, not frames, by data/splits/sober_drunk.csv: frames of one are nearly alike. Where the
database is absent, synthetic faces of as many persons take its place.
"""

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from lib.data import images, splits
from lib.data.fingerprint import DataSet, of_files, of_values
from lib.data.synthetic.faces import thermal_face
from lib.provenance import identity

STATES = {1: "sober", 2: "drunk"}
PERSONS = range(1, 42)
N_FILES = 81  # person 09 has no sober file
SYNTHETIC_FRAMES = range(0, 50, 10)


@dataclass(frozen=True)
class SoberDrunkData:
    """N frames, sorted by person, state (sober first) and frame."""

    name: str  # as printed
    fingerprint: str
    frames: np.ndarray  # (N, H, W) uint8, upright: 122 x 160, synthetic 128 x 160
    person: np.ndarray  # (N,) int, 1 to 41
    state: np.ndarray  # (N,) str, "sober" or "drunk"
    frame: np.ndarray  # (N,) int, page of the file
    split: np.ndarray  # (N,) str, "train", "validation" or "test"


def describe(root: Path) -> DataSet:
    """Name and fingerprint of what `load` takes. Raises ValueError for a broken layout."""
    folder, split_of = Path(root) / "sober_drunk", read_split()
    if not folder.is_dir():
        content = of_values(identity(synthetic), split_of)
        return DataSet("sober_drunk", "synthetic thermal faces", content, None)
    files = list_files(folder)
    name = "Sober-Drunk (front faces)"
    if len(files) != N_FILES:
        name = f"Sober-Drunk subset ({len(files)} front-face sequences)"
    content = of_values(of_files(files.values(), folder), [split_of.get(key[0]) for key in files])
    return DataSet("sober_drunk", name, content, folder)


def list_files(folder: Path) -> dict[tuple[int, int], Path]:
    """The front-face files by (person, state number), sorted.

    Raises ValueError where `sober` or `drunk` holds none, and for a file whose name does not fit.
    """
    files = {}
    for number, state in STATES.items():
        for path in sorted((folder / state).glob("*.tif*")):
            match = re.match(rf"(\d+)_{number}_([a-z]+)_[mf]", path.name.lower())
            if not match:
                raise ValueError(f"{path}: name it NN_{number}_f_X.tif; see data/README.md")
            if match[2] == "f":
                other = files.setdefault((int(match[1]), number), path)
                if other != path:
                    raise ValueError(f"{path} and {other} are of the same person and state")
        if not any(key[1] == number for key in files):
            raise ValueError(f"{folder / state} holds no front-face file NN_{number}_f_X.tif")
    return dict(sorted(files.items()))


def load_frames(path: Path) -> np.ndarray:
    """The frames of one file: (F, H, 160) uint8, grey levels 0..247 as the database has them.

    The black rows below the image, which most files have, are cut off: H is 122 or 128. Orientation
    is as stored: upright, 128 rows of 160. Raises ValueError naming a file that is no such image:
    of signed numbers or fractions, of pages that differ, or black for more than a sixteenth.
    """
    pages = images.read(path)
    if len({(page.shape, page.dtype) for page in pages}) > 1 or pages[0].ndim != 2:
        kinds = " and ".join(sorted({f"{page.shape} {page.dtype}" for page in pages}))
        raise ValueError(f"{path} holds pages {kinds}, not grey frames of one kind")
    if pages[0].dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path} holds {pages[0].dtype}, not grey levels or counts: whole numbers "
                         "of up to 16 bits, without a sign")
    frames = np.stack(pages)
    filled = np.flatnonzero(frames.any(axis=(0, 2)))
    below = frames.shape[1] - 1 - max(filled, default=-1)
    if below > frames.shape[1] / 16:
        raise ValueError(f"{path}: its lower {below} of {frames.shape[1]} rows are black")
    return to_grey(frames[:, : filled[-1] + 1])


def to_grey(frames: np.ndarray) -> np.ndarray:
    """A sequence (F, H, W) as grey levels: uint8 in 0..247 (0..255 if so stored).

    Most files hold grey levels, stretched at the source to 0..247. Eight (persons 11 to 14) hold
    the camera's raw counts, about 8080 to 8390. These are stretched alike: linearly, the 0.1 % and
    99.9 % percentiles of the sequence to 0 and 247, and clipped.
    """
    if frames.max() > 255:
        frames = frames.astype(np.float32)
        low, high = np.percentile(frames, (0.1, 99.9))
        frames = np.clip((frames - low) * (247 / max(high - low, 1)), 0, 247)
    return np.rint(frames.astype(np.float32)).astype(np.uint8)  # stretched are float64


def load(root: Path) -> SoberDrunkData:
    """All frames of all persons, or the synthetic ones where the database is absent.

    Frames are cut at the bottom to the height of the lowest. Raises ValueError for a broken file,
    and for a person that `data/splits/sober_drunk.csv` does not list.
    """
    dataset, split_of = describe(root), read_split()
    if dataset.root:
        sequences = {key: load_frames(path) for key, path in list_files(dataset.root).items()}
        pages = [page for frames in sequences.values() for page in range(len(frames))]
    else:
        sequences = synthetic()
        pages = [*SYNTHETIC_FRAMES] * len(sequences)
    if unknown := {person for person, _ in sequences} - split_of.keys():
        raise ValueError(f"persons {sorted(unknown)} have no split in data/splits/sober_drunk.csv")
    if odd := of_other_width({key: frames.shape[2] for key, frames in sequences.items()}):
        raise ValueError(f"{dataset.root}: person {odd[0]}, {STATES[odd[1]]}, has frames of "
                         "another width than most")
    height = min(frames.shape[1] for frames in sequences.values())
    keys = [key for key, frames in sequences.items() for _ in frames]
    return SoberDrunkData(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        frames=np.concatenate([frames[:, :height] for frames in sequences.values()]),
        person=np.array([person for person, _ in keys]),
        state=np.array([STATES[number] for _, number in keys]),
        frame=np.array(pages),
        split=np.array([split_of[person] for person, _ in keys]),
    )


def of_other_width(widths: dict) -> object:
    """A key of `widths` that has not the commonest of them; None where all are one."""
    common = max(widths.values(), key=[*widths.values()].count)
    return next((key for key, width in widths.items() if width != common), None)


def synthetic() -> dict[tuple[int, int], np.ndarray]:
    """A sequence of grey levels for each person and state number: (F, 128, 160) uint8, in 3 s."""
    sequences = {}
    for person, (number, state) in product(PERSONS, STATES.items()):
        counts = [thermal_face(person, state, frame) for frame in SYNTHETIC_FRAMES]
        sequences[person, number] = to_grey(np.stack(counts))
    return sequences


def read_split() -> dict[int, str]:
    """The split of each person."""
    return {int(person): row["split"] for person, row in splits.read("sober_drunk").items()}
