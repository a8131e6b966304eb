"""One array in, one array out: every method for images of one's own.

Of the methods for enhancement `he`, `clahe`, `gf`, `ssr` and `msr` need no weights
(`lib.evaluation.classical`), `tonemap` needs the numbers that are shipped with `2dgan`. The rest,
and all for translation, are what is shipped (`lib.own_images.shipped`).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib.data.images import check_values
from lib.evaluation import classical
from lib.machine import choose_device
from lib.own_images import shipped, tone
from lib.own_images.files import depth_of
from lib.own_images.passes import (
    LEAST, LIMIT, SHIFTS, TILE, check_shifts, enhance_levels, reduced_size, translate_levels,
)
from lib.own_images.shipped import ENHANCEMENT, FOLDER, TRANSLATION
from lib.training.recipes.untrained import set_tone

CLASSICAL = {name.lower(): name for name in classical.METHODS}
TONE_MAP = "tonemap"
TWO_D_GAN, GN_CYCLE_GAN = "2dgan", "gn_cyclegan"

# (H, W) or (H, W, 3), any real type -> levels (H, W) float32, 0..255, and what happened to this
# image besides the method
Method = Callable[[np.ndarray], tuple[np.ndarray, tuple[str, ...]]]


def enhance(
    image: np.ndarray, method: str = TWO_D_GAN, *, depth: str | int = "same", tile: int = TILE,
    shifts: int = SHIFTS, device: str = "auto", weights: str | Path = FOLDER,
) -> np.ndarray:
    """An enhanced copy of an image of any size: (H, W) or RGB (H, W, 3) -> grey (H, W).

    image: of any real type; only the order and the distances of its values matter, not their range
        (`lib.own_images.tone`). RGB becomes grey, ITU-R 601 luma.
    method: 2dgan, tonemap, he, clahe, gf, ssr, msr, or what else is in `weights`.
    depth: of the result, 8 or 16 bits; "same": 8 for bytes, 16 for all else. It uses the whole
        range, 0..255 or 0..65535: a picture to look at, no longer counts or temperatures.
    tile: pixels a side that the network sees at once, 0 for the whole image; changes memory alone.
    shifts: places of the network's grid that are averaged, 1, 2, 4, 8 or 16: the more, the less of
        it shows in flat areas, and the longer it takes.
    device: auto, cpu or cuda.

    Raises ValueError for NaN, another shape or type, a name or number of shifts that there is not,
    and below 16 x 16 pixels where a method has a network; FileNotFoundError where weights are
    missing.
    """
    return _result(enhancer(method, tile, shifts, device, Path(weights)), image, depth)


def translate(
    image: np.ndarray, method: str = GN_CYCLE_GAN, *, depth: str | int = "same",
    limit: int = LIMIT, device: str = "auto", weights: str | Path = FOLDER,
) -> np.ndarray:
    """A visible image as infrared: RGB (H, W, 3), or grey (H, W), repeated -> grey (H, W).

    image: bytes are taken as they are, other types are stretched to 0..255 first.
    limit: an image of more than limit^2 pixels is reduced to that and the result enlarged, as the
        network has to see it whole (`lib.own_images.passes`).
    depth, device, weights and errors as for `enhance`.
    """
    return _result(translator(method, limit, device, Path(weights)), image, depth)


def enhancer(method: str, tile: int, shifts: int, device: str, weights: Path) -> Method:
    """A method for enhancement. Raises as `enhance` does, before any image is seen."""
    target = choose_device(device)
    if tile < 0:
        raise ValueError(f"a tile of {tile} pixels is none")
    if shifts < 1:
        raise ValueError(f"with {shifts} shifts nothing is seen; 1 is the image as it is")
    if method in CLASSICAL:
        classic = classical.METHODS[CLASSICAL[method]]
        return lambda image: (classic(tone.as_bytes(tone.grey(image))).astype(np.float32), ())
    known = _known(TWO_D_GAN if method == TONE_MAP else method, ENHANCEMENT, weights, asked=method)
    network = None
    if method != TONE_MAP:
        network = shipped.load(method, weights, target, known["sha256"])
        check_shifts(shifts, 2 ** len(network.config.widths))
    seen = tone.Tone(**known["tone"])

    def run(image: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        levels = seen.levels(tone.grey(image))
        share = seen.beyond(levels)
        remarks = (f"{share:.1%} outliers cut off",) if share >= 0.0005 else ()
        if network is not None:
            return enhance_levels(network, levels, tile, shifts), remarks
        fitted = np.array(known["tone_map"])
        return set_tone(levels[None], fitted)[0].astype(np.float32), remarks

    return run


def translator(method: str, limit: int, device: str, weights: Path) -> Method:
    """A method for translation. Raises as `translate` does, before any image is seen."""
    target = choose_device(device)
    if limit < LEAST:
        raise ValueError(f"a limit of {limit} pixels leaves nothing to see")
    known = _known(method, TRANSLATION, weights, asked=method)
    network = shipped.load(method, weights, target, known["sha256"])

    def run(image: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        image = tone.as_bytes(image)
        image = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
        height, width = reduced_size(image.shape[:2], limit)
        remark = f"translated at {width}x{height} and enlarged, see --limit"
        levels = translate_levels(network, image.astype(np.float32), limit)
        return levels, (remark,) if (height, width) != image.shape[:2] else ()

    return run


def available(task: str, weights: Path) -> list[str]:
    """The names of the methods that work with the weights that are there."""
    found = shipped.names(task, weights)
    if task == TRANSLATION:
        return found
    return [*found, *([TONE_MAP] if TWO_D_GAN in found else []), *sorted(CLASSICAL)]


def _known(name: str, task: str, weights: Path, asked: str) -> dict:
    """What is shipped under the name that the method `asked` needs, else an error that says which
    methods there are."""
    if name in shipped.names(task, weights):
        return shipped.about(name, weights)
    choice = f"what works here: {', '.join(available(task, weights)) or 'nothing yet'}"
    if name in (TWO_D_GAN, GN_CYCLE_GAN):
        raise FileNotFoundError(f"{asked} needs {weights / name}.json and .safetensors, which are "
                                f"not there; {choice}")
    raise ValueError(f"no method {name!r} for {task}; {choice}")


def _result(run: Method, image: np.ndarray, depth: str | int) -> np.ndarray:
    """What a method makes of an array, 8 or 16 bits. Raises ValueError for what none takes."""
    check_values(image, "image")
    if str(depth) not in ("same", "8", "16"):
        raise ValueError(f"no depth {depth!r}; there are same, 8, 16")
    levels, _ = run(image)
    return tone.to_depth(levels, depth_of(image) if depth == "same" else int(depth))
