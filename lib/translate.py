"""Make infrared images of visible ones of one's own.

    python -m lib.translate photo.png folder --out infrared
"""

import sys

from lib.own_images import batch
from lib.own_images.methods import GN_CYCLE_GAN, translator
from lib.own_images.passes import LIMIT


def main(arguments: list[str] | None = None) -> int:
    parser = batch.parser("lib.translate", __doc__.splitlines()[0])
    parser.add_argument("--method", default=GN_CYCLE_GAN, metavar="NAME",
                        help=f"{GN_CYCLE_GAN} (default) or what else is in --weights")
    parser.add_argument("--limit", type=int, default=LIMIT, metavar="PX",
                        help="the network has to see an image whole: one of more than PX x PX "
                             f"pixels is reduced and the result enlarged (default {LIMIT})")
    return batch.run(
        lambda options: translator(options.method, options.limit, options.device, options.weights),
        parser.parse_args(arguments), enhancing=False,
    )


if __name__ == "__main__":
    sys.exit(main())
