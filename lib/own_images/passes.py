"""An image of any size through a network.

2D-GAN's network is local: batch norm stands at its stored statistics, and attention across levels
weighs each position by itself. An output pixel depends on no input further off than 5 * 2^L - 3
pixels (77 with L = 4 levels), so tiles that see this much around them, and start where the
network's strides do, give the values of the whole image: nothing has to be blended, and there is no
seam.

What the network does at its deepest level it does for 2^L x 2^L pixels at once, and this grid shows
as straight steps in flat areas. So it sees the image several times, moved along the grid's
diagonal, and the mean of the results is taken.

A generator of CycleGAN is not: instance norm and CBAM take means over the whole image, so a tile
would get another tone than its neighbour. It sees the whole image, and one too large for that is
reduced for the network and its result enlarged.
"""

import cv2
import numpy as np
import torch
from torch import nn

from lib.networks.unet_generator import UnetGeneratorConfig

SHIFTS = 4  # places of the grid; chosen on validation images, data/weights/README.md
TILE = 1024  # pixels a side; takes up to 1.7 GB with all channels
LIMIT = 1024  # largest image that is translated whole: as many pixels as in a square of this side
LEAST = 16  # pixels a side that a network takes


def enhance_levels(
    network: nn.Module, levels: np.ndarray, tile: int = TILE, shifts: int = SHIFTS,
) -> np.ndarray:
    """Levels (H, W) 0..255 -> levels (H, W), by a `TwoDGAN` in tiles of `tile` pixels (0: whole),
    the mean over `shifts` places of the network's grid (see `check_shifts`; 1: what it gives).

    Raises ValueError below 16 x 16 pixels.
    """
    multiple = 2 ** len(network.config.widths)
    check_size(levels.shape, multiple)

    def moved(by: int) -> np.ndarray:
        seen = np.pad(levels, ((by, 0), (by, 0)), mode="reflect")
        return _in_tiles(network, seen, multiple, tile)[by:, by:]

    return sum(map(moved, range(0, multiple, multiple // shifts))) / shifts


def _in_tiles(network: nn.Module, levels: np.ndarray, multiple: int, tile: int) -> np.ndarray:
    halo = 5 * multiple
    step = -(-tile // multiple) * multiple if tile else max(levels.shape) + multiple
    padded = _pad(levels, multiple)
    made = np.empty_like(padded)
    for top in range(0, padded.shape[0], step):
        for left in range(0, padded.shape[1], step):
            y, x = max(top - halo, 0), max(left - halo, 0)  # where the tile with its halo begins
            seen = padded[y : top + step + halo, x : left + step + halo]
            result = _forward(network, seen[None, None])[0, 0]
            here = made[top : top + step, left : left + step]
            here[:] = result[top - y :, left - x :][: here.shape[0], : here.shape[1]]
    return made[: levels.shape[0], : levels.shape[1]]


def translate_levels(network: nn.Module, image: np.ndarray, limit: int = LIMIT) -> np.ndarray:
    """RGB levels (H, W, 3) 0..255 -> grey levels (H, W), the mean of the channels made.

    Larger than `limit` squared pixels, see `reduced_size`, it is reduced and the result enlarged.
    Raises ValueError where fewer than 16 pixels a side, or than the network halves, are left.
    """
    size, within = image.shape[:2], reduced_size(image.shape[:2], limit)
    halvings = len(network.config.widths) - (not isinstance(network.config, UnetGeneratorConfig))
    multiple = 2**halvings
    check_size(within, multiple)
    if within != size:
        image = cv2.resize(image, within[::-1], interpolation=cv2.INTER_AREA)
    padded = _pad(image, multiple).transpose(2, 0, 1)
    made = _forward(network, padded[None])[0].mean(axis=0)[: within[0], : within[1]]
    if within != size:
        made = cv2.resize(made, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(made, 0, 255)


def reduced_size(size: tuple[int, int], limit: int) -> tuple[int, int]:
    """(H, W), as large as fits into limit^2 pixels."""
    scale = min(1.0, limit / (size[0] * size[1]) ** 0.5)
    return round(size[0] * scale), round(size[1] * scale)


def check_size(size: tuple[int, int], multiple: int) -> None:
    """Raise ValueError below what can be padded by reflection to the network's multiple."""
    least = max(LEAST, multiple)
    if min(size) < least:
        raise ValueError(f"{size[1]}x{size[0]} pixels: the network takes {least}x{least} or more")


def check_shifts(shifts: int, multiple: int) -> None:
    """Raise ValueError where no such shift along a grid of `multiple` pixels is of whole pixels."""
    if multiple % shifts:
        choice = ", ".join(str(n) for n in range(1, multiple + 1) if multiple % n == 0)
        raise ValueError(f"{shifts} shifts do not divide a grid of {multiple} pixels; {choice} do")


def _pad(image: np.ndarray, multiple: int) -> np.ndarray:
    """(H, W[, C]) mirrored at the lower and right edge up to a multiple."""
    more = [(0, -length % multiple) for length in image.shape[:2]]
    return np.pad(image, more + [(0, 0)] * (image.ndim - 2), mode="reflect")


@torch.inference_mode()
def _forward(network: nn.Module, levels: np.ndarray) -> np.ndarray:
    """Levels (1, C, H, W) through the network, on its device."""
    device = next(network.parameters()).device
    images = torch.from_numpy(np.ascontiguousarray(levels, np.float32)).to(device)
    return ((network(images / 127.5 - 1.0) + 1.0) * 127.5).cpu().numpy()
