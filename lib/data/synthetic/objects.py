"""What stands in a synthetic scene: buildings, trees, lamps, signs, benches, cars, people.

Every function paints one thing with its shadow and light on a canvas, at x metres right and z
metres forward; what the arguments leave open is drawn from `rng`. Shapes and colours are decoration
but for what follows from the weather: the sun on each face, the warmth of engines, rooms and skin.
"""

import math

import numpy as np

from lib.data.synthetic.canvas import Canvas, box, disc, flank, floor, rectangle, trapezoid
from lib.data.synthetic.materials import (
    ASPHALT,
    BARK,
    CLOTH,
    COATS,
    GLASS,
    HAIR,
    HEADLIGHT,
    LEAVES,
    METAL,
    RUBBER,
    SKIN,
    TAILLIGHT,
    TILES,
    VARNISH,
    WALL,
    WALLS,
    WOOD,
)


class Things(list):
    """What stands on the ground: order of drawing, number, drawing function, its arguments."""

    def put(self, draw, x: float, z: float, *rest, distance: float | None = None) -> None:
        self.append((-(z if distance is None else distance), len(self), draw, (x, z, *rest)))

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """From far to near, each with its own stream: walkers who pass each other stay the same."""
        drawn = int(rng.integers(2**63))
        for _, number, draw, arguments in sorted(self):
            draw(canvas, np.random.default_rng([drawn, number]), *arguments)


def building(canvas: Canvas, rng, x: float, z: float, side: int, far: float, height: float) -> None:
    """A block from x outward (side -1 left, 1 right), z to far, with windows and perhaps a roof."""
    u, weather = rng.uniform, canvas.weather
    albedo = WALLS[rng.integers(len(WALLS))]
    wall = WALL.but(albedo=albedo, heating=u(14, 20), tint=u(0.7, 1.15), inside=u(0, 1.5))
    inner, front = wall.but(sun=weather.on(-side, 0, 0)), wall.but(sun=weather.on(0, 0, -1))
    deep = x + side * u(9, 14)
    canvas.shadow(box(x, deep, height, z, far))
    if height < 9 and u() < 0.4:
        middle, top = (x + deep) / 2, height + u(1.5, 3)
        slope = [(x, height, z), (x, height, far), (middle, top, far), (middle, top, z)]
        canvas.paint(slope, TILES, sun=weather.on(-0.5 * side, 0.85, 0))
        canvas.paint([(x, height, z), (deep, height, z), (middle, top, z)], front)
    canvas.paint(flank(x, 0, height, z, far), inner)
    canvas.paint(rectangle(x, deep, 0, height, z), front)
    canvas.paint(flank(x, height - 0.35, height, z, far), inner, sun=0.0)  # cornice

    floors = max(1, int(height / 3.2))
    tall, wide = 0.5 * height / floors, u(1.1, 1.8)
    levels = (np.arange(floors) + 0.3) * height / floors

    def bays(start: float, stop: float) -> np.ndarray:
        number = max(1, int(abs(stop - start) / 3))
        return start + (np.arange(number) + 0.5) * (stop - start) / number - wide / 2

    windows = [flank(x, y, y + tall, at, at + wide) for y in levels for at in bays(z, far)]
    windows += [rectangle(a, a + wide, y, y + tall, z) for y in levels for a in bays(x, deep)]
    windows = np.array(windows)
    lit = u(size=len(windows)) < weather.night * u(0, 0.6)
    glow = ((0.35, 0.2975, 0.1925), (0.245, 0.3325, 0.35))[rng.integers(2)]
    canvas.paint(windows[~lit], GLASS)
    canvas.paint(windows[lit], GLASS, glow=glow, inside=u(2, 5), sky=0.35)


def tree(canvas: Canvas, rng, x: float, z: float, height: float) -> None:
    u = rng.uniform
    crown = height * u(0.25, 0.42)
    middle, trunk = height - crown, 0.02 * height + 0.08
    canvas.paint(rectangle(x - trunk, x + trunk, 0, middle, z), BARK)
    leaves = LEAVES.but(tint=u(0.6, 1.5) * u(0.8, 1.2, 3), inside=u(-0.5, 0.5))
    outline = disc(x, middle, z, crown, crown, 40, u(0.72, 1.12, 40))
    canvas.shadow(outline)
    canvas.paint(outline, leaves, sun=0.25)
    lean = 0.35 * np.sign(canvas.weather.to_sun[0])
    for _ in range(4 if z < 60 else 0):  # tufts that the sun reaches
        a, b = crown * rng.normal((lean, 0.2), 0.35)
        tuft = disc(x + a, middle + b, z, 0.42 * crown, 0.34 * crown, 14, u(0.6, 1.15, 14))
        canvas.paint(tuft, leaves, sun=0.65)


def bush(canvas: Canvas, rng, x: float, z: float, width: float, height: float) -> None:
    shape = disc(x, 0.4 * height, z, width / 2, 0.6 * height, 20, rng.uniform(0.8, 1.15, 20))
    canvas.shadow(shape)
    canvas.paint(shape, LEAVES, tint=rng.uniform(0.6, 1.6))


def lamp(canvas: Canvas, rng, x: float, z: float, height: float) -> None:
    on = canvas.weather.night and rng.uniform() < 0.9
    tip = x - np.sign(x) * 0.18 * height  # of the arm over the road
    canvas.shadow(rectangle(x - 0.1, x + 0.1, 0, height, z))
    canvas.paint(rectangle(x - 0.08, x + 0.08, 0, height, z), METAL)
    canvas.paint(rectangle(x, tip, height - 0.1, height, z), METAL)
    glow = 4.0 * on * canvas.weather.lamp_color
    head = METAL.but(glow=glow, emissivity=0.9, inside=18.0 * on)
    canvas.paint(disc(tip, height - 0.15, z, 0.35, 0.16, 10), head)
    canvas.pool(tip, z, height, 0.2 * on)


def sign(canvas: Canvas, rng, x: float, z: float) -> None:
    """A traffic sign or a traffic light."""
    canvas.paint(rectangle(x - 0.05, x + 0.05, 0, 2.4, z), METAL)
    if rng.uniform() < 0.5:
        color = COATS[rng.integers(len(COATS))]
        canvas.paint(disc(x, 2.5, z, 0.4, 0.4, 8), METAL, albedo=color, emissivity=0.85)
    else:
        green = rng.integers(2)
        glow = ((2.5, 0.1, 0.05), (0.1, 2.0, 1.0))[green]
        canvas.paint(rectangle(x - 0.2, x + 0.2, 2.2, 3.2, z), METAL, tint=0.2)
        canvas.paint(disc(x, 2.95 - 0.5 * green, z, 0.13, 0.13, 8), METAL, glow=glow, inside=3.0)


def bench(canvas: Canvas, rng, x: float, z: float) -> None:
    end = x + rng.uniform(1.4, 2.2)
    canvas.shadow(rectangle(x, end, 0, 0.8, z))
    canvas.paint(rectangle(x, end, 0.35, 0.85, z + 0.3), WOOD)
    canvas.paint(floor(x, end, z, z + 0.45, 0.42), WOOD)
    canvas.paint([rectangle(a, a + 0.08, 0, 0.42, z) for a in (x + 0.1, end - 0.2)], METAL)  # legs


def car(canvas: Canvas, rng, x: float, z: float, moving: bool, oncoming: bool) -> None:
    """A car from behind or in front, with the flank that faces the middle of the image."""
    u, weather = rng.uniform, canvas.weather
    wide, long, top = u(1.7, 1.95), u(3.8, 4.8), u(1.4, 1.9)
    belt, left, right = 0.55 * top, x - wide / 2, x + wide / 2
    inner = right if x < 0 else left
    warm = u(1, 4) if moving else u(0, 1.0) * (u() < 0.3)
    on = moving and (weather.night or u() < 0.3)
    body = VARNISH.but(albedo=COATS[rng.integers(6)], inside=0.5 * warm, tint=u(0.8, 1.2))
    shell = body.but(sun=weather.on(np.sign(inner - x), 0, 0))
    heat = warm if oncoming else 0.5 * warm  # the engine is in front
    face = body.but(sun=max(0.1, weather.on(0, 0, -1)), inside=heat)
    tyre = RUBBER.but(inside=1.0 + 2.0 * warm)
    canvas.shadow(box(left, right, top, z, z + long), moving)
    under = ASPHALT.but(tint=0.2, sun=0.0, inside=1.5 * warm, cooling=-1.0)
    canvas.paint(floor(left, right, z, z + long), under)

    def along(points) -> np.ndarray:
        """On the flank: points are (share of the length, height)."""
        return np.array([(inner, y, z + share * long) for share, y in points])

    canvas.paint(flank(inner, 0.3, belt, z, z + long), shell)
    canvas.paint(along(((0.05, belt), (0.75, belt), (0.6, top), (0.15, top))), shell)
    canvas.paint(along(((0.1, belt), (0.7, belt), (0.58, top - 0.1), (0.18, top - 0.1))), GLASS)
    for axle in (0.18, 0.82):
        canvas.paint(along(disc(axle, 0.33, 0, 0.33 / long, 0.33, 10)[:, :2]), tyre)
    canvas.paint([rectangle(a, a + 0.22, 0, 0.45, z) for a in (left + 0.1, right - 0.32)], tyre)

    canvas.paint(rectangle(left, right, 0.3, belt, z), face)
    cabin = trapezoid((left + 0.08, right - 0.08), (left + 0.25, right - 0.25), belt, top, z)
    canvas.paint(cabin, face)
    canvas.paint(cabin.mean(0) + (cabin - cabin.mean(0)) * (0.85, 0.78, 1), GLASS)
    canvas.paint(rectangle(left, right, 0.28, 0.45, z), RUBBER, inside=warm)  # bumper
    canvas.paint(rectangle(x - 0.26, x + 0.26, 0.5, 0.64, z), METAL, tint=3.3)  # plate
    if moving:  # exhaust or radiator
        canvas.paint(rectangle(x - 0.3, x + 0.3, 0.2, 0.42, z), RUBBER, inside=4 * warm)
    light = HEADLIGHT if oncoming else TAILLIGHT
    if not on:
        light = light.but(glow=(0.0, 0.0, 0.0), inside=0.0)
    pair = (left + 0.06, right - 0.36)
    canvas.paint([rectangle(a, a + 0.3, belt - 0.28, belt - 0.08, z) for a in pair], light)
    canvas.pool(x, z - 4, 3.0, 0.5 * on * oncoming)


def person(canvas: Canvas, rng, x: float, z: float, stride: float) -> None:
    """A walker; `stride` is the phase of the step, radians."""
    u = rng.uniform
    tall, bulk = u(1.55, 1.9), u(0.2, 0.27)
    hip, shoulder, swing = 0.5 * tall, 0.82 * tall, math.sin(stride)
    warmth = 32.5 - canvas.weather.air  # of bare skin, above air
    cover = warmth * u(0.35, 0.65)  # of clothes
    coat = CLOTH.but(albedo=COATS[rng.integers(len(COATS))], inside=cover, tint=u(0.5, 1.1))
    trousers = CLOTH.but(albedo=COATS[rng.integers(len(COATS))], inside=0.8 * cover)
    skin = SKIN.but(tint=u(0.35, 1.1), inside=warmth)
    canvas.shadow(rectangle(x - bulk, x + bulk, 0, tall, z), moving=True)
    for side in (-1, 1):
        foot, arm = x + side * 0.22 * swing, x + side * bulk
        hand = arm + side * (0.04 - 0.15 * swing)
        ankle, thigh = (foot - 0.07, foot + 0.07), (x - 0.09, x + 0.09)
        wrist, upper = (hand - 0.05, hand + 0.05), (arm - 0.06, arm + 0.06)
        canvas.paint(trapezoid(ankle, thigh, 0, hip, z), trousers)
        canvas.paint(trapezoid(wrist, upper, hip, shoulder, z), coat)
        canvas.paint(disc(hand, hip - 0.03, z, 0.06, 0.07, 6), skin)
    waist = (x - 0.75 * bulk, x + 0.75 * bulk)
    canvas.paint(trapezoid(waist, (x - bulk, x + bulk), hip - 0.05, shoulder, z), coat)
    canvas.paint(disc(x, 0.925 * tall, z, 0.1, 0.125), skin)
    canvas.paint(disc(x, 0.96 * tall, z, 0.1, 0.085), HAIR, inside=0.55 * warmth)
