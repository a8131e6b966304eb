"""A user's image files: what is in them, and writing the result as the same kind of file."""

import io
import re
from dataclasses import dataclass, field
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
    """Everything in an image file: the pixels by `lib.data.images.read`, and what is kept of it.

    radiometric: of a FLIR JPEG with thermal data take these, in kelvin, not the picture.

    Raises ValueError naming a file that is no whole PNG, JPEG or TIFF, or of a kind unknown here.
    """
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path} is no PNG, JPEG or TIFF")
    with images.named(path):
        if kind == TIFF:
            pages = images.read(path)  # first: of one that is cut short, to ask for tags never ends
            return Picture(TIFF, pages, *_about_tiff(path))
        content = path.read_bytes()
        kind, kept, remarks = _about_picture(content)
        kelvin = _kelvin(content) if radiometric and kind == JPEG else None
    if kelvin is None:
        return Picture(kind, images.read(path), [kept], remarks)
    images.check_values(kelvin, str(path))
    return Picture(JPEG, [kelvin], [kept])


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


def _about_picture(content: bytes) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """Kind of a PNG or JPEG, what is kept of it, and remarks."""
    with Image.open(io.BytesIO(content), formats=[PNG, JPEG]) as image:
        image.load()  # texts may stand behind the pixels
        kind = PNG if image.format == PNG else JPEG
        transparent = "A" in image.getbands() or "transparency" in image.info
        return kind, _kept_by_pillow(image), ("transparency is left out",) * transparent


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


def _about_tiff(path: Path) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """What is kept of each page of a TIFF, and remarks."""
    with images.complaints_raised(), tifffile.TiffFile(path) as tiff:
        # descriptions that these programs write tell of the old pixels' layout and display range
        technical = tiff.is_imagej or tiff.is_ome or tiff.is_shaped
        kept = [_kept_tags(page, not technical) for page in tiff.pages]
        extra = any(page.samplesperpixel not in (1, 3) for page in tiff.pages)
    return kept, ("transparency is left out",) * extra


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
