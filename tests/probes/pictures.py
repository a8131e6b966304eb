"""Image files of every kind, whole and damaged, with what is in them.

What a loader gives is held against the pixels that a file was made of, by rules written out here
again; of a damaged file against what another decoder makes of it.
"""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import tifffile
from hypothesis import strategies as st
from PIL import Image

from lib.data import imagenet, pairs, sober_drunk
from lib.own_images import files

from .drawing import damages
from .judging import Case, Probe

AREA = "images of every kind"
WEIGHT = 25  # of what is drawn
SIZE = 32
SHAPES = ((SIZE, SIZE), (SIZE, SIZE + 18), (SIZE + 7, SIZE), (1, 1), (1, 40))
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Picture:
    """A file's content, and what is in it.

    pages: (H, W) or (H, W, 3) of any type, what the values mean; None: nothing is to be read.
    tolerance: by how much a value may be off (JPEG, conversions of colours).
    whole: it is as it was written, else `damage` is what was done to it.
    """

    name: str
    suffix: str
    content: bytes
    pages: Sequence[np.ndarray] | None
    tolerance: int = 0
    plain: bool = True  # a kind that has to be read, where its depth is that of the loader
    damage: str = ""

    def __str__(self) -> str:
        shape = "" if self.pages is None else f" {self.pages[0].shape} {self.pages[0].dtype}"
        return f"{self.name}{shape}{self.suffix} {self.damage}".strip()


# ---- files that are made


def smooth(shape: Sequence[int], seed: int, low: float, high: float) -> np.ndarray:
    """Waves from `low` to `high`, float64: what JPEG keeps, nearly."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape[:2])
    planes = [np.sin(rows * rng.uniform(0.05, 0.3) + rng.uniform(0, 6))
              * np.cos(columns * rng.uniform(0.05, 0.3) + rng.uniform(0, 6))
              for _ in range(shape[2] if len(shape) > 2 else 1)]
    return low + (np.stack(planes, -1).reshape(shape) + 1) / 2 * (high - low)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def by_pillow(mode: str, shape: tuple, seed: int, low: int, high: int) -> tuple:
    """An image of a mode of Pillow, and the bytes that it means (H, W) or (H, W, 3)."""
    grey = np.rint(smooth(shape, seed, low, high)).astype(np.uint8)
    colour = np.rint(smooth((*shape, 3), seed, low, high)).astype(np.uint8)
    alpha = Image.fromarray(np.rint(smooth(shape, seed + 1, 0, 255)).astype(np.uint8))
    if mode in ("L", "LA"):
        image, means = Image.fromarray(grey), grey
    elif mode == "1":
        image = Image.fromarray(grey > (low + high) // 2)
        means = (grey > (low + high) // 2) * np.uint8(255)
    elif mode == "P":
        image = Image.fromarray(colour).quantize(16)
        means = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[np.asarray(image)]
    else:
        image, means = Image.fromarray(colour), colour
    if mode in ("LA", "RGBA"):
        image.putalpha(alpha)
    elif mode in ("CMYK", "YCbCr"):
        image = image.convert(mode)
        means = np.asarray(image.convert("RGB"))
    return image, means


@st.composite
def whole(draw) -> Picture:
    """PNG, JPEG and BMP of 8 bits or less, of 16 bits, and what hides behind their names."""
    shape, seed = draw(st.sampled_from(SHAPES)), draw(st.integers(0, 999))
    low, high = draw(st.sampled_from([(0, 255), (0, 0), (255, 255), (7, 9), (0, 1), (60, 130)]))
    kind = draw(st.sampled_from(["png", "jpeg", "bmp", "16", "hidden", "pages", "none"]))
    make = {"png": _png, "jpeg": _jpeg, "bmp": _bmp, "16": _sixteen, "hidden": _hidden,
            "pages": _several, "none": _none}[kind]
    return make(draw, shape, seed, low, high)


def _png(draw, shape, seed, low, high) -> Picture:
    mode = draw(st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA"]))
    image, means = by_pillow(mode, shape, seed, low, high)
    options = {"transparency": 0} if mode == "P" and draw(st.booleans()) else {}
    return Picture(f"PNG {mode}{'t' * bool(options)}", ".png", saved(image, "PNG", **options),
                   [means])


def _jpeg(draw, shape, seed, low, high) -> Picture:
    mode = draw(st.sampled_from(["L", "RGB", "CMYK"]))
    image, means = by_pillow(mode, shape, seed, low, high)
    progressive, turned = draw(st.booleans()), draw(st.booleans())
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees, which no loader does
    content = saved(image, "JPEG", quality=95, progressive=progressive, subsampling=0,
                    **({"exif": exif} if turned else {}))
    name = f"JPEG {mode}{' progressive' * progressive}{' turned' * turned}"
    return Picture(name, draw(st.sampled_from([".jpg", ".jpeg", ".JPG"])), content, [means], 12)


def _bmp(draw, shape, seed, low, high) -> Picture:
    mode = draw(st.sampled_from(["1", "L", "P", "RGB"]))
    image, means = by_pillow(mode, shape, seed, low, high)
    return Picture(f"BMP {mode}", ".bmp", saved(image, "BMP"), [means])


def _sixteen(draw, shape, seed, low, high) -> Picture:
    channels = draw(st.sampled_from([1, 3, 4]))
    full = draw(st.sampled_from([(0, 65535), (7000, 9000), (0, 255), (3, 3)]))
    values = np.rint(smooth((*shape, channels), seed, *full)).astype(np.uint16)
    content = cv2.imencode(".png", values[..., ::-1] if channels == 3 else values)[1].tobytes()
    if channels == 4:  # BGRA
        values = values[..., 2::-1]
    means = values[..., 0] if channels == 1 else values
    return Picture(f"PNG 16 bits, {channels} channels, {full}", ".png", content, [means])


def _hidden(draw, shape, seed, low, high) -> Picture:
    """Other kinds under the name of a PNG or JPEG."""
    kind = draw(st.sampled_from(["GIF", "WEBP", "BMP", "PPM", "TIFF F", "TIFF I", "TIFF I;16",
                                 "TIFF LAB", "TIFF CMYK", "TIFF YCbCr", "TIFF 1", "TIFF RGBA"]))
    kind, _, mode = kind.partition(" ")
    suffix = draw(st.sampled_from([".png", ".jpg"]))
    if mode in ("F", "I", "I;16"):
        pixels = smooth(shape, seed, *draw(st.sampled_from([(0, 1), (0, 255), (-40, 90)])))
        if mode == "F":
            pixels = pixels.astype(np.float32)
        else:
            pixels = np.rint(np.abs(pixels)).astype(np.int32 if mode == "I" else np.uint16)
        return Picture(f"{kind} {mode}", suffix, saved(Image.fromarray(pixels), kind), [pixels],
                       plain=False)
    if mode == "LAB":
        content = saved(Image.new("LAB", shape[::-1], (128, 130, 140)), kind)
        return Picture("TIFF LAB", suffix, content, None)
    image, means = by_pillow(mode or "RGB", shape, seed, low, high)
    if kind == "GIF":
        image = image.quantize(16)
        means = np.asarray(image.convert("RGB"))
    options = {"lossless": True} if kind == "WEBP" else {}
    return Picture(f"{kind} {mode}", suffix, saved(image, kind, **options), [means], 1, plain=False)


def _several(draw, shape, seed, low, high) -> Picture:
    """More than one picture in a file: nobody says which is meant."""
    kind = draw(st.sampled_from(["PNG", "GIF", "TIFF"]))
    pictures = [by_pillow("L", shape, k, 10 * k, 200)[0] for k in range(1, 4)]
    content = saved(pictures[0], kind, save_all=True, append_images=pictures[1:])
    return Picture(f"{kind} of three pictures", ".png", content, None)


def _none(draw, shape, seed, low, high) -> Picture:
    """Nothing that can be read: headers of large images, texts, no bytes."""
    size = draw(st.sampled_from([(100_000, 100_000), (12_000, 12_000), (2**31 - 1, 1), (0, 9)]))
    header = struct.pack(">IIBBBBB", *size, 8, draw(st.sampled_from([0, 2])), 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    content = {"a header alone": bomb + chunk(b"IEND", b""), "no bytes": b"", "a text": b"P6 x\n",
               "HTML": b"<!DOCTYPE html><html>404</html>", "a pointer": b"version https://git-lfs\n",
               "zeros": bytes(4096)}
    name = draw(st.sampled_from([*content]))
    suffix = draw(st.sampled_from([".png", ".jpg"]))
    return Picture(f"{name} {size}" if "header" in name else name, suffix, content[name], None)


@st.composite
def damaged(draw) -> Picture:
    """One that was whole. Of its content that is right which another decoder finds there, too."""
    picture = draw(whole().filter(lambda one: one.pages is not None and one.plain))
    name, damage = draw(damages())
    content = damage(picture.content)
    if content == picture.content:
        return picture
    return replace(picture, content=content, damage=name)


def decoded(content: bytes) -> np.ndarray | None:
    """Another decoder's reading, 8 bits; None where it finds no whole image."""
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    if not content or cv2.imdecode(np.frombuffer(content, np.uint8), flags) is None:
        return None
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags)[..., ::-1]


# ---- TIFF


@st.composite
def stacks(draw) -> Picture:
    """TIFFs: every type, range, number and shape of pages; NaN, blank rows, inverted grey."""
    kind = np.dtype(draw(st.sampled_from(
        ["u1", "u2", "u2", "u4", "i1", "i2", "i2", "i4", "f2", "f4", "f4", "f8", "?", "c8"])))
    ranges = {"u": [(0, 247), (8080, 8390), (0, 65535), (3, 3), (0, 1)],
              "i": [(0, 120), (-20, 100), (-30000, 30000), (100, 9000)],
              "f": [(0, 1), (0, 255), (-1, 1), (290.5, 310.5)]}
    low, high = draw(st.sampled_from(ranges.get(kind.kind, [(0, 1)])))
    if kind.kind in "ui":
        low, high = np.clip((low, high), np.iinfo(kind).min, np.iinfo(kind).max)
    height, n = draw(st.sampled_from([16, 48])), draw(st.integers(1, 4))
    shape = (height, 40, 3) if draw(st.integers(0, 7)) == 0 and kind in ("u1", "u2") else (height, 40)
    pages = [smooth(shape, k, low, high) for k in range(n)]
    pages = [(page if kind.kind in "fc" else np.rint(page)).astype(kind) for page in pages]
    flaw = draw(st.sampled_from(["", "", "", "nan", "inf", "blank below", "blank half", "mixed"]))
    if flaw in ("nan", "inf") and kind.kind == "f":
        pages[-1][2, 3] = float(flaw)
    elif flaw == "blank below":
        pages = [np.concatenate([page[:-1], page[:1] * 0]) for page in pages]
    elif flaw == "blank half":
        pages = [np.concatenate([page[: height // 2], page[: height // 2] * 0]) for page in pages]
    elif flaw == "mixed" and n > 1:
        pages[-1] = pages[-1][:-3]
    inverted = draw(st.integers(0, 9)) == 0 and kind.kind == "u" and len(shape) == 2
    stream = io.BytesIO()
    compression = draw(st.sampled_from([None, "zlib", "lzw"])) if kind.kind in "ui" else None
    with tifffile.TiffWriter(stream, byteorder=draw(st.sampled_from("<>"))) as tiff:
        for page in pages:
            photometric = "rgb" if page.ndim == 3 else "miniswhite" if inverted else "minisblack"
            tiff.write(page, photometric=photometric, compression=compression, metadata=None)
    means = [np.invert(page) for page in pages] if inverted else pages
    name = f"TIFF {n} x {kind} {low}..{high} {compression} {flaw}{' inverted' * inverted}"
    return Picture(name, ".tif", stream.getvalue(), means)


@st.composite
def damaged_stacks(draw) -> Picture:
    """A sequence as the database has it, damaged."""
    pages = [np.rint(smooth((48, 40), k, 0, 247)).astype(np.uint16) for k in range(3)]
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.stack(pages), photometric="minisblack",
                     compression=draw(st.sampled_from([None, "zlib"])))
    content = stream.getvalue()
    name, damage = draw(damages())
    if draw(st.booleans()):  # of what stands before the first pixel, and behind the last
        broken = damage(content[:400]) + content[400:]
    else:
        broken = damage(content)
    plain = "" if broken == content else name
    return Picture("TIFF 3 x uint16", ".tif", broken, pages, damage=plain)


def pages_by_pillow(content: bytes) -> list[np.ndarray] | None:
    """Another decoder's reading of a TIFF; None where it finds something broken."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            found = []
            for k in range(image.n_frames):
                image.seek(k)
                found.append(np.asarray(image))
            return found
    except Exception:
        return None


# ---- loaders, and what each has to make of a picture


def luma(pixels: np.ndarray) -> np.ndarray:
    """Grey as float; of 16 bits as of 8."""
    pixels = pixels / (257 if pixels.dtype == np.uint16 else 1)
    return pixels @ LUMA if pixels.ndim == 3 else pixels


def off(got: np.ndarray, wanted: np.ndarray, tolerance: float) -> str:
    """Why an array is not another one; empty where it is."""
    if got.shape != wanted.shape:
        return f"{got.shape} instead of {wanted.shape}"
    apart = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
    worst = apart.max() if np.isfinite(apart).all() else np.inf
    return f"a value is off by {worst:.3g}" if worst > tolerance else ""


def squared(grey: np.ndarray) -> np.ndarray | None:
    """The centre square at SIZE where that resizes nothing, or one pixel; else None."""
    edge = min(grey.shape)
    top, left = ((length - edge) // 2 for length in grey.shape)
    square = grey[top : top + edge, left : left + edge]
    return np.full((SIZE, SIZE), square[0, 0]) if edge == 1 else square if edge == SIZE else None


def as_grey_square(picture: Picture) -> Callable[[np.ndarray], str] | None:
    """What `imagenet.read_grey` has to give."""
    if picture.damage:
        def as_decoded(got: np.ndarray) -> str:
            other = decoded(picture.content)
            readings = [picture.pages[0], *([] if other is None else [other])]
            squares = [squared(luma(one)) for one in readings]
            told = [off(got, one, picture.tolerance + 2) for one in squares if one is not None]
            return "" if "" in told or (other is not None and None in squares) else str(told)

        return as_decoded
    if picture.pages is None or picture.pages[0].dtype.kind != "u":
        return None
    return lambda got: off(got, squared(luma(picture.pages[0])), picture.tolerance + 1)


def enhancement_probe(picture: Picture) -> Probe:
    def make(place: Path) -> Case:
        path = place / f"image{picture.suffix}"
        path.write_bytes(picture.content)
        eight = picture.pages is not None and picture.pages[0].dtype == np.uint8
        return Case(lambda: imagenet.read_grey(path, SIZE), [path], as_grey_square(picture),
                    good=eight and picture.plain and not picture.damage)

    return Probe(AREA, f"imagenet, {picture}", make)


def pair_probe(picture: Picture, infrared: bool) -> Probe:
    """One half of a pair; the other one is grey and of its size."""

    def make(place: Path) -> Case:
        paths = place / f"visible{picture.suffix}", place / f"infrared{picture.suffix}"
        shape = picture.pages[0].shape[:2] if picture.pages is not None else (SIZE, SIZE)
        other = saved(Image.new("L", shape[::-1], 90), "PNG")
        for path, content in zip(paths, (picture.content, other), strict=True):
            (paths[paths.index(path) - infrared]).write_bytes(content)
        alone = as_grey_square(picture)

        def right(got: tuple) -> str:
            one = got[infrared]
            if shape not in ((SIZE, SIZE), (1, 1)):
                return off(one, one.astype(np.uint8), 0)  # it is resized
            return alone(one if infrared else luma(one))

        eight = picture.pages is not None and picture.pages[0].dtype == np.uint8
        return Case(lambda: pairs.read_pair(paths, SIZE), paths, alone and right,
                    good=eight and picture.plain and not picture.damage)

    return Probe(AREA, f"pair, {'infrared' if infrared else 'visible'}, {picture}", make)


def levels_of(pages: Sequence[np.ndarray]) -> np.ndarray | None:
    """What sober_drunk.load_frames has to make of pages; None: nothing, they are to be refused."""
    one = pages[0]
    if len({page.shape for page in pages}) > 1 or one.ndim != 2 or one.dtype.kind not in "bui":
        return None
    frames = (np.stack(pages) * (255 if one.dtype == bool else 1)).astype(np.float64)
    if frames.min() < 0 or not frames.any():
        return None
    height = np.flatnonzero(frames.any(axis=(0, 2)))[-1] + 1
    if frames.shape[1] - height > frames.shape[1] / 16:
        return None
    frames = frames[:, :height]
    if frames.max() > 255:
        low, high = np.percentile(frames, (0.1, 99.9))
        frames = np.clip((frames - low) * (247 / max(high - low, 1)), 0, 247)
    return frames


def faces_probe(picture: Picture) -> Probe:
    def make(place: Path) -> Case:
        path = place / "01_1_f_F.tif"
        path.write_bytes(picture.content)
        wanted = levels_of(picture.pages)

        def right(got: np.ndarray) -> str:
            readings = [picture.pages]
            if picture.damage:
                readings.append(pages_by_pillow(picture.content))
            levels = [levels_of(pages) for pages in readings if pages]
            told = [off(got, one, 1) for one in levels if one is not None]
            return "" if "" in told else str(told)

        unsigned = picture.pages[0].dtype in (np.uint8, np.uint16)
        return Case(lambda: sober_drunk.load_frames(path), [path],
                    right if picture.damage or wanted is not None else None,
                    good=unsigned and wanted is not None and not picture.damage)

    return Probe(AREA, f"faces, {picture}", make)


def own_probe(picture: Picture) -> Probe:
    def make(place: Path) -> Case:
        path = place / f"image{picture.suffix}"
        path.write_bytes(picture.content)
        real = picture.pages is not None and all(
            page.dtype.kind in "bui" or page.dtype.kind == "f" and np.isfinite(page).all()
            for page in picture.pages)

        def right(got: files.Picture) -> str:
            other = decoded(picture.content) if picture.damage else None
            if picture.damage and picture.suffix == ".tif":
                other = pages_by_pillow(picture.content)
            wanted = [picture.pages, *([] if other is None else [
                other if isinstance(other, list) else [other]])]
            told = [_pages_off(got.pages, pages, picture.tolerance + 2 * bool(picture.damage))
                    for pages in wanted]
            return "" if "" in told else str(told)

        known = picture.suffix.lower() in files.SUFFIXES and picture.plain
        return Case(lambda: files.read(path), [path], right if real else None,
                    good=real and known and not picture.damage)

    return Probe(AREA, f"one's own, {picture}", make)


def _pages_off(got: Sequence[np.ndarray], wanted: Sequence[np.ndarray], tolerance: float) -> str:
    if len(got) != len(wanted):
        return f"{len(got)} pages instead of {len(wanted)}"
    told = []
    for one, other in zip(got, wanted, strict=True):
        if one.dtype == np.uint8 and other.dtype == np.bool_:
            other = other * np.uint8(255)
        if one.ndim == 3 and other.ndim == 2:
            other = np.repeat(other[..., None], 3, -1)
        if one.ndim == 2 and other.ndim == 3:
            other = luma(other)
        told.append(off(one, other, tolerance))
    return "; ".join(filter(None, told))


either = whole() | damaged()
drawn = st.one_of(
    either.map(enhancement_probe),
    st.builds(pair_probe, either, st.booleans()),
    (stacks() | damaged_stacks()).map(faces_probe),
    (either | stacks() | damaged_stacks()).map(own_probe),
)
listed: list[Probe] = []
