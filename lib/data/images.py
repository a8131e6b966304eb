"""Pictures in files: opened, or named where they cannot be, and cut."""

from pathlib import Path

import numpy as np
from PIL import Image


def open_image(path: Path, mode: str) -> Image.Image:
    """An image in the mode "RGB" or "L" (grey, ITU-R 601 luma).

    Raises ValueError naming a file that is no complete image or has more than 8 bits.
    """
    try:
        with Image.open(path) as image:
            if image.mode[0] in "IF":
                raise ValueError(f"{path} has more than 8 bits; convert it to 8 first")
            return image.convert(mode)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def centre_square(image: np.ndarray, size: int) -> np.ndarray:
    """The centre square of a grey image (H, W), resized (Lanczos): (size, size) uint8."""
    edge = min(image.shape)
    top, left = ((length - edge) // 2 for length in image.shape)
    square = np.ascontiguousarray(image[top : top + edge, left : left + edge])
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS))
