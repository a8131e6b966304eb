"""Synthetic aligned visible and infrared pairs: streets (after FLIR) and parks (after OSU).

The embedded default where the real pairs are absent: enough to tell a working translation network
from a broken one, no substitute for real scenes. Here is what stands where; `rendering.py` turns
it into the two images.
"""

import math
import zlib

import numpy as np

from lib.data.synthetic.rendering import Canvas, Material, Weather, render

KINDS = ("street", "park")
FRAMES_PER_PARK = 25  # park frames of one index // 25 show one place

ASPHALT = Material((0.11, 0.11, 0.115), heating=26, cooling=-1, grain=0.2)
PAINT = Material((0.55, 0.55, 0.52), 0.90, heating=24, cooling=1)
CONCRETE = Material((0.33, 0.31, 0.28), 0.92, heating=22, cooling=2, grain=0.15)
GRASS = Material((0.07, 0.13, 0.03), 0.98, heating=7, cooling=6, grain=0.4)
LEAVES = Material((0.045, 0.10, 0.025), 0.98, heating=6, cooling=0.8, grain=0.75)
BARK = Material((0.10, 0.07, 0.05), heating=8, cooling=0, grain=0.3)
WALL = Material((1, 1, 1), 0.93, heating=17, cooling=-2)
GLASS = Material((0.035, 0.045, 0.055), 0.82, heating=4, cooling=2)
METAL = Material((0.15, 0.16, 0.17), 0.65, heating=10, cooling=2)
VARNISH = Material((1, 1, 1), 0.85, heating=20, cooling=3.5, grain=0.04)
RUBBER = Material((0.02, 0.02, 0.02), heating=8, cooling=0)
CLOTH = Material((1, 1, 1), 0.96, heating=6, cooling=0, grain=0.2)
SKIN = Material((0.45, 0.28, 0.2), 0.98, heating=3, cooling=0)

# albedo of walls; of coats, the first six of cars
WALLS = ((0.45, 0.4, 0.32), (0.28, 0.12, 0.08), (0.55, 0.53, 0.5), (0.35, 0.27, 0.18))
COLORS = ((0.6, 0.6, 0.6), (0.03, 0.03, 0.035), (0.35, 0.02, 0.02), (0.03, 0.06, 0.25),
          (0.3, 0.31, 0.32), (0.15, 0.16, 0.17), (0.5, 0.4, 0.1), (0.05, 0.15, 0.08))  # fmt: skip


def scene(
    kind: str, index: int, seed: int = 0, size: tuple[int, int] = (240, 320)
) -> tuple[np.ndarray, np.ndarray]:
    """One aligned pair: visible uint8 (H, W, 3) RGB and infrared uint8 (H, W), `size` = (H, W).

    'street': every index another street, by day or night. 'park': a fixed raised camera; indices
    with the same `scene_name` (25 in a row) show the same place while people walk through it.
    The same arguments give the same bytes. ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, not {kind!r}")
    number, frame = (index, 0) if kind == "street" else divmod(index, FRAMES_PER_PARK)
    key = [seed, zlib.crc32(kind.encode()), number]
    rng, place, shot = (np.random.default_rng([*key, *more]) for more in ([], [1], [2, index]))
    canvas = _street(rng, size) if kind == "street" else _park(rng, frame, size)
    return render(canvas, place, shot)


def scene_name(kind: str, index: int) -> str:
    """The place a pair shows, the unit of a split: 'street 00012', or 'park 003' 25 times."""
    return f"street {index:05d}" if kind == "street" else f"park {index // FRAMES_PER_PARK:03d}"


def _street(rng: np.random.Generator, size: tuple[int, int]) -> Canvas:
    """A straight street seen from a car's dashboard."""
    u, weather = rng.uniform, Weather(rng, (0.5, 0.2, 0.3))
    canvas = Canvas(size, weather, u(1.3, 1.9), u(-0.03, 0.09), u(0.85, 1.25))
    middle, half, walk = u(-2.5, 2.5), u(4.0, 8.0), u(1.5, 4.0)
    left, right = middle - half, middle + half
    canvas.paint(floor(-300, 300, 1, 250), (GRASS, CONCRETE)[rng.integers(2)])
    canvas.paint(floor(left - walk, right + walk, 1, 240), CONCRETE, 1.2)
    canvas.paint(floor(left, right, 1, 240), ASPHALT, u(0.6, 1.4))
    lines = [floor(x - 0.08, x + 0.08, 1, 200) for x in (left + 0.5, right - 0.5)]
    dashes = np.arange(u(1, 6), 120, u(6, 12))
    lines += [floor(middle - 0.08, middle + 0.08, z, z + 3) for z in dashes]
    canvas.paint(lines, PAINT, (1, 0.75, 0.2) if u() < 0.35 else 1)

    things = []  # drawing function, x, z, its other arguments
    for side in (-1, 1):
        edge = middle + side * half
        line, z = edge + side * (walk + u(0, 5)), u(3, 12)
        built, planted = u(0.2, 1.0), u(0.1, 0.9)
        while z < 130:  # houses and gardens
            near, z = z, z + u(7, 22)
            if u() < built:
                things.append((building, line + side * u(0, 2), z, near, side, u(3.5, 18)))
            else:
                things += [(tree, line + side * u(0, 10), at, u(5, 14)) for at in u(near, z, 2)]
            z += u(0, 5)
        planting = [z for z in np.arange(u(6, 16), 90, u(9, 16)) if u() < planted]
        things += [(tree, edge + side * u(1, walk), z, u(1.5, 9)) for z in planting]
        things += [(lamp, edge + side * 0.5, z, 7) for z in np.arange(u(10, 25), 110, 25)]
        parking = np.arange(u(5, 14), 60, u(7, 14)) if u() < 0.6 else ()
        things += [(car, edge - side * 1.2, z, False, u() < 0.5) for z in parking]
        for z in u(7, 70, rng.poisson(1.0)):  # one drives on the right
            things.append((car, middle + side * half / 2.6, z, True, side < 0))
        for z in u(5, 35, rng.poisson(1.8)):  # on the pavement, some on the road
            things.append((person, edge + side * u(-1, walk), z, u(0, 6.3)))
    canvas.lamps.append((0, 7, 9, 0.15 * weather.night))  # the camera car's own head lamps
    return _draw(canvas, things, rng)


def _park(rng: np.random.Generator, frame: int, size: tuple[int, int]) -> Canvas:
    """A park seen from a mast, `frame` seconds after the first of its frames."""
    u, height, pitch = rng.uniform, rng.uniform(6, 11), rng.uniform(0.38, 0.55)
    canvas = Canvas(size, Weather(rng, (0.65, 0.25, 0.1)), height, pitch, u(1.1, 1.6))
    reach = height / math.tan(pitch)  # the centre of the image on the ground
    grounds, first = [(GRASS, u(0.7, 1.3, 3)), (CONCRETE, u(0.6, 1.1))], rng.integers(2)
    canvas.paint(floor(-90, 90, 0.5, 120), *grounds[first])
    canvas.paint(floor(u(-18, -4), u(4, 18), 0.5, u(1, 2) * reach), *grounds[1 - first])
    (a, b), wide = u(-9, 9, 2), u(1.5, 3)
    for w, material in ((wide + 0.3, PAINT), (wide, ASPHALT)):  # a path with its kerb
        canvas.paint(upright(a - w, a + w, 0.5, 3 * reach, 0, lean=b - a)[:, (0, 2, 1)], material)
    side, z = rng.choice((-1, 1)), u(1.5, 2.2) * reach
    things = [(building, side * u(-12, 2), z + 20, z, side, u(5, 12))]
    for z in u(0.6, 2.4, rng.integers(3, 10)) * reach:  # trees and bushes
        things.append((tree, u(-14, 14), z, u(0.8, 2) if u() < 0.5 else u(3.5, 7)))
    for z in u(0.7, 1.8, rng.integers(1, 4)) * reach:
        things.append((lamp, u(-8, 8), z, 4.0))
    for z in u(0.6, 1.6, rng.integers(2, 6)) * reach:  # everyone walks a line at a pace
        heading, travelled = u(0, 2 * np.pi), u(0.3, 0.9) * (frame - FRAMES_PER_PARK / 2)
        z = max(z + travelled * math.sin(heading), 1.5)
        things.append((person, u(-5, 5) + travelled * math.cos(heading), z, 2.2 * travelled))
    return _draw(canvas, things, rng)


def _draw(canvas: Canvas, things: list[tuple], rng: np.random.Generator) -> Canvas:
    """From far to near, each with its own stream: walkers who pass each other stay the same."""
    streams = zip(things, rng.spawn(len(things)), strict=True)
    for (draw, *arguments), stream in sorted(streams, key=lambda pair: -pair[0][2]):
        draw(canvas, stream, *arguments)
    return canvas


# Each paints one thing at x metres right and z forward, with its shadow; the rest is drawn from rng


def building(canvas: Canvas, rng, x: float, z: float, near: float, side: int, height: float):
    """A block from x outward (side -1 left, 1 right), near to z, with windows, some lit at night.

    Its z is the far end, so that it is drawn before what stands beside it on the pavement.
    """
    u, across = rng.uniform, sorted((x, x + side * 12))
    color = np.array(WALLS[rng.integers(4)]) * u(0.7, 1.15)
    shining = canvas.weather.night * u(0, 0.6)
    floors = np.arange(0.3, max(1, int(height / 3.2))) * 3.2
    canvas.shadow([*floor(*across, near, z), *floor(*across, near, z, height)])
    for start, stop, at, turned in ((near, z, x, -1), (*across, near, 1)):
        canvas.paint(upright(start, stop, 0, height, at)[:, ::turned], WALL, color)
        bays = np.arange(start + 0.8, stop - 1.4, 3)
        panes = [upright(a, a + 1.4, y, y + 1.6, at)[:, ::turned] for y in floors for a in bays]
        panes, lit = np.array(panes), u(size=len(panes)) < shining
        canvas.paint(panes[~lit], GLASS)
        canvas.paint(panes[lit], GLASS, glow=(0.35, 0.3, 0.19), inside=4)


def tree(canvas: Canvas, rng, x: float, z: float, height: float) -> None:
    u, crown, trunk = rng.uniform, height * rng.uniform(0.25, 0.42), 0.02 * height + 0.05
    tint, y = u(0.6, 1.5) * u(0.8, 1.2, 3), height - crown
    outline = disc(x, y, z, crown, crown, u(0.72, 1.12, 40))
    canvas.shadow(outline)
    canvas.paint(upright(x - trunk, x + trunk, 0, y, z), BARK)
    canvas.paint(outline, LEAVES, 0.7 * tint)
    tufts = [disc(x + a, y + b, z, 0.42 * crown, 0.34 * crown, u(0.6, 1.15, 14))
             for a, b in crown * rng.normal((0, 0.25), 0.3, (3, 2))]  # fmt: skip
    canvas.paint(tufts, LEAVES, 1.4 * tint, heating=9)


def lamp(canvas: Canvas, rng, x: float, z: float, height: float) -> None:
    tip, on = x - np.sign(x) * 0.18 * height, canvas.weather.night  # of the arm over the road
    pole = upright(x - 0.08, x + 0.08, 0, height, z)
    canvas.shadow(pole)
    canvas.paint([pole, upright(x, tip, height - 0.1, height, z)], METAL)
    head, glow = disc(tip, height - 0.15, z, 0.35, 0.16), (4.0 * on, 2.8 * on, 1.4 * on)
    canvas.paint(head, METAL, glow=glow, inside=18.0 * on)
    canvas.lamps += [(tip, height, z, 0.2)] * on


def car(canvas: Canvas, rng, x: float, z: float, moving: bool, oncoming: bool) -> None:
    """From behind or in front, with the flank that faces the middle of the image."""
    u, on = rng.uniform, bool(moving and canvas.weather.night)
    wide, end, top, warm = u(0.85, 0.97), z + u(3.8, 4.8), u(1.4, 1.9), u(1, 4) * moving
    belt, left, right, inner = 0.55 * top, x - wide, x + wide, x - wide * np.sign(x)
    color = np.array(COLORS[rng.integers(6)]) * u(0.8, 1.2)
    canvas.shadow([*floor(left, right, z, end), *floor(left, right, z, end, top)], moving)
    canvas.paint(floor(left, right, z, end), RUBBER, heating=0, inside=1.5 * warm)
    # the flank, its far end sloping, then the face; the engine is in front, the exhaust behind
    for a, b, at, turned, tyre, slope, lean, heat in (
        (z, end, inner, -1, 0.6, 0.35, -0.35, 0.5 * warm),
        (left, right, z, 1, 0.22, 0.08, 0.0, warm * (0.5 + oncoming)),
    ):
        tyres = [upright(c, c + tyre, 0, 0.5, at) for c in (a + tyre / 2, b - 1.5 * tyre)]
        shell = [upright(a, b, 0.35, belt, at), upright(a, b, belt, top, at, slope, lean)]
        glass = upright(a + 0.2, b - 0.2, belt, top - 0.1, at, slope, lean)
        canvas.paint(np.array(tyres)[..., ::turned], RUBBER, inside=2 + 3 * warm)
        canvas.paint(np.array(shell)[..., ::turned], VARNISH, color, inside=heat)
        canvas.paint(glass[:, ::turned], GLASS)
    shine = np.array((3.3, 3.2, 2.8) if oncoming else (2.2, 0.12, 0.1))
    lights = [upright(a, a + 0.3, belt - 0.28, belt - 0.08, z) for a in (left, right - 0.3)]
    canvas.paint(lights, METAL, shine, glow=tuple(shine * on), inside=6.0 * on)
    canvas.lamps += [(x, 3.0, z - 4, 0.4)] * (on and oncoming)


def person(canvas: Canvas, rng, x: float, z: float, stride: float) -> None:
    """A walker; `stride` is the phase of the step, radians."""
    u, step = rng.uniform, 0.22 * math.sin(stride)
    tall, bulk, warmth = u(1.55, 1.9), u(0.2, 0.27), 32.5 - canvas.weather.air  # skin above air
    coat, trousers = (np.array(COLORS[k]) * u(0.6, 1.1) for k in rng.integers(8, size=2))
    body, cover = upright(x - bulk, x + bulk, 0.47 * tall, 0.83 * tall, z, 0.04), u(0.35, 0.65)
    legs = [upright(x + foot - 0.08, x + foot + 0.08, 0, 0.5 * tall, z, lean=hip - foot)
            for foot, hip in ((step - 0.1, -0.09), (0.1 - step, 0.09))]  # fmt: skip
    canvas.shadow(upright(x - bulk, x + bulk, 0, tall, z), moving=True)
    canvas.paint(legs, CLOTH, trousers, inside=0.8 * cover * warmth)
    canvas.paint(body, CLOTH, coat, inside=cover * warmth)
    canvas.paint(disc(x, 0.92 * tall, z, 0.1, 0.14), SKIN, u(0.35, 1.1), inside=warmth)
    canvas.paint(disc(x, 0.96 * tall, z, 0.1, 0.085), CLOTH, 0.03, inside=0.55 * warmth)  # hair


# Shapes, all (N, 3)


def upright(x0, x1, y0, y1, z, narrow=0.0, lean=0.0) -> np.ndarray:
    """A trapezoid that faces the camera: on top narrower on each side, and shifted. Read from z to
    x, `[:, ::-1]`, it lies along the line of sight."""
    top0, top1 = x0 + lean + narrow, x1 + lean - narrow
    return np.array(((x0, y0, z), (x1, y0, z), (top1, y1, z), (top0, y1, z)))


def floor(x0: float, x1: float, z0: float, z1: float, y=0.0) -> np.ndarray:
    """A level rectangle."""
    return np.array(((x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)))


def disc(x: float, y: float, z: float, rx: float, ry: float, rough=np.ones(12)) -> np.ndarray:
    """An upright ellipse, its radius scaled by `rough` (N,)."""
    angle = np.arange(len(rough)) * (2 * np.pi / len(rough))
    across, up = rx * rough * np.cos(angle), ry * rough * np.sin(angle)
    return np.array((x + across, y + up, np.full(len(rough), z))).T
