"""A user's image files: what is in them, and writing the result as the same kind of file."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flyr
import numpy as np
import tifffile
from PIL import Image, PngImagePlugin
from tifffile import COMPRESSION

from lib.data import images
from lib.files import write_atomically

PNG, JPEG, TIFF = "PNG", "JPEG", "TIFF"
SUFFIXES = {".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".tif": TIFF, ".tiff": TIFF}
# ASCII tags that stay true of an enhanced image: make, model, page name, time, artist, copyright
KEPT_TAGS = (271, 272, 285, 306, 315, 33432)
ORIENTATION = 274
JPEG_QUALITY = 95
FLIR_SEGMENT = rb"\xff\xe1..FLIR\0\x01"  # of a JPEG
LEFT_OUT = ("transparency is left out",)


@dataclass(frozen=True)
class Picture:
    """The content of a file, a single page but in a TIFF."""

    pages: list[np.ndarray]  # (H, W) grey or (H, W, 3) RGB, of any real type
    kept: list[dict[str, Any]]  # what is written again with each page, as arguments of the writer
    remarks: tuple[str, ...]  # what of the file is not used


def depth_of(image: np.ndarray) -> int:
    """Bits that "the same depth" means: 8 for bytes, 16 for all else (counts, temperatures)."""
    return 8 if image.dtype in (np.uint8, np.bool_) else 16


def read(path: Path, radiometric: bool = False) -> Picture:
    """Everything in an image file: the pixels by `lib.data.images.read`, and what is kept of it.

    radiometric: of a FLIR JPEG with thermal data take these, in kelvin, not the picture.

    Raises ValueError naming a file that is no whole PNG, JPEG or TIFF, or of a kind unknown here.
    """
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path} is no PNG, JPEG or TIFF by its name")
    if kind == TIFF:
        return _read_tiff(path)
    with images.named(path):
        content = path.read_bytes()
        with Image.open(io.BytesIO(content), formats=[PNG, JPEG]) as image:
            image.load()  # texts may stand behind the pixels
            kept, remarks = _kept_by_pillow(image), ()
            if "A" in image.getbands() or "transparency" in image.info:
                remarks += LEFT_OUT
            try:
                kept |= _exif(image)
            except Exception:  # Pillow reads tags of types that it cannot write
                remarks += ("EXIF that cannot be written again is left out",)
            kelvin = _kelvin(content) if radiometric and image.format != PNG else None
    if kelvin is None:
        return Picture(images.read(path), [kept], remarks)
    images.check_values(kelvin, str(path))
    return Picture([kelvin], [kept], remarks)


def write(path: Path, pages: list[np.ndarray], kept: list[dict[str, Any]]) -> Path:
    """Write grey pages (H, W), uint8 or uint16, as the kind of file that the suffix names."""
    kind = SUFFIXES[path.suffix.lower()]

    def save(part: Path) -> None:
        if kind == TIFF:
            large = sum(page.nbytes for page in pages) > 2**32 - 2**25
            with tifffile.TiffWriter(part, bigtiff=large) as tiff:
                for page, about in zip(pages, kept, strict=True):
                    tiff.write(page, photometric="minisblack", metadata=None, **about)
        else:  # a PNG takes no notice of the quality, nor of a JPEG's comment
            Image.fromarray(pages[0]).save(part, kind, quality=JPEG_QUALITY, **kept[0])

    return write_atomically(path, save)


def _kept_by_pillow(image: Image.Image) -> dict[str, Any]:
    """Resolution, comment, texts of a PNG."""
    kept = {key: image.info[key] for key in ("dpi", "comment") if key in image.info}
    if texts := getattr(image, "text", {}):
        kept["pnginfo"] = PngImagePlugin.PngInfo()
        for key, text in texts.items():
            kept["pnginfo"].add_itxt(key, str(text))
    return kept


def _exif(image: Image.Image) -> dict[str, bytes]:
    """EXIF, where there is any, without its thumbnail (of the image as it was)."""
    exif = image.getexif()
    return {"exif": exif.tobytes()} if exif else {}


def _kelvin(content: bytes) -> np.ndarray | None:
    """The temperatures in a FLIR JPEG, (H, W) float64; None where it holds none."""
    if not re.search(FLIR_SEGMENT, content, re.DOTALL):
        return None
    try:
        return flyr.unpack(io.BytesIO(content)).kelvin
    except KeyError:  # FLIR's records without thermal data
        return None


def _read_tiff(path: Path) -> Picture:
    pages = images.read(path)  # first: of one that is cut short, to ask for tags never ends
    with images.named(path), images.complaints_raised(), tifffile.TiffFile(path) as tiff:
        # descriptions that these programs write tell of the old pixels' layout and display range
        technical = tiff.is_imagej or tiff.is_ome or tiff.is_shaped
        kept = [_kept_tags(page, not technical) for page in tiff.pages]
        transparent = any(page.samplesperpixel not in (1, 3) for page in tiff.pages)
    return Picture(pages, kept, LEFT_OUT * transparent)


def _kept_tags(page: tifffile.TiffPage, description: bool) -> dict[str, Any]:
    """Of one page, as arguments of `TiffWriter.write`."""
    tags = page.tags
    extra = [(code, 2, None, str(tags[code].value).encode(), False)
             for code in KEPT_TAGS if code in tags]
    if ORIENTATION in tags:
        extra.append((ORIENTATION, 3, 1, int(tags[ORIENTATION].value), False))
    kept = {"software": page.software.encode() or False, "subfiletype": page.subfiletype,
            "compression": None if page.compression == COMPRESSION.NONE else "zlib",
            "extratags": extra}
    if description and page.description:
        kept["description"] = page.description.encode()
    if 282 in tags:
        kept |= {"resolution": page.resolution, "resolutionunit": page.resolutionunit}
    return kept
