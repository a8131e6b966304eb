"""Aligned visible and infrared pairs (GN_CycleGAN, Section 4.1: FLIR and OSU, 500 + 20 pairs each).

The paper's two data sets are asked for as `flir` and `osu`; what stands for them depends on the
data root (data/README.md), and the name that is printed says which it is:

    flir    roadscene/{crop_LR_visible,cropinfrared}, else synthetic street scenes
    osu     osu/{color,thermal} with 40 pairs or more, else llvip/{visible,infrared},
            else synthetic park scenes
    msrs    msrs/{vi,ir}; it has no stand-in

The two images of a pair have the same name but for the extension. Video frames resemble each other,
so whole scenes are divided, not frames: `make_split` says how. The outcome is fixed in
data/splits/translation_*.csv (columns file, scene, split), made once by

    python -m lib.data.pairs --make-splits --data DIR

Pairs that the stored split does not know (a fuller copy of the data set) never join the test side.
They are for training, unless the rule puts them in one scene with a test pair: then they are left
out, and so is everything else of that scene.
"""

import argparse
import csv
import hashlib
import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.sparse.csgraph import connected_components

from lib.data.synthetic import streets as street_scenes
from lib.data.fingerprint import DataSet, fingerprint
from lib.files import write_atomically, write_text
from lib.paths import REPO, cache_dir, data_root
from lib.provenance import code_hash, module_closure

SPLITS = REPO / "data" / "splits"
N_TRAIN, N_TEST = 500, 20  # GN_CycleGAN, Section 4.1
KEYS = ("flir", "osu", "msrs")
MIN_OSU_PAIRS = 40
MAX_CANDIDATES = 2000  # of longer sequences every k-th frame is considered
SAME_SCENE = 0.3  # see `similarity`
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp")

Pairs = dict[str, tuple[Path, Path]]  # name without extension -> visible, infrared file


@dataclass(frozen=True)
class Layout:
    """Where a data set lies under the data root, and how its frames are numbered.

    `apart`: of a series, given by what stands before and after the number in a name, frames
    numbered no further from each other than this are of one scene.
    """

    key: str  # folder, and name of the split file
    name: str  # as printed
    visible: str
    infrared: str
    apart: dict[str, int] = field(default_factory=dict)


# Set by looking: RoadScene images numbered up to 30 apart may still show one street; its video runs
# at 30 Hz, so 450 frames are 15 s. MSRS keeps every fourth or fifth frame. LLVIP's numbers are no
# time.
ROADSCENE = Layout(
    "roadscene",
    "RoadScene (FLIR)",
    "crop_LR_visible",
    "cropinfrared",
    {"FLIR_": 30, "FLIR_video_": 450},
)
MSRS = Layout("msrs", "MSRS", "vi", "ir", {"D": 4, "N": 4})
LLVIP = Layout("llvip", "LLVIP (OSU stand-in)", "visible", "infrared")
OSU = Layout("osu", "OSU", "color", "thermal")

# kind of `street_scenes.scene`, name as printed, and the indices of each side. Of parks, the test
# side has five frames each of four places that the training side never shows.
SYNTHETIC = {
    "flir": ("street", "synthetic street scenes", {
        "train": range(N_TRAIN),
        "test": range(N_TRAIN, N_TRAIN + N_TEST),
    }),
    "osu": ("park", "synthetic park scenes", {
        "train": range(N_TRAIN),
        "test": [
            place * street_scenes.FRAMES_PER_PARK + frame
            for place in range(20, 24)
            for frame in range(0, 25, 6)
        ],
    }),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TranslationData:
    """N aligned pairs, sorted by name."""

    name: str  # as printed
    visible: np.ndarray  # (N, H, W, 3) uint8 RGB
    infrared: np.ndarray  # (N, H, W) uint8
    names: tuple[str, ...]
    fingerprint: str  # of the data set as a whole, whatever the limit
    split: dict[str, np.ndarray]  # "train" and "test": indices into the arrays


def choose(key: str, root: Path) -> Layout | None:
    """What stands for `flir`, `osu` or `msrs` under the data root; None is the synthetic default.

    Raises ValueError for another key, for a broken OSU folder, and for `msrs` where it is absent.
    """
    root = Path(root)
    if key == "flir":
        return ROADSCENE if (root / ROADSCENE.key).is_dir() else None
    if key == "osu":
        if (root / OSU.key).is_dir() and len(list_pairs(root, OSU)) >= MIN_OSU_PAIRS:
            return OSU
        return LLVIP if (root / LLVIP.key).is_dir() else None
    if key == "msrs":
        if (root / MSRS.key).is_dir():
            return MSRS
        raise ValueError(f"{root / MSRS.key} does not exist; put MSRS there (data/README.md)")
    raise ValueError(f"unknown pair set {key!r}; use flir, osu or msrs")


def describe(key: str, root: Path) -> DataSet:
    """Name and fingerprint of what `load_pairs` takes. Raises ValueError as it does."""
    layout = choose(key, root)
    if layout is None:
        _, name, indices = SYNTHETIC[key]
        code = code_hash(module_closure("lib.data.synthetic.streets"))
        identity = json.dumps([code, {side: list(i) for side, i in indices.items()}])
        return DataSet(key, name, hashlib.sha256(identity.encode()).hexdigest(), None)
    folder = Path(root) / layout.key
    files = [file for pair in list_pairs(root, layout).values() for file in pair]
    return DataSet(key, layout.name, fingerprint(files, folder), folder)


def list_pairs(root: Path, layout: Layout) -> Pairs:
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


def load_pairs(
    key: str, root: Path | None = None, size: int = 256, limit: int | None = None
) -> TranslationData:
    """Reads, or makes and keeps, the pairs that stand for a data set of the paper.

    Args:
        key: "flir", "osu" or "msrs".
        root: data root, see `lib.paths.data_root`.
        size: height and width in pixels, 128 or 256 in the paper's networks.
        limit: at most so many pairs of each side, the first of a fixed shuffled order, so that
            fewer are a subset of more; None for all there are.

    Raises ValueError for a broken data set or file (named), another key, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; it must be at least 1, or None for all pairs")
    root = data_root(root)
    dataset, layout = describe(key, root), choose(key, root)
    if layout is None:
        kind, _, indices = SYNTHETIC[key]
        index = {f"{kind}_{i:05d}": i for side in indices.values() for i in side}
        sides = {s: [f"{kind}_{i:05d}" for i in numbers] for s, numbers in indices.items()}
    else:
        pairs = list_pairs(root, layout)
        sides = divide(pairs, layout)
    order = {
        side: sorted(names, key=lambda name: zlib.crc32(name.encode()))[:limit]
        for side, names in sides.items()
    }
    names = tuple(sorted(name for chosen in order.values() for name in chosen))
    if layout is None:
        visible, infrared = _synthetic(kind, {name: index[name] for name in names}, size, dataset)
    else:
        images = [read_pair(pairs[name], size) for name in names]
        visible, infrared = (np.stack(half) for half in zip(*images, strict=True))
    place = {name: i for i, name in enumerate(names)}
    split = {
        side: np.array(sorted(place[name] for name in chosen), dtype=int)
        for side, chosen in order.items()
    }
    return TranslationData(dataset.name, visible, infrared, names, dataset.fingerprint, split)


def divide(pairs: Pairs, layout: Layout) -> dict[str, list[str]]:
    """The names on each side, "train" (500 at most) and "test", by the stored split.

    Where there is none, or none of its files is there, by `make_split`. What becomes of pairs that
    it does not know, the head of this file says. Raises ValueError naming a test pair that is gone.
    """
    stored = read_split(layout)
    if not stored.keys() & pairs.keys():
        rows = make_split(pairs, layout.apart)
        return {side: [n for n, (_, s) in rows.items() if s == side] for side in ("train", "test")}
    test = [name for name, (_, side) in stored.items() if side == "test"]
    for name in test:
        if name not in pairs:
            path = _split_file(layout)
            raise ValueError(f"{layout.key}: test pair {name} of {path.name} is missing")
    train = [n for n, (_, side) in stored.items() if side == "train" and n in pairs]
    if unknown := [name for name in pairs if name not in stored]:
        known = {name: pairs[name] for name in [*train, *test, *_thin(unknown)]}
        scenes = group_scenes(known, layout.apart)
        seen = {scenes[name] for name in test}
        train = _at_most(N_TRAIN, [name for name in known if scenes[name] not in seen])
    return {"train": train, "test": test}


def make_split(pairs: Pairs, apart: dict[str, int]) -> dict[str, tuple[str, str]]:
    """The rule: name -> (scene, side), side being "train", "test" or "unused".

    Scenes (see `group_scenes`) of at most 5 pairs come first, so that the test side shows several;
    they are ranked by the mean grey of their visible images and taken in golden-ratio steps through
    the ranks, so that day and night are both there; larger scenes follow in the same way. The first
    combination of whole scenes that makes 20 pairs (half of them all, if that is less) is the test
    side, or the one nearest below, or the smallest scene where none is below. The other scenes are
    the training side, thinned evenly to 500 pairs. Raises ValueError where all is one scene.
    """
    candidates = {name: pairs[name] for name in _thin(sorted(pairs))}
    scene_of = group_scenes(candidates, apart)
    members: dict[str, list[str]] = {}
    for name, scene in scene_of.items():
        members.setdefault(scene, []).append(name)
    size = {scene: len(names) for scene, names in members.items()}
    if len(size) < 2:
        raise ValueError(
            f"{len(candidates)} pairs of {next(iter(pairs.values()))[0].parent} are one scene; "
            "training and test need at least two"
        )
    wanted = min(N_TEST, len(candidates) // 2)
    grey = {
        scene: np.mean([np.asarray(_open(pairs[name][0], "L")).mean() for name in names])
        for scene, names in members.items()
    }
    ranks = {scene: rank for rank, scene in enumerate(sorted(size, key=grey.get))}
    golden = (5**0.5 - 1) / 2
    order = sorted(size, key=lambda s: (size[s] > wanted // 4, ranks[s] * golden % 1))
    reached: dict[int, tuple[str, ...]] = {0: ()}
    for scene in order:
        for total in list(reached):
            if total + size[scene] <= wanted:
                reached.setdefault(total + size[scene], (*reached[total], scene))
    chosen = reached[max(reached)] or (min(order, key=size.get),)
    train = set(_at_most(N_TRAIN, [n for n, scene in scene_of.items() if scene not in chosen]))

    def side(name: str) -> str:
        if scene_of.get(name) in chosen:
            return "test"
        return "train" if name in train else "unused"

    return {name: (scene_of.get(name, ""), side(name)) for name in sorted(pairs)}


def group_scenes(pairs: Pairs, apart: dict[str, int]) -> dict[str, str]:
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


def similarity(pairs: Pairs) -> np.ndarray:
    """How alike every two pairs are: (N, N) float32, -1 to 1, 1 for the same pair.

    Correlation of 32 x 32 thumbnails, logarithmic and high-pass filtered (less a Gaussian blur of
    3), so that neither exposure nor what all streets share (dark sky above, bright road below)
    counts; mean of the visible and the infrared one. 0.3 tells the seven views of the LLVIP subset
    apart exactly, and 99.9 % of unrelated RoadScene pairs lie below it.
    """
    thumbnails = np.stack([[_thumbnail(file) for file in files] for files in pairs.values()])
    return sum(half @ half.T for half in thumbnails.swapaxes(0, 1)) / 2


def read_split(layout: Layout) -> dict[str, tuple[str, str]]:
    """The stored split, name -> (scene, side); empty where none is stored."""
    path = _split_file(layout)
    if not path.exists():
        return {}
    with open(path, newline="") as stream:
        return {row["file"]: (row["scene"], row["split"]) for row in csv.DictReader(stream)}


def write_split(layout: Layout, rows: dict[str, tuple[str, str]]) -> Path:
    """Stores a split as columns file (without extension), scene, split."""
    lines = [
        "file,scene,split",
        *(f"{name},{scene},{side}" for name, (scene, side) in rows.items()),
    ]
    return write_text(_split_file(layout), "\n".join(lines) + "\n")


def _split_file(layout: Layout) -> Path:
    return SPLITS / f"translation_{layout.key}.csv"


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


def _at_most(count: int, names: list[str]) -> list[str]:
    """`count` of the names, evenly spread, or all."""
    if len(names) <= count:
        return names
    return [names[i] for i in np.linspace(0, len(names) - 1, count).astype(int)]


def _thin(names: list[str]) -> list[str]:
    return names[:: -(-len(names) // MAX_CANDIDATES)]


def _synthetic(kind: str, index: dict[str, int], size: int, dataset: DataSet):
    """The scenes of these indices, (N, H, W, 3) and (N, H, W); kept, as making them takes 10 s."""
    code = json.dumps([dataset.fingerprint, list(index.values()), size])
    digest = hashlib.sha256(code.encode()).hexdigest()
    path = cache_dir("packs") / f"{kind}_{digest[:32]}.npz"
    if not path.exists():
        scenes = [street_scenes.scene(kind, i, size=(size, size)) for i in index.values()]
        visible, infrared = (np.stack(half) for half in zip(*scenes, strict=True))

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as stream:  # given a name, savez would append .npz to it
                np.savez(stream, visible=visible, infrared=infrared)

        write_atomically(path, write)
    with np.load(path) as pack:
        return pack["visible"], pack["infrared"]


def make_splits(root: Path, layouts: Iterable[Layout] = (ROADSCENE, MSRS, LLVIP)) -> list[Path]:
    """Writes the split files of the data sets that are under the data root."""
    return [
        write_split(layout, make_split(list_pairs(root, layout), layout.apart))
        for layout in layouts
        if (Path(root) / layout.key).is_dir()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Divide the scenes of the pair sets.")
    parser.add_argument("--make-splits", action="store_true", required=True)
    parser.add_argument("--data", help="data root (default: $IR_DATA, else data/)")
    for written in make_splits(data_root(parser.parse_args().data)):
        print(written.relative_to(REPO))
