"""Image sets with one odd file, and odd layouts: through the door that training uses, and `check`."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tifffile
from hypothesis import strategies as st
from PIL import Image

from lib.data import catalogue, check
from lib.data.sober_drunk import read_split

from .judging import Case, Probe, command
from .pictures import SIZE, Picture, damaged, smooth, whole

AREA = "image sets: imagenet, pairs, Sober-Drunk"
WEIGHT = 3
LOADS = ("enhancement", "flir", "osu", "msrs", "sober_drunk")
NAMES = ("$x$", "{x}", "é", "名前", "a b", "a\nb", "-x", "%s", "'", "*", "x" * 200, "a.b.c")


# ---- sets as they have to be


def noise(seed: int, channels: int = 0) -> np.ndarray:
    shape = (SIZE, SIZE, channels) if channels else (SIZE, SIZE)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def imagenet(root: Path) -> None:
    """Four images to train on, six others."""
    for part, count in (("train", 4), ("val", 6)):
        (root / "imagenet" / part).mkdir(parents=True)
        for k in range(count):
            Image.fromarray(noise(10 * count + k)).save(root / "imagenet" / part / f"{k}.png")


def pairs(root: Path, folder: str, visible: str, infrared: str, count: int = 6) -> None:
    for half in (visible, infrared):
        (root / folder / half).mkdir(parents=True)
    for k in range(count):
        Image.fromarray(noise(k, 3)).save(root / folder / visible / f"p{k}.png")
        Image.fromarray(noise(k + 50)).save(root / folder / infrared / f"p{k}.png")


def faces(root: Path) -> None:
    """Three persons of each split, sober and drunk."""
    by_split: dict[str, list[int]] = {}
    for person, split in read_split().items():
        by_split.setdefault(split, []).append(person)
    for state, number in (("sober", 1), ("drunk", 2)):
        (root / "sober_drunk" / state).mkdir(parents=True)
        for person in (one for those in by_split.values() for one in those if one != 9):
            pages = [np.rint(smooth((48, 40), 99 * k + person + 50 * number, 0, 247))
                     for k in range(2)]
            path = root / "sober_drunk" / state / f"{person:02}_{number}_f_M.tif"
            tifffile.imwrite(path, np.stack(pages).astype(np.uint16), photometric="minisblack")


SETS: dict[str, Callable[[Path], None]] = {
    "enhancement": imagenet,
    "flir": lambda root: pairs(root, "roadscene", "crop_LR_visible", "cropinfrared"),
    "msrs": lambda root: pairs(root, "msrs", "vi", "ir"),
    "osu": lambda root: pairs(root, "osu", "color", "thermal", 44),
    "sober_drunk": faces,
}
FILES = {  # one file of each, to be replaced
    "enhancement": ("imagenet/train/1.png", "imagenet/val/2.png"),
    "flir": ("roadscene/crop_LR_visible/p1.png", "roadscene/cropinfrared/p2.png"),
    "msrs": ("msrs/vi/p1.png", "msrs/ir/p2.png"),
    "osu": ("osu/color/p1.png", "osu/thermal/p2.png"),
    "sober_drunk": ("sober_drunk/sober/01_1_f_M.tif", "sober_drunk/drunk/02_2_f_M.tif"),
}


def load(key: str, root: Path):
    return catalogue.load(key, root, SIZE)


def named_as_own(data) -> str:
    """A set that nobody has published has to be called so."""
    return "" if "of your own" in data.name else f"it is printed as {data.name}"


# ---- one odd file


def odd_file(key: str, file: str, name: str, put: Callable[[Path], None], right=None,
             good: bool = False, checked: bool = False) -> Probe:
    """A set in which `put` makes something of the place of a file; read by `load`, or by `check`,
    which has to name it, too."""

    def make(place: Path) -> Case:
        SETS[key](place)
        path = place / file
        path.unlink()
        put(path)
        if checked:
            return Case(lambda: command(check.main, "--data", place), [path.name, path.parent.name],
                        right and (lambda told: ""), good)
        return Case(lambda: load(key, place), [path.name, path.parent.name],
                    right and (lambda data: right(data)), good)

    how = "check" if checked else "load"
    return Probe(AREA, f"{how} {key}, {file} is {name}", make)


def with_picture(key: str, picture: Picture, second: bool, checked: bool) -> Probe:
    """What pixels come of it, `pictures` has; here: under which name, and is it told of."""
    file = FILES[key][second]
    readable = picture.pages is not None and picture.pages[0].dtype == np.uint8
    named = named_as_own if readable or picture.damage else None
    if key != "enhancement" and readable and picture.pages[0].shape[:2] != (SIZE, SIZE):
        named = None if not picture.damage else named  # the halves of a pair differ in size
    return odd_file(key, file, str(picture), lambda path: path.write_bytes(picture.content), named,
                    checked=checked)


plain = whole().filter(lambda one: one.plain and one.suffix in (".png", ".jpg", ".bmp"))
drawn = st.builds(with_picture, st.sampled_from(["enhancement", "flir", "msrs"]),
                  plain | damaged().filter(lambda one: one.suffix != ".bmp"), st.booleans(),
                  st.booleans())


# ---- listed layouts


def layout(key: str, name: str, change: Callable[[Path], object], *named: str, right=None,
           good: bool = False, checked: bool | None = None) -> list[Probe]:
    """A whole set that `change` alters, read by `load`, and by `check`; None: by both."""

    def probe(by_check: bool) -> Probe:
        def make(place: Path) -> Case:
            SETS[key](place)
            change(place)
            if by_check:
                return Case(lambda: command(check.main, "--data", place), named,
                            right and (lambda told: ""), good)
            return Case(lambda: load(key, place), named, right, good)

        return Probe(AREA, f"{'check' if by_check else 'load'} {key}, {name}", make)

    return [probe(by_check) for by_check in ((False, True) if checked is None else (checked,))]


def copied(source: str, target: str) -> Callable[[Path], object]:
    return lambda place: shutil.copy(place / source, place / target)


def rewritten(file: str, pages: Sequence[np.ndarray], **options) -> Callable[[Path], None]:
    def change(place: Path) -> None:
        with tifffile.TiffWriter(place / file) as tiff:
            for page in pages:
                tiff.write(page, photometric="minisblack", metadata=None, **options)

    return change


def truncated(file: str, share: float) -> Callable[[Path], object]:
    def change(place: Path) -> None:
        content = (place / file).read_bytes()
        (place / file).write_bytes(content[: int(share * len(content))])

    return change


def one_for_another(place: Path) -> None:
    """Of a person to test on the file of one to train on."""
    files, split_of = sorted((place / "sober_drunk/sober").iterdir()), read_split()
    of = {split_of[int(file.name[:2])]: file for file in files}
    shutil.copy(of["train"], of["test"])


def same_time_other_content(place: Path) -> None:
    """Described once, then written anew with the same size and time of change."""
    file = place / "imagenet/train/1.png"
    before = file.stat()
    catalogue.describe("enhancement", place)
    content = bytearray(file.read_bytes())
    content[60] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def printed_anew(place: Path) -> Case:
    imagenet(place)
    before = catalogue.describe("enhancement", place).fingerprint
    same_time_other_content(place)
    return Case(lambda: catalogue.describe("enhancement", place).fingerprint, (),
                lambda now: "the fingerprint is the same" if now == before else "")


ODD = {
    "a FIFO": (os.mkfifo, False),
    "a folder": (Path.mkdir, False),
    "a dangling link": (lambda path: path.symlink_to("nowhere.png"), False),
    "a link to itself": (lambda path: path.symlink_to(path), False),
    "the device null": (lambda path: path.symlink_to("/dev/null"), False),
    "no bytes": (Path.touch, False),
    "a text": (lambda path: path.write_text("hello"), False),
}
TIFF = "sober_drunk/sober/01_1_f_M.tif"
LEVELS = np.rint(smooth((48, 40), 5, 0, 247))
listed = [
    *(odd_file(key, file, name, put, checked=checked)
      for key in ("enhancement", "flir", "sober_drunk") for file in FILES[key][:1]
      for name, (put, _) in ODD.items() for checked in (False, True)),
    *(probe for key in LOADS for probe in layout(key, "as it has to be", lambda place: None,
                                                 right=named_as_own, good=True)),
    *(probe for name in NAMES for probe in layout(
        "enhancement", f"an image called {name!r}",
        lambda place, name=name: (place / "imagenet/train/1.png").rename(
            place / "imagenet/train" / f"{name}.png"), right=named_as_own, good=True)),
    *(probe for name in NAMES for probe in layout(
        "flir", f"a pair called {name!r}",
        lambda place, name=name: [
            (place / "roadscene" / half / "p1.png").rename(place / "roadscene" / half / f"{name}.png")
            for half in ("crop_LR_visible", "cropinfrared")], right=named_as_own, good=True)),
    *layout("enhancement", "a copy of an image of train in val",
            copied("imagenet/train/1.png", "imagenet/val/9.png"), "9.png", "1.png"),
    *layout("enhancement", "all of val in train", lambda place: [
        shutil.copy(place / f"imagenet/val/{k}.png", place / f"imagenet/train/v{k}.png")
        for k in range(6)], ".png"),
    *layout("enhancement", "no val", lambda place: shutil.rmtree(place / "imagenet/val"), "val"),
    *layout("enhancement", "an empty val", lambda place: [
        file.unlink() for file in (place / "imagenet/val").iterdir()], "val"),
    *layout("enhancement", "one image in val", lambda place: [
        (place / f"imagenet/val/{k}.png").unlink() for k in range(5)], "val"),
    *layout("enhancement", "images in subfolders, hidden ones and others beside them",
            lambda place: [(place / "imagenet/val/sub").mkdir(),
                           (place / "imagenet/val/0.png").rename(place / "imagenet/val/sub/0.png"),
                           (place / "imagenet/val/read.me").touch()],
            right=named_as_own, good=True),
    *layout("enhancement", "a hidden file of macOS", lambda place: (
        place / "imagenet/train/._1.png").write_bytes(b"\0\5\x16\7"), right=named_as_own, good=True),
    *layout("flir", "one half alone", lambda place: shutil.rmtree(place / "roadscene/cropinfrared"),
            "cropinfrared"),
    *layout("flir", "half of the infrared images", lambda place: [
        (place / f"roadscene/cropinfrared/p{k}.png").unlink() for k in range(3)], "p0.png"),
    *layout("flir", "nothing in its folder", lambda place: [
        shutil.rmtree(place / "roadscene"), (place / "roadscene").mkdir()], "roadscene"),
    *layout("flir", "a name twice", copied("roadscene/cropinfrared/p1.png",
                                           "roadscene/cropinfrared/p1.jpg"), "p1"),
    *layout("flir", "all pairs the same", lambda place: [
        shutil.copy(place / "roadscene" / half / "p0.png", place / "roadscene" / half / f"p{k}.png")
        for half in ("crop_LR_visible", "cropinfrared") for k in range(1, 6)], "one scene"),
    *layout("flir", "halves of two sizes", lambda place: Image.fromarray(noise(3)[:20]).save(
        place / "roadscene/cropinfrared/p1.png"), "p1.png"),
    *layout("osu", "two pairs alone", lambda place: [
        (place / "osu" / half / f"p{k}.png").unlink() for half in ("color", "thermal")
        for k in range(2, 44)], "osu"),
    *layout("osu", "one half alone", lambda place: shutil.rmtree(place / "osu/thermal"), "thermal"),
    *layout("sober_drunk", "a name that does not fit", lambda place: (place / TIFF).rename(
        place / "sober_drunk/sober/face.tif"), "face.tif"),
    *layout("sober_drunk", "a person nobody knows", copied(TIFF, "sober_drunk/sober/77_1_f_M.tif"),
            "77"),
    *layout("sober_drunk", "a person twice", copied(TIFF, "sober_drunk/sober/01_1_f_F.tif"), "01_1"),
    *layout("sober_drunk", "no drunk face", lambda place: shutil.rmtree(place / "sober_drunk/drunk"),
            "drunk"),
    *layout("sober_drunk", "the same sequence sober and drunk", copied(
        TIFF, "sober_drunk/drunk/01_2_f_M.tif"), right=named_as_own),
    *layout("sober_drunk", "the same sequence of two persons", one_for_another, "_1_f_M.tif",
            "_sober_"),
    *(probe for share in (0.1, 0.5, 0.9, 0.999) for probe in layout(
        "sober_drunk", f"a file cut to {share}", truncated(TIFF, share), "01_1_f_M.tif")),
    *(probe for name, pages in {
        "NaN": [np.where(np.eye(48, 40), np.nan, LEVELS).astype(np.float32)],
        "int16 below zero": [(LEVELS - 100).astype(np.int16)],
        "float 0..1": [(LEVELS / 255).astype(np.float32)],
        "pages of two shapes": [LEVELS.astype(np.uint16), LEVELS[:-9].astype(np.uint16)],
        "half of the rows black": [np.where(np.indices((48, 40))[0] < 24, LEVELS, 0).astype(np.uint16)],
        "of another width": [LEVELS[:, :-4].astype(np.uint16)],
        "black": [0 * LEVELS.astype(np.uint16)],
      }.items() for probe in layout("sober_drunk", f"a sequence with {name}", rewritten(TIFF, pages),
                                    "01_1_f_M.tif", "width")),
    *(probe for text in ("", "[]", "{", "null", '{"imagenet": []}', '{"imagenet": {"files": 3}}',
                         '{"imagenet": {"files": {}, "date": 1}}', '{"imagenet": null}', "\xff",
                         '{"imagenet": {"files": {}, "date": ""}}')
      for probe in layout("enhancement", f"downloads.json is {text!r}", lambda place, text=text: (
          place / "downloads.json").write_text(text, encoding="latin-1"), "downloads.json",
          right=named_as_own)),
    Probe(AREA, "describe again, other content of the same size and time", printed_anew),
]
