"""Images of one's own: enhancement and translation of arrays and of files.

    from lib.own_images import enhance
    out = enhance(array)          # any type and size; see `lib.own_images.methods`

    files      reading and writing PNG, JPEG, TIFF and radiometric FLIR JPEG
    tone       grey values: into the range that a network was trained on, and out
    passes     an image of any size through a network: padding, tiles
    shipped    the weights in data/weights
    ship       python -m lib.own_images.ship: make them from a run
    methods    one array in, one out: `enhance`, `translate`
    batch      many files, for `lib.enhance` and `lib.translate`
"""

from lib.own_images.methods import enhance, translate

__all__ = ["enhance", "translate"]
