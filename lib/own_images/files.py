"""A user's image files: what is in them, and writing the result as the same kind of file."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import flyr
import numpy as np
import tifffile
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from tifffile import COMPRESSION, PHOTOMETRIC

from lib.files import write_atomically

PNG, JPEG, TIFF = "PNG", "JPEG", "TIFF"
SUFFIXES = {".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".tif": TIFF, ".tiff": TIFF}
# ASCII tags that stay true of an enhanced image: make, model, page name, artist, copyright
KEPT_TAGS = (271, 272, 285, 315, 33432)
ORIENTATION = 274
JPEG_QUALITY = 95
FLIR_SEGMENT = rb"\xff\xe1..FLIR\0\x01"  # of a JPEG


@dataclass(frozen=True)
class Picture:
    """The content of a file.

    pages: (H, W) grey or (H, W, 3) RGB, of any real type; one, but in a TIFF.
    kept: what is written again with each page, as arguments of the writer.
    """

    kind: str  # PNG, JPEG or TIFF
    pages: list[np.ndarray]
    kept: list[dict[str, Any]] = field(default_factory=list)
    remarks: tuple[str, ...] = ()  # what of the file is not used


def depth_of(image: np.ndarray) -> int:
    """Bits that "the same depth" means: 8 for bytes, 16 for all else (counts, temperatures)."""
    return 8 if image.dtype in (np.uint8, np.bool_) else 16


def suffix_for(path: Path, depth: int) -> str:
    """That of the file itself; a JPEG has no 16 bits, so of these a PNG is made."""
    return ".png" if depth == 16 and SUFFIXES[path.suffix.lower()] == JPEG else path.suffix


def read(path: Path, radiometric: bool = False) -> Picture:
    """Everything in an image file. Pixels are as stored: no EXIF orientation is applied.

    radiometric: of a FLIR JPEG with thermal data take these, in kelvin, not the picture.

    Raises ValueError naming a file that is no whole PNG, JPEG or TIFF, or of a kind unknown here.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path} is no PNG, JPEG or TIFF")
    if path.exists() and not path.is_file():  # to open a pipe would wait for ever
        raise ValueError(f"{path} is no file that can be read")
    try:
        if SUFFIXES[path.suffix.lower()] == TIFF:
            picture = _read_tiff(path)
        else:
            picture = _read_with_pillow(path, radiometric)
    except FileNotFoundError:
        raise ValueError(f"{path} is not there") from None
    except UnidentifiedImageError:  # whose message names no file
        raise ValueError(f"{path} cannot be read: it is no PNG or JPEG inside") from None
    except Exception as error:  # decoders raise whatever they like
        told = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"{path} cannot be read: {told[0]}") from error
    for number, page in enumerate(picture.pages, start=1):
        where = f"{path}, page {number}" if len(picture.pages) > 1 else str(path)
        check_values(page, where)
    return picture


def check_values(image: np.ndarray, where: str) -> None:
    """Raise ValueError unless an image is (H, W) or (H, W, 3), not empty, of finite numbers."""
    if not isinstance(image, np.ndarray) or image.dtype.kind not in "buif":
        kind = getattr(image, "dtype", type(image).__name__)
        raise ValueError(f"{where}: an image of real numbers is needed, not {kind}")
    grey, colour = image.ndim == 2, image.ndim == 3 and image.shape[2] == 3
    if not image.size or not (grey or colour):
        raise ValueError(f"{where}: (H, W) or (H, W, 3) is needed, not {image.shape}")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError(f"{where} holds NaN or infinite values")


def write(path: Path, pages: list[np.ndarray], kept: list[dict[str, Any]]) -> Path:
    """Write grey pages (H, W), uint8 or uint16, as the kind of file that the suffix names."""
    kind = SUFFIXES[path.suffix.lower()]
    if kind == TIFF:
        return write_atomically(path, lambda part: _write_tiff(part, pages, kept))
    more, image = dict(kept[0]), Image.fromarray(pages[0])
    if kind == JPEG:
        more["quality"] = JPEG_QUALITY
    else:
        more.pop("comment", None)  # a JPEG's; a PNG has texts
    return write_atomically(path, lambda part: image.save(part, kind, **more))


def _read_with_pillow(path: Path, radiometric: bool) -> Picture:
    content = path.read_bytes()
    with Image.open(io.BytesIO(content), formats=[PNG, JPEG]) as image:
        image.load()
        kind = PNG if image.format == PNG else JPEG
        kept, remarks = _kept_by_pillow(image), []
        if radiometric and kind == JPEG and (kelvin := _kelvin(content)) is not None:
            return Picture(JPEG, [kelvin], [kept])
        if "A" in image.getbands() or "transparency" in image.info:
            remarks.append("transparency is left out")
        if kind == PNG and content[24] == 16:  # bits a channel, of which Pillow takes 8 in colour
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
            pixels = pixels if pixels.ndim == 2 else pixels[..., 2::-1]  # BGR(A)
        else:
            grey = image.mode in ("1", "L", "LA", "La")
            pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return Picture(kind, [pixels], [kept], tuple(remarks))


def _kept_by_pillow(image: Image.Image) -> dict[str, Any]:
    """EXIF without its thumbnail (of the image as it was), resolution, comment, texts of a PNG."""
    kept = {key: image.info[key] for key in ("dpi", "comment") if key in image.info}
    if exif := image.getexif():
        kept["exif"] = exif
    if texts := getattr(image, "text", {}):
        kept["pnginfo"] = PngImagePlugin.PngInfo()
        for key, text in texts.items():
            kept["pnginfo"].add_itxt(key, str(text))
    return kept


def _kelvin(content: bytes) -> np.ndarray | None:
    """The temperatures in a FLIR JPEG, (H, W) float64; None where it holds none."""
    if not re.search(FLIR_SEGMENT, content, re.DOTALL):
        return None
    try:
        return flyr.unpack(io.BytesIO(content)).kelvin
    except KeyError:  # FLIR's records without thermal data
        return None


def _read_tiff(path: Path) -> Picture:
    with _complaints_raised(), tifffile.TiffFile(path) as tiff:
        # descriptions that these programs write tell of the old pixels' layout and display range
        technical = tiff.is_imagej or tiff.is_ome or tiff.is_shaped
        if len(tiff.pages) == 1 and tiff.series and tiff.series[0].size > tiff.pages[0].size:
            raise ValueError("its frames are not stored as pages")
        pages = [_tiff_pixels(page) for page in tiff.pages]
        kept = [_kept_tags(page, not technical) for page in tiff.pages]
        extra = any(page.samplesperpixel not in (1, 3) for page in tiff.pages)
    return Picture(TIFF, pages, kept, ("transparency is left out",) * extra)


@contextmanager
def _complaints_raised() -> Iterator[None]:
    """Raise what tifffile only logs: pages that a truncated file has lost."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda entry: found.append(entry.getMessage())
    logger = logging.getLogger("tifffile")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
    if found:
        raise ValueError(found[0])


def _tiff_pixels(page: tifffile.TiffPage) -> np.ndarray:
    """(H, W) grey or (H, W, 3), white the largest value."""
    pixels, kind = page.asarray(), page.photometric
    if kind == PHOTOMETRIC.PALETTE:
        return (page.colormap[:, pixels] >> 8).astype(np.uint8).transpose(1, 2, 0)
    if kind in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR):
        return pixels[..., :3] if page.axes.endswith("S") else np.moveaxis(pixels, 0, -1)[..., :3]
    if kind not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE):
        raise ValueError(f"{PHOTOMETRIC(kind).name} images are not taken, only grey and RGB")
    if page.samplesperpixel > 1:
        pixels = pixels[..., 0] if page.axes.endswith("S") else pixels[0]
    if pixels.dtype == np.bool_ or page.bitspersample < 8:
        pixels = pixels.astype(np.uint8) * (255 // (2**page.bitspersample - 1))
    if kind == PHOTOMETRIC.MINISWHITE:
        pixels = pixels.max() - pixels if pixels.dtype.kind == "f" else np.invert(pixels)
    return pixels


def _kept_tags(page: tifffile.TiffPage, description: bool) -> dict[str, Any]:
    """Of one page, as arguments of `TiffWriter.write`."""
    tags = page.tags
    kept: dict[str, Any] = {"software": page.software.encode() or False}
    if description and page.description:
        kept["description"] = page.description.encode()
    if 282 in tags:
        kept |= {"resolution": page.resolution, "resolutionunit": page.resolutionunit}
    if 306 in tags:
        kept["datetime"] = tags[306].value
    kept["subfiletype"] = page.subfiletype
    kept["compression"] = None if page.compression == COMPRESSION.NONE else "zlib"
    kept["extratags"] = [(code, 2, None, str(tags[code].value).encode(), False)
                         for code in KEPT_TAGS if code in tags]  # fmt: skip
    if ORIENTATION in tags:
        kept["extratags"].append((ORIENTATION, 3, 1, int(tags[ORIENTATION].value), False))
    return kept


def _write_tiff(path: Path, pages: list[np.ndarray], kept: list[dict[str, Any]]) -> None:
    large = sum(page.nbytes for page in pages) > 2**32 - 2**25
    with tifffile.TiffWriter(path, bigtiff=large) as tiff:
        for page, about in zip(pages, kept, strict=True):
            tiff.write(page, photometric="minisblack", metadata=None, **about)
