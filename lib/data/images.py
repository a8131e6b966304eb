"""Pictures in files: the one reader of them all, of data sets and of images of one's own.

What is in a file is given as it is stored; what its values mean for a loader, that one says: 8 bits
alone for pairs and ImageNet (`open_image`), unsigned counts for Sober-Drunk, all for one's own.
"""

import io
import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError
from tifffile import PHOTOMETRIC

KINDS = ("PNG", "JPEG", "BMP")
TIFF_SUFFIXES = (".tif", ".tiff")
GREY_MODES = ("1", "L", "LA", "La")


def read(path: Path) -> list[np.ndarray]:
    """The pages of an image file, a single one but in a TIFF: (H, W) grey or (H, W, 3) RGB.

    Of any real type, as stored: no EXIF orientation is applied, 16 bits stay 16, white is the
    largest value. Palettes, CMYK and YCbCr become RGB of 8 bits, one bit becomes 0 and 255, and
    transparency is left out.

    Raises ValueError naming a file that is no whole PNG, JPEG, BMP or (by its suffix) TIFF, holds
    several pictures but is no TIFF, or holds NaN.
    """
    with named(path):
        if path.suffix.lower() in TIFF_SUFFIXES:
            pages = _of_tiff(path)
        else:
            pages = [_of_picture(path.read_bytes())]
    for number, page in enumerate(pages, start=1):
        check_values(page, f"{path}, page {number}" if len(pages) > 1 else str(path))
    return pages


def open_image(path: Path, mode: str) -> Image.Image:
    """An image in the mode "RGB" or "L" (grey, ITU-R 601 luma).

    Raises ValueError as `read` does, and naming a file that has more than 8 bits: nobody says which
    of its values are black and white.
    """
    (page,) = read(path)
    if page.dtype != np.uint8:
        raise ValueError(f"{path} has more than 8 bits; convert it to 8 first")
    return Image.fromarray(page).convert(mode)


def centre_square(image: np.ndarray, size: int) -> np.ndarray:
    """The centre square of a grey image (H, W), resized (Lanczos): (size, size) uint8."""
    edge = min(image.shape)
    top, left = ((length - edge) // 2 for length in image.shape)
    square = np.ascontiguousarray(image[top : top + edge, left : left + edge])
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS))


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into one line, a ValueError that names the file."""
    if path.exists() and not path.is_file():  # to open a pipe would wait for ever
        raise ValueError(f"{path} is no file that can be read")
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{path} is not there") from None
    except UnidentifiedImageError:  # whose message names no file
        raise ValueError(f"{path} cannot be read as an image: no PNG or JPEG is inside") from None
    except Exception as error:  # decoders raise whatever they like
        told = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"{path} cannot be read as an image: {told[0]}") from error


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


def _of_picture(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content), formats=KINDS) as image:
        png = image.format == "PNG"
        if png:
            _check_sums(content)
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError("it holds several pictures")
        image.load()
        if png and content[24] == 16:  # bits a channel, of which Pillow takes 8 in colour
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
            return pixels if pixels.ndim == 2 else pixels[..., 2::-1]  # BGR(A)
        return np.asarray(image.convert("L" if image.mode in GREY_MODES else "RGB"))


def _check_sums(content: bytes) -> None:
    """Raise ValueError where a chunk of a PNG that its pixels need is not whole: Pillow does not
    look at the checksums of pixels."""
    place, name = 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", content, place)
        (wanted,) = struct.unpack_from(">I", content, place + 8 + length)
        if name[:1].isupper() and zlib.crc32(content[place + 4 : place + 8 + length]) != wanted:
            raise ValueError(f"its part {name.decode('latin-1')!r} has a wrong checksum")
        place += 12 + length


def _of_tiff(path: Path) -> list[np.ndarray]:
    with complaints_raised(), tifffile.TiffFile(path) as tiff:
        if not tiff.pages:
            raise ValueError("it has no page")
        if len(tiff.pages) == 1 and tiff.series and tiff.series[0].size > tiff.pages[0].size:
            raise ValueError("its frames are not stored as pages")
        return [_tiff_pixels(page) for page in tiff.pages]


@contextmanager
def complaints_raised() -> Iterator[None]:
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
