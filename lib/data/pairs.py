"""Aligned visible and infrared pairs (GN_CycleGAN, Section 4.1: FLIR and OSU, 500 + 20 pairs each).

The paper's two data sets are asked for as `flir` and `osu`; what stands for them depends on the
data root (data/README.md), and the name that is printed says which it is:

    flir    roadscene/{crop_LR_visible,cropinfrared}, else synthetic street scenes
    osu     osu/{color,thermal} with 40 pairs or more, else llvip/{visible,infrared},
            else synthetic park scenes
    msrs    msrs/{vi,ir}; it has no stand-in

The two images of a pair have the same name but for the extension. Video frames resemble each other,
so whole scenes are divided, not frames, by `lib.data.splits.by_scene`. The outcome is fixed in
data/splits/translation_*.csv (columns file, scene, split).

Pairs that the stored split does not know (a fuller copy of the data set) never join the test side.
They are for training, unless the rule puts them in one scene with a test pair: then they are left
out, and so is everything else of that scene.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.sparse.csgraph import connected_components

from lib.data import splits
from lib.data.fingerprint import DataSet, of_files, of_values
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

    def is_there(self, root: Path) -> bool:
        """Whether the data root has it. Raises ValueError where it is broken."""
        return (root / self.key).is_dir() and len(list_pairs(root, self)) >= self.least

    def describe(self, key: str, root: Path) -> DataSet:
        """What it is as data set `key`; the rows of its stored split count."""
        folder, pairs = root / self.key, list_pairs(root, self)
        files = of_files([file for pair in pairs.values() for file in pair], folder)
        stored = {name: row for name, row in read_split(self).items() if name in pairs}
        return DataSet(key, self.name, of_values(files, stored), folder)

    def rows(self, root: Path) -> Rows:
        """Scene and side of each pair."""
        return divide(list_pairs(root, self), self)

    def read(self, root: Path, names: Sequence[str], size: int) -> Iterable[np.ndarray]:
        """The visible (N, size, size, 3) and the infrared (N, size, size) images, uint8."""
        pairs = list_pairs(root, self)
        images = [read_pair(pairs[name], size) for name in names]
        return (np.stack(half) for half in zip(*images, strict=True))


@dataclass(frozen=True)
class Synthetic:
    """Scenes of `lib.data.synthetic.streets`, which need no files; methods as those of `Layout`."""

    kind: str
    name: str  # as printed
    indices: dict[str, Sequence[int]]  # of each side

    def is_there(self, root: Path) -> bool:
        return True

    def describe(self, key: str, root: Path) -> DataSet:
        content = of_values(identity(streets.scene), self.rows(root))
        return DataSet(key, self.name, content, None)

    def rows(self, root: Path) -> Rows:
        return {
            f"{self.kind}_{index:05d}": (streets.scene_name(self.kind, index), side)
            for side, indices in self.indices.items()
            for index in indices
        }

    def read(self, root: Path, names: Sequence[str], size: int) -> Iterable[np.ndarray]:
        def make() -> dict[str, np.ndarray]:  # 520 in 10 s
            numbers = [int(name.removeprefix(f"{self.kind}_")) for name in names]
            scenes = [streets.scene(self.kind, number, size=(size, size)) for number in numbers]
            return dict(zip(("visible", "infrared"), map(np.stack, zip(*scenes)), strict=True))

        return pack(self.kind, [identity(Synthetic), names, size], make).values()


# Set by looking: RoadScene images numbered up to 30 apart may still show one street; its video runs
# at 30 Hz, so 450 frames are 15 s. MSRS keeps every fourth or fifth frame. LLVIP's numbers are no
# time.
ROADSCENE = Layout("roadscene", "RoadScene (FLIR)", "crop_LR_visible", "cropinfrared",
                   apart={"FLIR_": 30, "FLIR_video_": 450})  # fmt: skip
MSRS = Layout("msrs", "MSRS", "vi", "ir", apart={"D": 4, "N": 4})
LLVIP = Layout("llvip", "LLVIP (OSU stand-in)", "visible", "infrared")
OSU = Layout("osu", "OSU", "color", "thermal", least=40)
DIVIDED = (ROADSCENE, MSRS, LLVIP)  # those with a stored split

STREETS = Synthetic("street", "synthetic street scenes", {
    "train": range(N_TRAIN),
    "test": range(N_TRAIN, N_TRAIN + N_TEST),
})  # fmt: skip
# The test side has five frames each of four places that the training side never shows.
PARKS = Synthetic("park", "synthetic park scenes", {
    "train": range(N_TRAIN),
    "test": [
        place * streets.FRAMES_PER_PARK + frame
        for place in range(20, 24)
        for frame in range(0, 25, 6)
    ],
})  # fmt: skip


@dataclass(frozen=True)
class PairSet:
    """A data set of the paper, and what stands for it: the first source that is there."""

    key: str
    sources: tuple[Layout | Synthetic, ...]

    def choose(self, root: Path) -> Layout | Synthetic:
        """Raises ValueError for a broken folder, and where nothing is there."""
        for source in self.sources:
            if source.is_there(root):
                return source
        raise ValueError(f"{root / self.key} does not exist; see data/README.md")

    def describe(self, root: Path) -> DataSet:
        """Name and fingerprint of what `load` takes. Raises ValueError as it does."""
        return self.choose(root).describe(self.key, root)

    def load(self, root: Path, size: int, limits: Limits) -> TranslationData:
        """See `lib.data.catalogue.load`; 128 or 256 pixels in the paper's networks.

        A limit takes the first pairs of a fixed shuffled order, so that fewer are a subset of more.
        Raises ValueError for a broken data set or file, which it names.
        """
        source, dataset = self.choose(root), self.describe(root)
        rows = source.rows(root)
        shuffled = sorted(rows, key=lambda name: zlib.crc32(name.encode()))
        sides = {side: [name for name in shuffled if rows[name][1] == side][: limits.get(side)]
                 for side in ("train", "test")}  # fmt: skip
        names = tuple(sorted(sides["train"] + sides["test"]))
        visible, infrared = source.read(root, names, size)
        split = {side: np.flatnonzero(np.isin(names, those)) for side, those in sides.items()}
        scenes = tuple(rows[name][0] for name in names)
        return TranslationData(dataset.name, visible, infrared, names, scenes,
                               dataset.fingerprint, split)  # fmt: skip


FLIR_SET = PairSet("flir", (ROADSCENE, STREETS))
OSU_SET = PairSet("osu", (OSU, LLVIP, PARKS))
MSRS_SET = PairSet("msrs", (MSRS,))


# one function a data set: see `lib.data.catalogue.Source`


def load_flir(root: Path, size: int, limits: Limits) -> TranslationData:
    return FLIR_SET.load(root, size, limits)


def load_osu(root: Path, size: int, limits: Limits) -> TranslationData:
    return OSU_SET.load(root, size, limits)


def load_msrs(root: Path, size: int, limits: Limits) -> TranslationData:
    return MSRS_SET.load(root, size, limits)


def list_pairs(root: Path, layout: Layout) -> Files:
    """The pairs of a data set, sorted by name. Files that are no images are left aside.

    Raises ValueError naming the folder or file of which the other half is missing.
    """
    halves = []
    for folder in (layout.visible, layout.infrared):
        folder = Path(root) / layout.key / folder
        if not folder.is_dir():
            raise ValueError(f"{folder} is missing: {layout.key} needs both halves of its pairs")
        files = {}
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in EXTENSIONS and not file.name.startswith("."):
                if file.stem in files:
                    raise ValueError(f"{file} and {files[file.stem].name} have the same name")
                files[file.stem] = file
        if not files:
            raise ValueError(f"{folder} holds no images ({', '.join(EXTENSIONS)})")
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
    images = [_open(file, mode) for file, mode in zip(files, ("RGB", "L"), strict=True)]
    if images[0].size != images[1].size:
        sizes = " and ".join("{} x {}".format(*image.size) for image in images)
        raise ValueError(f"{files[0]} and {files[1].name} are not of one size: {sizes}")
    return tuple(np.asarray(i.resize((size, size), Image.Resampling.BILINEAR)) for i in images)


def divide(pairs: Files, layout: Layout) -> Rows:
    """Scene and side of the pairs, at most 500 for training, by the stored split.

    Where there is none, or none of its files is there, by `divide_anew`. What becomes of pairs that
    it does not know, the head of this file says. Raises ValueError naming a test pair that is gone.
    """
    stored = read_split(layout)
    if not stored.keys() & pairs.keys():
        return divide_anew(pairs, layout.apart)
    for name, (_, side) in stored.items():
        if side == "test" and name not in pairs:
            raise ValueError(f"test pair {name} of translation_{layout.key}.csv is missing")
    rows = {name: row for name, row in stored.items() if name in pairs and row[1] != "unused"}
    if unknown := _thin([name for name in pairs if name not in stored]):
        test = [name for name, (_, side) in rows.items() if side == "test"]
        known = [*(name for name in rows if name not in test), *test, *unknown]
        scenes = group_scenes({name: pairs[name] for name in known}, layout.apart)
        seen = {scenes[name] for name in test}
        train = splits.evenly([name for name in known if scenes[name] not in seen], N_TRAIN)
        rows = {n: (scenes[n], "train") for n in train} | {n: (scenes[n], "test") for n in test}
    return rows


def divide_anew(pairs: Files, apart: dict[str, int]) -> Rows:
    """Scene and side of each pair by the rule, `lib.data.splits.by_scene`; the scene of pairs that
    were not considered is "". Raises ValueError where all is one scene."""
    considered = {name: pairs[name] for name in _thin(sorted(pairs))}
    scene_of = group_scenes(considered, apart)
    grey: dict[str, list[float]] = {}
    for name, scene in scene_of.items():
        grey.setdefault(scene, []).append(np.asarray(_open(pairs[name][0], "L")).mean())
    side = splits.by_scene(scene_of, {scene: np.mean(levels) for scene, levels in grey.items()})
    return {name: (scene_of.get(name, ""), side.get(name, "unused")) for name in sorted(pairs)}


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
    thumbnails = np.stack([[_thumbnail(file) for file in files] for files in pairs.values()])
    return sum(half @ half.T for half in thumbnails.swapaxes(0, 1)) / 2


def read_split(layout: Layout) -> Rows:
    """The stored split; empty where none is stored."""
    stored = splits.read(f"translation_{layout.key}")
    return {name: (row["scene"], row["split"]) for name, row in stored.items()}


def make_split(layout: Layout, root: Path) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Columns and rows of data/splits/translation_*.csv for the pairs under `root`."""
    rows = divide_anew(list_pairs(root, layout), layout.apart)
    return ("file", "scene", "split"), [(name, *row) for name, row in rows.items()]


def _open(file: Path, mode: str) -> Image.Image:
    try:
        with Image.open(file) as image:
            if image.mode[0] in "IF":
                raise ValueError(f"{file} has more than 8 bits; convert it to 8 first")
            return image.convert(mode)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{file} cannot be read as an image: {error}") from error


def _thumbnail(file: Path) -> np.ndarray:
    """(1024,) float32 of zero mean and unit length, see `similarity`."""
    small = _open(file, "L").resize((32, 32), Image.Resampling.BOX)
    logarithm = np.log1p(np.asarray(small, np.float32))
    detail = (logarithm - cv2.GaussianBlur(logarithm, (0, 0), 3)).ravel()
    detail -= detail.mean()
    return detail / max(float(np.linalg.norm(detail)), 1e-6)


def _thin(names: list[str]) -> list[str]:
    return names[:: -(-len(names) // MAX_CANDIDATES) or 1]
