"""Aligned visible and infrared pairs (GN_CycleGAN, Section 4.1: FLIR and OSU, 500 + 20 pairs each).

The paper's two data sets are asked for as `flir` and `osu`; what stands for them depends on the
data root (data/README.md), and the name that is printed says which it is. The two images of a pair
have the same name but for the extension. Video frames resemble each other, so whole scenes are
divided, not frames, by `lib.data.splits.by_scene`. The outcome is fixed in
data/splits/translation_*.csv (columns file, scene, split).

Pairs that the stored split does not know (a fuller copy of the data set) never join the test side.
They are for training, unless the rule puts them in one scene with a test pair: then they are left
out, and so is everything else of that scene.
"""

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from scipy.sparse.csgraph import connected_components

from lib.data import splits
from lib.data.fingerprint import DataSet, of_files, of_values
from lib.data.images import open_image
from lib.data.packs import pack
from lib.data.splits import N_TEST, N_TRAIN, Limits
from lib.data.synthetic import streets
from lib.provenance import identity

MAX_CANDIDATES = 2000  # of longer sequences every k-th frame is considered
SAME_SCENE = 0.3  # see `similarity`
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp")

Files = dict[str, tuple[Path, Path]]  # name without extension -> visible, infrared
Rows = dict[str, tuple[str, str]]  # name -> scene, side: "train", "test" or "unused"


@dataclass(frozen=True, eq=False)
class TranslationData:
    """N aligned pairs, sorted by name."""

    name: str  # as printed
    visible: np.ndarray  # (N, H, W, 3) uint8 RGB
    infrared: np.ndarray  # (N, H, W) uint8
    names: tuple[str, ...]
    scenes: tuple[str, ...]  # what each pair shows; no scene is on both sides
    fingerprint: str  # of the data set as a whole, whatever the limits
    split: dict[str, np.ndarray]  # "train" and "test": indices into the arrays


@dataclass(frozen=True)
class Layout:
    """Where a data set lies under the data root, and how its frames are numbered.

    `apart`: of a series, given by what stands before and after the number in a name, frames
    numbered no further from each other than this are of one scene.
    """

    key: str  # its folder
    name: str  # as printed
    visible: str
    infrared: str
    apart: dict[str, int] = field(default_factory=dict)
    least: int = 1  # pairs; where there are fewer, the stand-in is taken


# Set by looking: RoadScene images numbered up to 30 apart may still show one street; its video runs
# at 30 Hz, so 450 frames are 15 s. MSRS keeps every fourth or fifth frame.
ROADSCENE = Layout("roadscene", "RoadScene (FLIR)", "crop_LR_visible", "cropinfrared",
                   apart={"FLIR_": 30, "FLIR_video_": 450})
MSRS = Layout("msrs", "MSRS", "vi", "ir", apart={"D": 4, "N": 4})
LLVIP = Layout("llvip", "LLVIP (OSU stand-in)", "visible", "infrared")
OSU = Layout("osu", "OSU", "color", "thermal", least=40)


@dataclass(frozen=True)
class PairSet:
    """A data set of the paper, and what stands for it: the first of its layouts that is there, else
    synthetic scenes of a kind."""

    key: str
    layouts: tuple[Layout, ...]
    kind: str

    def layout(self, root: Path) -> Layout | None:
        """None where nothing is there. Raises ValueError for a broken folder."""
        for layout in self.layouts:
            if (root / layout.key).is_dir() and len(list_pairs(root, layout)) >= layout.least:
                return layout
        return None

    def describe(self, root: Path) -> DataSet:
        """Name and fingerprint of what `load` takes. Raises ValueError as it does."""
        layout = self.layout(root)
        if layout is None:
            content = of_values(identity(streets.scene), synthetic_rows(self.kind))
            return DataSet(self.key, f"synthetic {self.kind} scenes", content, None)
        pairs, folder = list_pairs(root, layout), root / layout.key
        files = of_files([file for pair in pairs.values() for file in pair], folder)
        stored = {name: row for name, row in read_split(layout).items() if name in pairs}
        return DataSet(self.key, layout.name, of_values(files, stored), folder)

    def load(self, root: Path, size: int, limits: Limits) -> TranslationData:
        """See `lib.data.catalogue.load`; 128 or 256 pixels in the paper's networks.

        A limit takes the first pairs of a fixed shuffled order, so that fewer are a subset of more.
        Raises ValueError for a broken data set or file, which it names.
        """
        dataset, layout = self.describe(root), self.layout(root)
        pairs = list_pairs(root, layout) if layout else {}
        rows = divide(pairs, layout) if layout else synthetic_rows(self.kind)
        shuffled = sorted(rows, key=lambda name: zlib.crc32(name.encode()))
        sides = {side: [name for name in shuffled if rows[name][1] == side][: limits.get(side)]
                 for side in ("train", "test")}
        names = tuple(sorted(sides["train"] + sides["test"]))

        def make() -> dict[str, np.ndarray]:  # 520 synthetic pairs in 10 s
            halves = zip(*(
                read_pair(pairs[name], size) if layout else
                streets.scene(self.kind, int(name.split("_")[1]), (size, size))
                for name in names
            ), strict=True)
            return dict(zip(("visible", "infrared"), map(np.stack, halves), strict=True))

        images = pack(self.key, [dataset.fingerprint, identity(PairSet), names, size], make)
        split = {side: np.flatnonzero(np.isin(names, those)) for side, those in sides.items()}
        scenes = tuple(rows[name][0] for name in names)
        return TranslationData(dataset.name, *images.values(), names, scenes,
                               dataset.fingerprint, split)


FLIR_SET = PairSet("flir", (ROADSCENE,), "street")
OSU_SET = PairSet("osu", (OSU, LLVIP), "park")
MSRS_SET = PairSet("msrs", (MSRS,), "street")  # for choices: no table rests on it


# one function a data set: see `lib.data.catalogue.Source`
def load_flir(root: Path, size: int, limits: Limits) -> TranslationData:
    return FLIR_SET.load(root, size, limits)


def load_osu(root: Path, size: int, limits: Limits) -> TranslationData:
    return OSU_SET.load(root, size, limits)


def load_msrs(root: Path, size: int, limits: Limits) -> TranslationData:
    return MSRS_SET.load(root, size, limits)


def synthetic_rows(kind: str) -> Rows:
    """Scene and side of 500 synthetic pairs to train on, and of 20: five of each park."""
    frames = streets.FRAMES[kind]
    step = max(1, frames // 5)
    sides = {"train": range(N_TRAIN), "test": range(N_TRAIN, N_TRAIN + N_TEST * step, step)}
    return {f"{kind}_{i:05d}": (f"{kind} {i // frames:05d}", side)
            for side, indices in sides.items() for i in indices}


def list_pairs(root: Path, layout: Layout) -> Files:
    """The pairs of a data set, sorted by name. Files that are no images are left aside.

    Raises ValueError naming the folder or file of which the other half is missing.
    """
    halves: list[dict[str, Path]] = []
    for folder in (layout.visible, layout.infrared):
        folder, files = Path(root) / layout.key / folder, {}
        for file in sorted(folder.glob("[!.]*")):
            if file.suffix.lower() in EXTENSIONS:
                other = files.setdefault(file.stem, file)
                if other != file:
                    raise ValueError(f"{file} and {other.name} have the same name")
        if not files:
            raise ValueError(f"{folder} is missing or holds no images ({', '.join(EXTENSIONS)}): "
                             f"{layout.key} needs both halves of its pairs")
        halves.append(files)
    visible, infrared = halves
    if single := sorted(visible.keys() ^ infrared.keys()):
        file = visible.get(single[0]) or infrared[single[0]]
        raise ValueError(f"{file} has no other half of the pair ({len(single)} such files)")
    return {name: (visible[name], infrared[name]) for name in visible}


def read_pair(files: tuple[Path, Path], size: int) -> tuple[np.ndarray, np.ndarray]:
    """A pair squashed to `size` x `size`: RGB (size, size, 3) and grey (size, size), uint8.

    Bilinear with antialiasing, as torchvision does. Raises ValueError naming a file that cannot be
    read, has more than 8 bits, or is of another size than its other half.
    """
    images = [open_image(file, mode) for file, mode in zip(files, ("RGB", "L"), strict=True)]
    if images[0].size != images[1].size:
        sizes = " and ".join("{} x {}".format(*image.size) for image in images)
        raise ValueError(f"{files[0]} and {files[1].name} are not of one size: {sizes}")
    return tuple(np.asarray(i.resize((size, size), Image.Resampling.BILINEAR)) for i in images)


def read_split(layout: Layout) -> Rows:
    """The stored split; empty where none is stored."""
    stored = splits.read(f"translation_{layout.key}")
    return {name: (row["scene"], row["split"]) for name, row in stored.items()}


def divide(pairs: Files, layout: Layout) -> Rows:
    """Scene and side of the pairs, at most 500 for training, by the stored split.

    Where none of its files is there, by `divide_anew`. What becomes of pairs that it does not know,
    the head of this file says. Raises ValueError naming a test pair that is gone.
    """
    stored = read_split(layout)
    if not stored.keys() & pairs.keys():
        return divide_anew(pairs, layout.apart)
    test = [name for name, (_, side) in stored.items() if side == "test"]
    if gone := [name for name in test if name not in pairs]:
        raise ValueError(f"test pair {gone[0]} of translation_{layout.key}.csv is missing")
    rows = {name: row for name, row in stored.items() if name in pairs and row[1] != "unused"}
    if unknown := _thin([name for name in pairs if name not in stored]):
        known = [*rows, *unknown]
        scenes = group_scenes({name: pairs[name] for name in known}, layout.apart)
        seen = {scenes[name] for name in test}
        train = splits.evenly([name for name in known if scenes[name] not in seen], N_TRAIN)
        rows = {n: (scenes[n], "train") for n in train} | {n: (scenes[n], "test") for n in test}
    return rows


def divide_anew(pairs: Files, apart: dict[str, int]) -> Rows:
    """Scene and side of each pair by the rule, `lib.data.splits.by_scene`; the scene of pairs that
    were not considered is "". Raises ValueError where all is one scene."""
    considered = _thin(sorted(pairs))
    scene_of = group_scenes({name: pairs[name] for name in considered}, apart)
    grey = pd.Series({n: np.asarray(open_image(pairs[n][0], "L")).mean() for n in considered})
    side = splits.by_scene(scene_of, grey.groupby(scene_of).mean())
    return {name: (scene_of.get(name, ""), side.get(name, "unused")) for name in sorted(pairs)}


def _thin(names: list[str]) -> list[str]:
    return names[:: -(-len(names) // MAX_CANDIDATES) or 1]


def group_scenes(pairs: Files, apart: dict[str, int]) -> dict[str, str]:
    """The scene of each pair, called after its first pair.

    Pairs are linked where frames of one series are numbered closely (see `Layout.apart`), or where
    `similarity` exceeds 0.3; what is linked, directly or by way of others, is one scene.
    """
    names = list(pairs)
    matches = [re.fullmatch(r"(.*?)(\d*)(\D*)", name) for name in names]
    series = np.array([match[1] + match[3] for match in matches])
    number = np.array([int(match[2] or 0) for match in matches])
    linked = similarity(pairs) > SAME_SCENE
    for name, frames in apart.items():
        same = series == name
        linked |= (np.abs(number[:, None] - number) <= frames) & same[:, None] & same
    _, labels = connected_components(linked, directed=False)
    first: dict[int, str] = {}
    return {n: first.setdefault(label, n) for n, label in zip(names, labels.tolist(), strict=True)}


def similarity(pairs: Files) -> np.ndarray:
    """How alike every two pairs are: (N, N) float32, -1 to 1, 1 for the same pair.

    Correlation of 32 x 32 thumbnails, logarithmic and high-pass filtered (less a Gaussian blur of
    3), so that neither exposure nor what all streets share (dark sky above, bright road below)
    counts; mean of the visible and the infrared one. 0.3 tells the seven views of the LLVIP subset
    apart exactly, and 99.9 % of unrelated RoadScene pairs lie below it.
    """
    halves = []
    for files in zip(*pairs.values(), strict=True):
        small = [open_image(file, "L").resize((32, 32), Image.Resampling.BOX) for file in files]
        logarithm = np.log1p(np.stack(small).astype(np.float32))
        detail = [np.ravel(image - cv2.GaussianBlur(image, (0, 0), 3)) for image in logarithm]
        detail = detail - np.mean(detail, axis=1, keepdims=True)
        halves.append(detail / np.maximum(np.linalg.norm(detail, axis=1, keepdims=True), 1e-6))
    return sum(half @ half.T for half in halves) / 2
