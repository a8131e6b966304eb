"""Synthetic aligned visible and infrared pairs: streets (after FLIR) and parks (after OSU).

The embedded default where the real pairs are absent: enough to tell a working translation network
from a broken one, no substitute for real scenes. This file lays out a street and a park, the rest
is in `lib/data/scenes`, in the order in which an image comes about:

    materials.py    albedo, emissivity, heating of what the world is made of; the weather
    objects.py      buildings, trees, cars, people as polygons in metres
    canvas.py       their perspective, in one map of labels
    sensors.py      the visible and the infrared image, both looked up from those labels

Physics: pinhole perspective; sun, sky and cast shadows on Lambertian albedo in the visible; in the
infrared a linear steady-state surface balance (sunlight absorbed, night-time radiative cooling,
heat from inside: bodies, engines, rooms), grey-body emission over 7.5-13 um plus reflected sky,
haze, blur, sensor noise (NETD) and plateau equalisation as the camera's gain control. Standing
things leave a cool shadow, moving ones none: the ground has no time to cool.

So the infrared follows from materials, sun and shadow that the visible image shows, but not from
its grey level: bright sky is cold, dark asphalt hot, people warm whatever they wear.
"""

import math
import zlib

import numpy as np

from lib.data.synthetic.canvas import LEVEL, Camera, Canvas, disc, floor
from lib.data.synthetic.materials import ASPHALT, CONCRETE, GRASS, LEAVES, PAINT, SOIL, draw_weather
from lib.data.synthetic.objects import Things, bench, building, bush, car, lamp, person, sign, tree
from lib.data.synthetic.sensors import develop, infrared, visible

KINDS = ("street", "park")
FRAMES_PER_PARK = 25  # park frames of one index // 25 show one place


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
    number = index if kind == "street" else index // FRAMES_PER_PARK
    key = [seed, zlib.crc32(kind.encode()), number]
    rng, place = np.random.default_rng(key), np.random.default_rng([*key, 1])
    shot = np.random.default_rng([*key, 2, index])
    canvas = _street(rng, size) if kind == "street" else _park(rng, index % FRAMES_PER_PARK, size)
    pixels = develop(canvas, place)
    gain, columns = place.uniform(0.8, 1.5), place.normal(0, 0.06, size[1])
    return visible(pixels, gain, shot), infrared(pixels, columns, shot)


def scene_name(kind: str, index: int) -> str:
    """The place a pair shows, the unit of a split: 'street 00012', or 'park 003' 25 times."""
    if kind == "street":
        return f"street {index:05d}"
    return f"park {index // FRAMES_PER_PARK:03d}"


def _street(rng: np.random.Generator, size: tuple[int, int]) -> Canvas:
    """A straight street seen from a car's dashboard."""
    u = rng.uniform
    weather = draw_weather(rng, "street")
    canvas = Canvas(Camera(size, u(1.3, 1.9), u(-0.03, 0.09), u(0.85, 1.25)), weather)
    middle, half, walk = u(-2.5, 2.5), u(4.0, 8.0), u(1.5, 4.0)
    _road(canvas, rng, middle, half, walk)

    things = Things()
    lamp_height = u(5, 8)
    for side in (-1, 1):
        edge = middle + side * half
        line = edge + side * (walk + u(0, 5))
        built, planted = u(0.2, 1.0), u(0.1, 0.9)
        z = u(3, 12)
        while z < 130:  # houses and gardens
            far, x = z + u(7, 22), line + side * u(0, 2)
            if u() < built:
                height = u(3.5, 8) if u() < 0.6 else u(9, 22)
                # drawn before what stands beside it on the pavement, though its near end is nearer
                things.put(building, x, z, side, far, height, distance=far)
            else:
                for at in u(z, far, rng.integers(1, 4)):
                    things.put(tree, x + side * u(0, 10), at, u(5, 14))
            z = far + u(0, 5)
        for z in np.arange(u(6, 16), 90, u(9, 16)):
            if u() < planted:
                things.put(tree, edge + side * (0.5 + u(0.3, walk)), z, u(4, 9))
            if u() < 0.25:
                things.put(bush, edge + side * (walk + 0.5), z + 2, u(1, 4), u(0.6, 1.5))
        for z in np.arange(u(10, 25), 110, u(18, 30)):
            things.put(lamp, edge + side * 0.5, z, lamp_height)
        if u() < 0.6:
            things.put(sign, edge + side * 0.7, u(8, 30))
        if u() < 0.6:  # parked cars
            for z in np.arange(u(5, 14), 60, u(5.8, 9)):
                if u() < 0.6:
                    things.put(car, edge - side * 1.2, z, False, u() < 0.5)
        for _ in range(rng.poisson(1.6)):
            things.put(person, edge + side * u(0.4, walk), u(5, 35), u(0, 6.3))
    for lane, oncoming in ((middle - half / 2.6, True), (middle + half / 2.6, False)):
        for _ in range(rng.poisson(1.0)):
            things.put(car, lane, u(7, 70), True, oncoming)
    if u() < 0.25:  # someone crosses
        things.put(person, u(middle - half, middle + half), u(7, 25), u(0, 6.3))
    things.draw(canvas, rng)
    canvas.pool(0, 9, 7, 0.15)  # the camera car's own head lamps
    return canvas


def _road(canvas: Canvas, rng: np.random.Generator, middle: float, half: float, walk: float):
    """Hills, verge, pavement `walk` metres wide, asphalt of twice `half` with wear and marks."""
    u, up = rng.uniform, canvas.weather.to_sun[1]
    left, right = middle - half, middle + half
    ridge = [(x, u(2, 22), 250) for x in np.linspace(-260, 260, 24)]
    hills = LEAVES if u() < 0.6 else LEAVES.but(albedo=(0.2, 0.17, 0.12), heating=10)
    canvas.paint([*ridge, (260, 0, 250), (-260, 0, 250)], hills, grain=0.3)
    verge = (GRASS, CONCRETE, SOIL)[rng.choice(3, p=(0.45, 0.4, 0.15))].but(sun=up)
    pavement = CONCRETE.but(sun=up, inside=-0.5)
    asphalt = ASPHALT.but(tint=u(0.7, 1.8), sun=up)
    canvas.paint(floor(-300, 300, 1, 250), verge)
    canvas.paint(floor(left - walk, right + walk, 1, 240), pavement)
    canvas.paint(floor(left - 0.2, right + 0.2, 1, 240), pavement, tint=1.3)  # kerb
    canvas.paint(floor(left, right, 1, 240), asphalt)
    for lane in (middle - half / 2, middle + half / 2):  # wheel tracks: polished dark, rubbed warm
        tracks = [floor(lane + s - 0.3, lane + s + 0.3, 1, 200) for s in (-0.8, 0.8)]
        canvas.paint(tracks, asphalt, tint=0.85, inside=u(0.0, 0.5))
    for _ in range(rng.integers(0, 4)):  # patches of newer asphalt
        x, z = u(left, right - 1), u(4, 30)
        patch = floor(x, x + u(0.6, 2.5), z, z + u(1, 5))
        canvas.paint(patch, asphalt, albedo=(0.05, 0.05, 0.05), inside=u(-1, 1))
    paint = PAINT.but(sun=up, albedo=(0.5, 0.38, 0.08) if u() < 0.35 else PAINT.albedo)
    dash = u(2, 5)
    dashes = np.arange(u(1, 6), 120, 2.5 * dash)
    canvas.paint([floor(middle - 0.09, middle + 0.09, z, z + dash) for z in dashes], paint)
    if u() < 0.7:
        canvas.paint([floor(x - 0.07, x + 0.07, 1, 200) for x in (left + 0.5, right - 0.5)], paint)
    if u() < 0.35:  # a crossing
        z, bars = u(5, 20), np.arange(left + 0.4, right - 0.8, 1.0)
        canvas.paint([floor(x, x + 0.5, z, z + 3) for x in bars], paint)


def _park(rng: np.random.Generator, frame: int, size: tuple[int, int]) -> Canvas:
    """A park or square seen from a mast, `frame` seconds after the first of its frames."""
    u = rng.uniform
    weather = draw_weather(rng, "park")
    camera = Camera(size, u(6, 11), u(0.38, 0.55), u(1.1, 1.6))
    canvas = Canvas(camera, weather)
    reach = camera.height / math.tan(camera.pitch)  # the centre of the image on the ground
    _lawn(canvas, rng, reach)

    things = Things()
    if u() < 0.85:
        side, z = rng.choice((-1, 1)), u(1.5, 2.2) * reach
        x = -side * u(-2, 12)
        things.put(building, x, z, side, z + u(10, 20), u(5, 12))
        things.put(building, -x, z + 12, -side, z + 40, u(5, 12), distance=z + 25)
    for _ in range(rng.integers(1, 5)):
        things.put(tree, rng.choice((-1, 1)) * u(4, 14), u(1.0, 2.4) * reach, u(3.5, 7))
    for _ in range(rng.integers(2, 9)):
        things.put(bush, u(-12, 12), u(0.5, 2.0) * reach, u(0.8, 3), u(0.5, 1.2))
    for _ in range(rng.integers(1, 4)):
        things.put(lamp, u(-8, 8), u(0.7, 1.8) * reach, 4.0)
    for _ in range(rng.integers(0, 3)):
        things.put(bench, u(-8, 8), u(0.7, 1.8) * reach)
    if u() < 0.4:
        things.put(car, u(-10, 10), u(1.2, 2) * reach, False, u() < 0.5)
    for _ in range(rng.integers(2, 6)):  # everyone walks a line at a pace; a frame is a second
        heading, travelled = u(0, 2 * np.pi), u(0.3, 0.9) * (frame - FRAMES_PER_PARK / 2)
        x = u(-5, 5) + travelled * math.cos(heading)
        z = u(0.6, 1.6) * reach + travelled * math.sin(heading)
        things.put(person, x, max(z, 1.5), 2.2 * travelled)
    things.draw(canvas, rng)
    return canvas


def _lawn(canvas: Canvas, rng: np.random.Generator, reach: float) -> None:
    """Lawn on paving or paving on a lawn, a winding path and round beds."""
    u, up = rng.uniform, canvas.weather.to_sun[1]
    lawn = GRASS.but(tint=u(0.7, 1.3, 3), sun=up)
    paving = CONCRETE.but(tint=u(0.6, 1.1), sun=up)
    kerb = CONCRETE.but(sun=up, albedo=(0.5, 0.47, 0.42))
    base, plaza = (lawn, paving) if u() < 0.5 else (paving, lawn)
    canvas.paint(floor(-90, 90, 0.5, 120), base)
    near = (u(-14, -4), 0, 0.5), (u(4, 14), 0, 0.5)
    canvas.paint([*near, (u(2, 18), 0, u(1, 2) * reach), (u(-18, -2), 0, u(1, 2) * reach)], plaza)
    along = np.linspace(0, 1, 24)  # a path as a ribbon along a bent line
    middle = u(-8, 8) * (1 - along) + u(-14, 14) * along + u(-9, 9) * np.sin(np.pi * along)
    wide, path = u(1.2, 2.5), paving.but(albedo=(1, 0.95, 0.9), tint=u(0.12, 0.4))
    for half, material in ((wide + 0.25, kerb), (wide, path)):
        x = np.concatenate((middle - half, (middle + half)[::-1]))
        z = 1 + 2.6 * reach * np.concatenate((along, along[::-1]))
        canvas.paint(np.stack((x, 0 * x, z), -1), material)
    for _ in range(rng.integers(1, 4)):  # beds
        ring = disc(0, 0, 0, u(1, 3.5), u(1, 3.5), 24, u(0.9, 1.1, 24))[:, LEVEL]
        centre = (u(-9, 9), 0, u(0.6, 1.6) * reach)
        canvas.paint(1.12 * ring + centre, kerb)
        canvas.paint(ring + centre, SOIL, sun=up)
