"""Figures small enough to stand inside a page, as data URIs."""

import base64
import io
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

WIDTHS = (1000, 800, 640, 480, 320)  # pixels
QUALITY = 70  # of WebP


def embed(figures: Sequence[Path], budget: int = 1_000_000) -> list[str]:
    """Data URIs of PNG and SVG files: as wide as `budget` bytes for all of them allow.

    Drawings (SVG) stay drawings, with coordinates to a hundredth of a point; images become WebP.
    What does not fit at the narrowest width, large drawings first, gets an empty URI.
    """
    small = {path: _drawing(path) for path in figures if path.suffix == ".svg"}
    while sum(map(len, small.values())) > budget / 2:
        del small[max(small, key=lambda path: len(small[path]))]
    left = budget - sum(map(len, small.values()))
    pictures = {path: _narrow(Image.open(path).convert("RGB"), WIDTHS[0])
                for path in figures if path.suffix != ".svg"}  # fmt: skip
    for width in WIDTHS:
        images = {path: _webp(_narrow(picture, width)) for path, picture in pictures.items()}
        if sum(map(len, images.values())) <= left:
            break
    else:
        images = {}
    return [_uri("svg+xml" if path.suffix == ".svg" else "webp", content) if content else ""
            for path in figures for content in [(small | images).get(path)]]  # fmt: skip


def _narrow(image: Image.Image, width: int) -> Image.Image:
    if image.width <= width:
        return image
    return image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)


def _webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()


def _drawing(path: Path) -> bytes:
    """Without metadata, and paths with two digits: half the size, the same to the eye."""
    text = re.sub(r"<metadata>.*?</metadata>", "", path.read_text(encoding="utf-8"), flags=re.S)

    def shorten(match: re.Match) -> str:
        return re.sub(r"(\.\d\d)\d+", r"\1", re.sub(r"\s+", " ", match.group()))

    return re.sub(r'\sd="[^"]*"', shorten, text).encode()


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
