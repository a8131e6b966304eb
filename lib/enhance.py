"""Enhance images of one's own, infrared or any other grey ones.

    python -m lib.enhance photo.png folder --out enhanced

Any size, 8 or 16 bits; a TIFF keeps its pages, a radiometric FLIR JPEG gives its temperatures.
"""

import sys

from lib.own_images import batch
from lib.own_images.methods import CLASSICAL, TONE_MAP, TWO_D_GAN, enhancer
from lib.own_images.passes import SHIFTS, TILE


def main(arguments: list[str] | None = None) -> int:
    parser = batch.parser("lib.enhance", __doc__.splitlines()[0])
    without = ", ".join(sorted(CLASSICAL))
    parser.add_argument("--method", default=TWO_D_GAN, metavar="NAME",
                        help=f"{TWO_D_GAN} (default), {TONE_MAP}, or without weights {without}")
    parser.add_argument("--tile", type=int, default=TILE, metavar="PX",
                        help="pixels a side that the network sees at once, 0: the whole image; the "
                             "result is the same, less takes less memory and more time (default "
                             f"{TILE})")
    parser.add_argument("--shifts", type=int, default=SHIFTS, metavar="N",
                        help="how often the network sees the image, moved along its grid: the mean "
                             "shows less of the grid in flat areas; 1, 2, 4, 8 or 16, 1 is fastest "
                             f"(default {SHIFTS})")
    return batch.run(
        lambda options: enhancer(options.method, options.tile, options.shifts, options.device,
                                 options.weights),
        parser.parse_args(arguments), enhancing=True,
    )


if __name__ == "__main__":
    sys.exit(main())
