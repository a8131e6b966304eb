"""How well and how fast the methods for one's own images do, on images that no training saw.

    python -m lib.benchmarks.own_images --data DIR

Test images, photographs and infrared ones, are degraded as in training and in four ways that
training never saw, enhanced as `lib.enhance` does it, and compared with what they were. Before it
the time of an image of 640x512 pixels of 16 bits, how far tiles differ from the whole, and in how
many infrared images of LLVIP the grid of 2D-GAN's deepest level shows.
"""

import argparse
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil

from lib.benchmarks import in_one_line, positive
from lib.data import catalogue
from lib.data.degradation import WIDE, degrade
from lib.files import write_text
from lib.machine import choose_device, describe_device
from lib.metrics.psnr import psnr
from lib.metrics.ssim import ssim
from lib.own_images import enhance
from lib.own_images.methods import TONE_MAP, TWO_D_GAN, available
from lib.own_images.passes import SHIFTS
from lib.own_images.shipped import ENHANCEMENT, FOLDER
from lib.own_images.tone import to_depth
from lib.paths import data_root

SIZE = 128  # of the test images, a side
EDGE = 64  # pixels, the length of a straight step
VISIBLE = 6  # of 255 grey levels, the height of one that is counted
FLAT = 1  # what the image itself may have there
FRAME = (512, 640)  # of a thermal camera
KINDS = ("enhancement_wide", "flir_infrared", "osu_infrared")


UNLIKE = {  # (H, W) float64 and a generator -> what training never saw
    # bright and flat, little noise: what the sun on a lens makes of a scene
    "haze": lambda image, rng: 130 + 0.3 * image + rng.normal(0, 2, image.shape),
    # dark by a curve, not by a factor
    "gamma": lambda image, rng: 140 * (image / 255) ** 1.8 + 20 + rng.normal(0, 3, image.shape),
    # the columns of a detector without correction, each with an offset of its own
    "stripes": lambda image, rng: (
        60 + 0.35 * image + rng.normal(0, 4, image.shape[1]) + rng.normal(0, 2, image.shape)
    ),
    # counts of 14 bits, twice as blurred as in training
    "soft_counts": lambda image, rng: np.rint(
        7000 + 4 * cv2.GaussianBlur(image, (0, 0), 1.2) + rng.normal(0, 16, image.shape)
    ).astype(np.uint16),
}


def degraded(image: np.ndarray, name: str, how: str) -> np.ndarray:
    """A degraded copy of (H, W) uint8: "as in training", or by a name of UNLIKE."""
    if how == "as in training":
        return degrade(image, name, ranges=WIDE)
    made = UNLIKE[how](image.astype(np.float64), np.random.default_rng(zlib.crc32(name.encode())))
    return made if made.dtype == np.uint16 else to_depth(made, 8)


def quality(root: Path, images: int, weights: Path) -> pd.DataFrame:
    """Mean PSNR (dB) and SSIM of each method, a row for each kind of images and degradation.

    "input" is the degraded image, counts brought to 0..255.
    """
    methods = dict.fromkeys((TONE_MAP, TWO_D_GAN, *available(ENHANCEMENT, weights)))
    rows = {}
    for kind in KINDS:
        data = catalogue.load(kind, root, SIZE, {"train": 1, "test": images})
        for how in ("as in training", *UNLIKE):
            scores = []
            for name, image in zip(data.test.names, data.test.reference, strict=True):
                dull = degraded(image, name, how)
                seen = dull if dull.dtype == np.uint8 else (dull - 7000.0) / 4
                made = {"input": to_depth(seen, 8)} | {
                    method: enhance(dull, method, depth=8, weights=weights, device="cpu")
                    for method in methods
                }
                scores.append({(metric.__name__, method): metric(image, result)
                               for method, result in made.items() for metric in (psnr, ssim)})
            label = data.name.split(",")[0]
            rows[f"{label}, {how} ({len(scores)})"] = pd.DataFrame(scores).mean()
    table = pd.DataFrame(rows).T
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    return table


def speed(weights: Path) -> str:
    """The time and memory of a frame of 16 bits, and what tiles change, as text."""
    y, x = np.mgrid[: FRAME[0], : FRAME[1]]
    waves = np.sin(x / 9) + np.cos(y / 14) + np.sin((x + y) / 60)
    noise = np.random.default_rng(0).normal(0, 20, FRAME)
    counts = (7500 + 200 * waves + noise).astype(np.uint16)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        whole = enhance(counts, tile=0, weights=weights, device="cpu")
        seconds.append(time.perf_counter() - start)
    tiled = enhance(counts, tile=256, weights=weights, device="cpu")
    apart = np.abs(tiled.astype(float) - whole).max() / 65535
    memory = psutil.Process().memory_info().rss / 1e9
    return (f"640x512, 16 bits: {min(seconds):.2f} s, {memory:.1f} GB in use after it; "
            f"tiles of 256 differ by at most {apart:.1e} of the range")


def straight_steps(image: np.ndarray) -> np.ndarray:
    """What two neighbouring columns (H, W) differ by in the mean of each EDGE rows, in grey levels:
    (H // EDGE, W - 1)."""
    rows = image.shape[0] // EDGE * EDGE
    steps = np.diff(image[:rows].astype(np.float64), axis=1)
    return np.abs(steps.reshape(-1, EDGE, steps.shape[1]).mean(axis=1))


def grid(root: Path, weights: Path) -> str:
    """In how many whole frames a step shows where the frame is flat: text, once and with SHIFTS."""
    paths = sorted((root / "llvip/infrared").glob("*.jpg"))
    if not paths:
        return f"no images of LLVIP in {root / 'llvip/infrared'}: steps of the grid not counted"
    frames = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    told = []
    for shifts in (1, SHIFTS):
        worst = []
        for frame in frames:
            made = enhance(frame, shifts=shifts, depth=8, weights=weights, device="cpu")
            worst.append(max(straight_steps(b)[straight_steps(a) < FLAT].max(initial=0)
                             for a, b in ((frame, made), (frame.T, made.T))))
        told.append(f"{sum(step > VISIBLE for step in worst)} with {shifts}")
    return (f"LLVIP, infrared: of {len(frames)} images a straight step of more than {VISIBLE} grey "
            f"levels have {', '.join(told)} shifts of the grid")


@in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.benchmarks.own_images",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--data", metavar="DIR", help="data root ($IR_DATA, else data/)")
    parser.add_argument("--images", type=positive, default=20, metavar="N",
                        help="of each kind (20)")
    parser.add_argument("--weights", type=Path, default=FOLDER, metavar="DIR")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table there as well")
    options = parser.parse_args(arguments)
    root = data_root(options.data)
    if TWO_D_GAN not in available(ENHANCEMENT, options.weights):
        raise FileNotFoundError(f"{options.weights} has no weights of {TWO_D_GAN}")
    print(describe_device(choose_device("cpu")), speed(options.weights),
          grid(root, options.weights), sep="\n")
    found = quality(root, options.images, options.weights)
    if options.csv:
        flat = found.set_axis(found.columns.map(" ".join), axis="columns").rename_axis("images")
        write_text(options.csv, flat.to_csv(float_format="%.5g", lineterminator="\n"))
    for metric, digits in (("psnr", 2), ("ssim", 3)):
        print(f"\n{metric.upper()}", found[metric].round(digits).to_string(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
