"""Synthetic aligned visible and infrared pairs: streets (after FLIR) and parks (after OSU).

The embedded default where the real pairs are absent: enough to tell a working translation network
from a broken one, no substitute for real scenes. One world of polygons in metres is projected once
into a label map; both images are looked up from the same labels, so a pair is aligned exactly.

Physics: pinhole perspective; sun, sky and cast shadows on Lambertian albedo in the visible; in the
infrared a linear steady-state surface balance (sunlight absorbed, night-time radiative cooling,
heat from inside: bodies, engines, rooms), grey-body emission over 7.5-13 um plus reflected sky,
haze, blur, sensor noise (NETD) and plateau equalisation as the camera's gain control. Standing
things leave a cool shadow, moving ones none: the ground has no time to cool.
Plausible, not measured: the materials' albedo, emissivity, heating and cooling.
Decoration: shapes, colours, textures, and the glow of lamps: a blur of what shines.

So the infrared follows from materials, sun and shadow that the visible image shows, but not from
its grey level: bright sky is cold, dark asphalt hot, people warm whatever they wear.
"""

import math
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from lib.data.thermal_faces import band_radiance, grey_body

KINDS = ("street", "park")
FRAMES_PER_PARK = 25  # park frames of one index // 25 show one place
NETD_KELVIN = 0.09
_TILE = 256


class Material(NamedTuple):
    """Albedo and glow are linear RGB; heating, cooling, inside in K; textures relative and K."""

    albedo: tuple[float, float, float]
    emissivity: float = 0.95
    heating: float = 18.0  # above air, in full sun at normal incidence, were it black
    cooling: float = 3.0  # below air under a clear night sky
    inside: float = 0.0  # above air by its own heat
    sun: float = 1.0  # cosine of the sun's incidence
    sky: float = 0.3  # share of sky in what it reflects
    grain: float = 0.1  # texture of the albedo
    thermal_grain: float = 0.3  # texture of the temperature, K
    ground: float = 0.0  # 1: takes shadows, texture in perspective
    glow: tuple[float, float, float] = (0.0, 0.0, 0.0)


ASPHALT = Material((0.09, 0.09, 0.095), 0.95, 26, 1.0, sky=0.9, grain=0.22, ground=1)
PAINT = Material((0.55, 0.55, 0.52), 0.90, 24, 2.0, sky=0.9, grain=0.12, ground=1)
CONCRETE = Material((0.33, 0.31, 0.28), 0.92, 22, 2.0, sky=0.9, grain=0.15, ground=1)
GRASS = Material((0.07, 0.13, 0.03), 0.98, 7, 6.0, sky=0.9, grain=0.4, thermal_grain=0.9, ground=1)
SOIL = Material((0.13, 0.08, 0.05), 0.94, 17, 3.5, sky=0.9, grain=0.4, thermal_grain=1.4, ground=1)
LEAVES = Material((0.045, 0.10, 0.025), 0.98, 5, 0.8, sun=0.45, grain=0.75, thermal_grain=1.0)
BARK = Material((0.10, 0.07, 0.05), 0.95, 8, 0.0, sun=0.4, grain=0.3, thermal_grain=0.5)
GLASS = Material((0.035, 0.045, 0.055), 0.82, 4, 2.0, sky=0.55, grain=0.15)
METAL = Material((0.15, 0.16, 0.17), 0.65, 10, 2.0, sun=0.5, sky=0.5, grain=0.1)
RUBBER = Material((0.02, 0.02, 0.02), 0.95, 8, 0.0, inside=5.0, sun=0.3, grain=0.1)
SKY = Material((1, 1, 1), 1.0, 0, 0, sun=0, sky=1, grain=0, thermal_grain=0)
TILES = Material((0.25, 0.1, 0.06), 0.93, 24, 3.0, sky=0.7)
WOOD = Material((0.16, 0.09, 0.04), 0.93, 14, 3.0, sun=0.6)
CLOTH = Material((0.2, 0.2, 0.2), 0.96, 6, 0.0, sun=0.5, grain=0.15, thermal_grain=0.8)
HAIR = Material((0.04, 0.03, 0.02), 0.96, 8, 0.0, sun=0.5)
SKIN = Material((0.45, 0.28, 0.2), 0.98, 3, 0.0, sun=0.5, grain=0.05)
WALLS = (
    (0.45, 0.40, 0.32),
    (0.28, 0.12, 0.08),
    (0.55, 0.53, 0.5),
    (0.35, 0.27, 0.18),
    (0.2, 0.2, 0.21),
)
COATS = (
    (0.6, 0.6, 0.6), (0.03, 0.03, 0.035), (0.35, 0.02, 0.02), (0.03, 0.06, 0.25), (0.3, 0.31, 0.32),
    (0.15, 0.16, 0.17), (0.5, 0.4, 0.1), (0.05, 0.15, 0.08),
)  # fmt: skip


@dataclass(frozen=True)
class Weather:
    """Light and heat of one scene; temperatures in C, light relative to full sun."""

    night: bool
    sun: float
    sky_light: float
    sun_color: np.ndarray
    sky_color: np.ndarray
    to_sun: np.ndarray  # unit vector: right, up, forward
    stored_heat: float  # share of the day's heating that the surfaces hold
    cooling: float  # share of the clear-night cooling
    air: float
    zenith: float  # apparent infrared temperature straight up
    clouds: float
    lamp_color: np.ndarray

    def on(self, *normal: float) -> float:
        """Cosine of the sun's incidence on a surface with this normal (right, up, forward)."""
        return max(0.0, float(np.dot(self.to_sun, normal)))


def draw_weather(rng: np.random.Generator, kind: str) -> Weather:
    """Clear day, overcast day, dusk or night; parks, as in OSU, mostly by day."""
    odds = (0.42, 0.18, 0.12, 0.28) if kind == "street" else (0.6, 0.2, 0.1, 0.1)
    what = rng.choice(("clear", "overcast", "dusk", "night"), p=odds)
    elevation = np.deg2rad(rng.uniform(5, 15) if what == "dusk" else rng.uniform(25, 65))
    azimuth = rng.uniform(0, 2 * np.pi)
    to_sun = np.array(
        (
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        )
    )
    sun = {"clear": 1.0, "overcast": 0.06, "dusk": 0.25, "night": 0.0}[what]
    light = {"clear": 0.22, "overcast": 0.35, "dusk": 0.12, "night": rng.uniform(0.0003, 0.005)}[
        what
    ]
    blue = {"clear": (0.75, 0.95, 1.35), "overcast": (1, 1, 1.03), "dusk": (1.1, 0.9, 1.05)}
    return Weather(
        night=what == "night",
        sun=sun * rng.uniform(0.8, 1.1),
        sky_light=light,
        sun_color=np.array((1.1, 0.62, 0.32) if what == "dusk" else (1.05, 1.0, 0.9)),
        sky_color=np.array(blue.get(what, (0.7, 0.8, 1.3))),
        to_sun=to_sun,
        stored_heat={"clear": 1.0, "overcast": 0.25, "dusk": 0.6, "night": 0.18}[what],
        cooling={"clear": 0.0, "overcast": 0.1, "dusk": 0.5, "night": 1.0}[what],
        air=rng.uniform(6, 26) - 5 * (what == "night"),
        zenith=rng.uniform(-45, -25) if what != "overcast" else rng.uniform(-8, 2),
        clouds=1.0 if what == "overcast" else rng.uniform(0, 0.6),
        lamp_color=np.array(
            ((1.0, 0.62, 0.2), (0.85, 0.95, 1.0), (1.0, 0.9, 0.65))[rng.integers(3)]
        ),
    )


@dataclass(frozen=True)
class Camera:
    """Pinhole camera at (0, height, 0), metres, looking forward and `pitch` radians down."""

    size: tuple[int, int]
    height: float
    pitch: float
    focal: float  # in image heights

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (N, 3) as right, up, forward -> pixels (N, 2) as x, y, and depth (N,)."""
        rows, columns = self.size
        x, y, z = points.T
        cosine, sine = math.cos(self.pitch), math.sin(self.pitch)
        depth = np.maximum(z * cosine - (y - self.height) * sine, 0.3)
        up = (y - self.height) * cosine + z * sine
        scale = self.focal * rows / depth
        return np.stack((columns / 2 + x * scale, rows / 2 - up * scale), -1), depth

    def rays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the ray of each pixel meets the ground: right and forward in metres, (H, W), far
        away from the horizon up; and the rise of each row's rays, (H,), a sine near the centre."""
        rows, columns = self.size
        across = (np.arange(columns, dtype=np.float32) + 0.5 - columns / 2) / (self.focal * rows)
        down = (np.arange(rows, dtype=np.float32) + 0.5 - rows / 2) / (self.focal * rows)
        slope = -math.sin(self.pitch) - down * math.cos(self.pitch)
        forward = math.cos(self.pitch) - down * math.sin(self.pitch)
        with np.errstate(divide="ignore"):
            reach = np.where(slope < 0, -self.height / slope, np.inf).astype(np.float32)
        finite = np.minimum(reach, 1e4)[:, None]
        return across[None] * finite, np.repeat(forward[:, None] * finite, columns, 1), slope


class Canvas:
    """A world of polygons, queued far to near; `develop` projects and fills them all at once."""

    def __init__(self, camera: Camera, weather: Weather):
        self.camera, self.weather = camera, weather
        self.materials = [SKY._replace(albedo=tuple(weather.sky_color))]
        self._polygons: list[np.ndarray] = []  # (N, 3) each, metres
        self._targets: list[tuple[str, float]] = []  # layer and the value to fill it with

    def _queue(self, polygon: np.ndarray, layer: str, value: float) -> None:
        self._polygons.append(polygon)
        self._targets.append((layer, value))

    def paint(self, polygons, material: Material) -> None:
        """Lay polygons (N, 3) or (K, N, 3), metres, all of one material."""
        polygons = np.asarray(polygons, float)  # (0, N, 3) lays nothing
        for polygon in polygons[None] if polygons.ndim == 2 else polygons:
            self._queue(polygon, "labels", len(self.materials))
        self.materials.append(material)

    def shadow(self, points, moving: bool = False) -> None:
        """Shade the ground where the hull of `points` (N, 3) keeps the sun off."""
        if self.weather.sun < 0.1:
            return
        points = np.asarray(points, float)
        along = self.weather.to_sun / self.weather.to_sun[1]
        flat = (points - points[:, 1:2] * along)[:, ::2].astype(np.float32)
        hull = cv2.convexHull(flat)[:, 0]
        hull[:, 1] = np.maximum(hull[:, 1], 0.5)
        self._queue(np.insert(hull, 1, 0.0, axis=1), "moving" if moving else "standing", 1)

    def pool(self, x: float, z: float, radius: float, value: float) -> None:
        """Lamp light on the ground round (x, z), falling off outward."""
        if self.weather.night and value:
            for share in (1.0, 0.65, 0.35):
                ring = _disc(x, z, 0, share * radius, share * radius, 14)[:, (0, 2, 1)]
                ring[:, 2] = np.maximum(ring[:, 2], 1.0)
                self._queue(ring, "light", value / 3)

    def develop(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The filled layers, each (H, W), and the mean depth of every label in metres."""
        layers = {name: np.zeros(self.camera.size, np.uint8) for name in ("standing", "moving")}
        layers["labels"] = np.zeros(self.camera.size, np.int32)
        layers["light"] = np.zeros(self.camera.size, np.float32)
        counts = [len(polygon) for polygon in self._polygons]
        pixels, depth = self.camera.project(np.concatenate(self._polygons))
        pixels = np.clip(np.round((pixels - 0.5) * 16), -(2**20), 2**20).astype(np.int32)
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        mean_depth = np.add.reduceat(depth, starts) / counts
        depths = np.full(len(self.materials), 1e4, np.float32)
        for start, count, far, (layer, value) in zip(
            starts.tolist(), counts, mean_depth.tolist(), self._targets, strict=True
        ):
            polygon = [pixels[start : start + count]]
            if layer == "light":
                lit = np.zeros(self.camera.size, np.float32)
                layers[layer] += cv2.fillPoly(lit, polygon, value, cv2.LINE_8, 4)
            else:
                cv2.fillPoly(layers[layer], polygon, value, cv2.LINE_8, 4)
            if layer == "labels":
                depths[value] = far
        return layers, depths


def _trapezoid(bottom: tuple, top: tuple, y0: float, y1: float, z: float) -> np.ndarray:
    """An upright shape facing the camera, from (left, right) at y0 to those at y1: (4, 3)."""
    return np.array(((bottom[0], y0, z), (bottom[1], y0, z), (top[1], y1, z), (top[0], y1, z)))


def _rectangle(x0: float, x1: float, y0: float, y1: float, z: float) -> np.ndarray:
    """An upright rectangle facing the camera, (4, 3)."""
    return _trapezoid((x0, x1), (x0, x1), y0, y1, z)


def _floor(x0: float, x1: float, z0: float, z1: float, y: float = 0.0) -> np.ndarray:
    """A level rectangle, on the ground if not said otherwise: (4, 3)."""
    return np.array(((x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)))


def _side(x: float, y0: float, y1: float, z0: float, z1: float) -> np.ndarray:
    """An upright rectangle along the line of sight, (4, 3)."""
    return np.array(((x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)))


def _box(x0: float, x1: float, height: float, z0: float, z1: float) -> np.ndarray:
    """The corners of a box on the ground, (8, 3)."""
    return np.concatenate((_floor(x0, x1, z0, z1), _floor(x0, x1, z0, z1, height)))


def _tint(material: Material, factor) -> Material:
    """The material with its albedo times `factor`, a number or one for each of R, G, B."""
    return material._replace(albedo=tuple(np.array(material.albedo) * factor))


@lru_cache(maxsize=32)
def _circle(n: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack((np.cos(angle), np.sin(angle), 0 * angle), -1)


def _disc(x, y, z, rx, ry, n=12, rough=None) -> np.ndarray:
    """An upright ellipse facing the camera, its radius scaled by `rough` (n,) if given: (n, 3)."""
    radius = (rx, ry, 0) if rough is None else rough[:, None] * (rx, ry, 0)
    return _circle(n) * radius + (x, y, z)


def _building(
    canvas: Canvas, rng, x: float, z0: float, side: int, z1: float, height: float
) -> None:
    """A block from x outward (side -1 left, 1 right), z0 to z1, with windows and perhaps a roof."""
    weather = canvas.weather
    # walls give the day's heat back at night, hence the negative cooling
    wall = Material(WALLS[rng.integers(len(WALLS))], 0.93, rng.uniform(14, 20), -1.5, sky=0.25)
    wall = _tint(wall, rng.uniform(0.7, 1.15))._replace(inside=rng.uniform(0, 1.5))
    inner = wall._replace(sun=weather.on(-side, 0, 0))
    front = wall._replace(sun=weather.on(0, 0, -1))
    deep = x + side * rng.uniform(9, 14)
    canvas.shadow(_box(x, deep, height, z0, z1))
    if height < 9 and rng.uniform() < 0.4:
        middle, top = (x + deep) / 2, height + rng.uniform(1.5, 3)
        slope = [(x, height, z0), (x, height, z1), (middle, top, z1), (middle, top, z0)]
        canvas.paint(slope, TILES._replace(sun=weather.on(-0.5 * side, 0.85, 0)))
        canvas.paint([(x, height, z0), (deep, height, z0), (middle, top, z0)], front)
    canvas.paint(_side(x, 0, height, z0, z1), inner)
    canvas.paint(_rectangle(x, deep, 0, height, z0), front)
    canvas.paint(_side(x, height - 0.35, height, z0, z1), inner._replace(sun=0.0))  # cornice

    floors = max(1, int(height / 3.2))
    tall, wide = 0.5 * height / floors, rng.uniform(1.1, 1.8)
    levels = (np.arange(floors) + 0.3) * height / floors

    def bays(start: float, stop: float) -> np.ndarray:
        number = max(1, int(abs(stop - start) / 3))
        return start + (np.arange(number) + 0.5) * (stop - start) / number - wide / 2

    windows = [_side(x, y, y + tall, z, z + wide) for y in levels for z in bays(z0, z1)]
    windows += [_rectangle(a, a + wide, y, y + tall, z0) for y in levels for a in bays(x, deep)]
    windows = np.array(windows)
    lit = rng.uniform(size=len(windows)) < weather.night * rng.uniform(0, 0.6)
    color = ((1.0, 0.85, 0.55), (0.7, 0.95, 1.0))[rng.integers(2)]
    room = GLASS._replace(glow=tuple(0.35 * np.array(color)), inside=rng.uniform(2, 5), sky=0.35)
    canvas.paint(windows[~lit], GLASS)
    canvas.paint(windows[lit], room)


def _tree(canvas: Canvas, rng, x: float, z: float, height: float) -> None:
    crown = height * rng.uniform(0.25, 0.42)
    middle, trunk = height - crown, 0.02 * height + 0.08
    canvas.paint(_rectangle(x - trunk, x + trunk, 0, middle, z), BARK)
    leaves = _tint(LEAVES, rng.uniform(0.6, 1.5) * rng.uniform(0.8, 1.2, 3))
    leaves = leaves._replace(inside=rng.uniform(-0.5, 0.5))
    outline = _disc(x, middle, z, crown, crown, 40, rng.uniform(0.72, 1.12, 40))
    canvas.shadow(outline)
    canvas.paint(outline, leaves._replace(sun=0.25))
    lean = 0.35 * np.sign(canvas.weather.to_sun[0])
    for _ in range(4 if z < 60 else 0):  # tufts that the sun reaches
        a, b = crown * rng.normal((lean, 0.2), 0.35)
        tuft = rng.uniform(0.6, 1.15, 14)
        canvas.paint(
            _disc(x + a, middle + b, z, 0.42 * crown, 0.34 * crown, 14, tuft),
            leaves._replace(sun=0.65),
        )


def _bush(canvas: Canvas, rng, x: float, z: float, width: float, height: float) -> None:
    rough = rng.uniform(0.8, 1.15, 20)
    shape = _disc(x, 0.4 * height, z, width / 2, 0.6 * height, 20, rough)
    canvas.shadow(shape)
    canvas.paint(shape, _tint(LEAVES, rng.uniform(0.6, 1.6)))


def _lamp(canvas: Canvas, rng, x: float, z: float, height: float) -> None:
    on = canvas.weather.night and rng.uniform() < 0.9
    tip = x - np.sign(x) * 0.18 * height  # of the arm over the road
    canvas.shadow(_rectangle(x - 0.1, x + 0.1, 0, height, z))
    canvas.paint(_rectangle(x - 0.08, x + 0.08, 0, height, z), METAL)
    canvas.paint(_rectangle(x, tip, height - 0.1, height, z), METAL)
    glow = tuple(4.0 * on * canvas.weather.lamp_color)
    head = METAL._replace(glow=glow, emissivity=0.9, inside=18.0 * on)
    canvas.paint(_disc(tip, height - 0.15, z, 0.35, 0.16, 10), head)
    canvas.pool(tip, z, height, 0.2 * on)


def _sign(canvas: Canvas, rng, x: float, z: float) -> None:
    """A traffic sign or a traffic light."""
    canvas.paint(_rectangle(x - 0.05, x + 0.05, 0, 2.4, z), METAL)
    if rng.uniform() < 0.5:
        face = METAL._replace(albedo=COATS[rng.integers(len(COATS))], emissivity=0.85)
        canvas.paint(_disc(x, 2.5, z, 0.4, 0.4, 8), face)
    else:
        green = rng.integers(2)
        bulb = METAL._replace(glow=((2.5, 0.1, 0.05), (0.1, 2.0, 1.0))[green], inside=3.0)
        canvas.paint(_rectangle(x - 0.2, x + 0.2, 2.2, 3.2, z), _tint(METAL, 0.2))
        canvas.paint(_disc(x, 2.95 - 0.5 * green, z, 0.13, 0.13, 8), bulb)


def _bench(canvas: Canvas, rng, x: float, z: float) -> None:
    wide = rng.uniform(1.4, 2.2)
    canvas.shadow(_rectangle(x, x + wide, 0, 0.8, z))
    canvas.paint(_rectangle(x, x + wide, 0.35, 0.85, z + 0.3), WOOD)
    canvas.paint(_floor(x, x + wide, z, z + 0.45, 0.42), WOOD)
    for leg in (x + 0.1, x + wide - 0.2):
        canvas.paint(_rectangle(leg, leg + 0.08, 0, 0.42, z), METAL)


def _car(canvas: Canvas, rng, x: float, z: float, moving: bool, oncoming: bool) -> None:
    """A car from behind or in front, with the flank that faces the middle of the image."""
    weather = canvas.weather
    wide, long, top = rng.uniform(1.7, 1.95), rng.uniform(3.8, 4.8), rng.uniform(1.4, 1.9)
    belt, left, right = 0.55 * top, x - wide / 2, x + wide / 2
    warm = rng.uniform(1, 4) if moving else rng.uniform(0, 1.0) * (rng.uniform() < 0.3)
    on = moving and (weather.night or rng.uniform() < 0.3)
    body = Material(COATS[rng.integers(6)], 0.85, 20, 3.5, 0.5 * warm, sky=0.4, grain=0.04)
    body = _tint(body, rng.uniform(0.8, 1.2))
    inner = right if x < 0 else left
    canvas.shadow(_box(left, right, top, z, z + long), moving)
    canvas.paint(
        _floor(left, right, z, z + long),
        _tint(ASPHALT, 0.2)._replace(sun=0.0, inside=1.5 * warm, cooling=-1.0),
    )

    def flank(points) -> np.ndarray:
        return np.array([(inner, y, z + along * long) for along, y in points])

    shell = body._replace(sun=weather.on(np.sign(inner - x), 0, 0))
    tyre = RUBBER._replace(inside=1.0 + 2.0 * warm)
    canvas.paint(_side(inner, 0.3, belt, z, z + long), shell)
    canvas.paint(flank(((0.05, belt), (0.75, belt), (0.6, top), (0.15, top))), shell)
    canvas.paint(flank(((0.1, belt), (0.7, belt), (0.58, top - 0.1), (0.18, top - 0.1))), GLASS)
    for axle in (0.18, 0.82):
        canvas.paint(flank(_circle(10)[:, :2] * (0.33 / long, 0.33) + (axle, 0.33)), tyre)
    for edge in (left + 0.1, right - 0.32):
        canvas.paint(_rectangle(edge, edge + 0.22, 0, 0.45, z), tyre)

    face = body._replace(sun=max(0.1, weather.on(0, 0, -1)), inside=warm * (1 if oncoming else 0.5))
    canvas.paint(_rectangle(left, right, 0.3, belt, z), face)
    cabin = _trapezoid((left + 0.08, right - 0.08), (left + 0.25, right - 0.25), belt, top, z)
    canvas.paint(cabin, face)
    canvas.paint(cabin.mean(0) + (cabin - cabin.mean(0)) * (0.85, 0.78, 1), GLASS)
    canvas.paint(_rectangle(left, right, 0.28, 0.45, z), RUBBER._replace(inside=warm))  # bumper
    canvas.paint(_rectangle(x - 0.26, x + 0.26, 0.5, 0.64, z), _tint(METAL, 3.3))  # plate
    if moving:  # exhaust or radiator
        canvas.paint(_rectangle(x - 0.3, x + 0.3, 0.2, 0.42, z), RUBBER._replace(inside=4 * warm))
    glow = np.array((3.0, 2.9, 2.5) if oncoming else (1.6, 0.08, 0.05)) * on
    lens = METAL._replace(albedo=(0.5, 0.5, 0.5) if oncoming else (0.35, 0.02, 0.02))
    lens = lens._replace(glow=tuple(glow), inside=(6.0 if oncoming else 3.0) * on)
    for edge in (left + 0.06, right - 0.36):
        canvas.paint(_rectangle(edge, edge + 0.3, belt - 0.28, belt - 0.08, z), lens)
    canvas.pool(x, z - 4, 3.0, 0.5 * on * oncoming)


def _person(canvas: Canvas, rng, x: float, z: float, stride: float) -> None:
    """A walker; `stride` is the phase of the step, radians."""
    tall, bulk = rng.uniform(1.55, 1.9), rng.uniform(0.2, 0.27)
    hip, shoulder, swing = 0.5 * tall, 0.82 * tall, math.sin(stride)
    warmth = 32.5 - canvas.weather.air  # of bare skin, above air
    cover = warmth * rng.uniform(0.35, 0.65)  # of clothes
    cloth = CLOTH._replace(albedo=COATS[rng.integers(len(COATS))], inside=cover)
    shirt = _tint(cloth, rng.uniform(0.5, 1.1))
    trousers = cloth._replace(albedo=COATS[rng.integers(len(COATS))], inside=0.8 * cover)
    skin = _tint(SKIN, rng.uniform(0.35, 1.1))._replace(inside=warmth)
    canvas.shadow(_rectangle(x - bulk, x + bulk, 0, tall, z), moving=True)
    for side in (-1, 1):
        foot, arm = x + side * 0.22 * swing, x + side * bulk
        hand = arm + side * (0.04 - 0.15 * swing)
        ankle, thigh = (foot - 0.07, foot + 0.07), (x - 0.09, x + 0.09)
        canvas.paint(_trapezoid(ankle, thigh, 0, hip, z), trousers)
        wrist, upper = (hand - 0.05, hand + 0.05), (arm - 0.06, arm + 0.06)
        canvas.paint(_trapezoid(wrist, upper, hip, shoulder, z), shirt)
        canvas.paint(_disc(hand, hip - 0.03, z, 0.06, 0.07, 6), skin)
    waist = (x - 0.75 * bulk, x + 0.75 * bulk)
    canvas.paint(_trapezoid(waist, (x - bulk, x + bulk), hip - 0.05, shoulder, z), shirt)
    canvas.paint(_disc(x, 0.925 * tall, z, 0.1, 0.125), skin)
    canvas.paint(_disc(x, 0.96 * tall, z, 0.1, 0.085), HAIR._replace(inside=0.55 * warmth))


class Things(list):
    """Distance, drawing function, arguments of all that stands on the ground."""

    def put(self, draw, x: float, z: float, *rest, distance: float | None = None) -> None:
        self.append((z if distance is None else distance, draw, (x, z, *rest)))

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """From far to near, each with its own stream: walkers who pass each other stay the same."""
        drawn = int(rng.integers(2**63))
        for number in sorted(range(len(self)), key=lambda n: -self[n][0]):
            _, draw, arguments = self[number]
            draw(canvas, np.random.default_rng([drawn, number]), *arguments)


def _street(rng: np.random.Generator, size: tuple[int, int]) -> Canvas:
    u = rng.uniform
    weather = draw_weather(rng, "street")
    canvas = Canvas(Camera(size, u(1.3, 1.9), u(-0.03, 0.09), u(0.85, 1.25)), weather)
    shift, half, walk = u(-2.5, 2.5), u(4.0, 8.0), u(1.5, 4.0)
    left, right = shift - half, shift + half

    ridge = [(x, u(2, 22), 250) for x in np.linspace(-260, 260, 24)]
    hills = LEAVES if u() < 0.6 else LEAVES._replace(albedo=(0.2, 0.17, 0.12), heating=10)
    canvas.paint([*ridge, (260, 0, 250), (-260, 0, 250)], hills._replace(grain=0.3))
    up = weather.to_sun[1]
    verge = (GRASS, CONCRETE, SOIL)[rng.choice(3, p=(0.45, 0.4, 0.15))]._replace(sun=up)
    pavement = CONCRETE._replace(sun=up, inside=-0.5)
    asphalt = _tint(ASPHALT, u(0.7, 1.8))._replace(sun=up)
    canvas.paint(_floor(-300, 300, 1, 250), verge)
    canvas.paint(_floor(left - walk, right + walk, 1, 240), pavement)
    canvas.paint(_floor(left - 0.2, right + 0.2, 1, 240), _tint(pavement, 1.3))  # kerb
    canvas.paint(_floor(left, right, 1, 240), asphalt)
    for lane in (shift - half / 2, shift + half / 2):  # wheel tracks: polished dark, rubbed warm
        tracks = [_floor(lane + s - 0.3, lane + s + 0.3, 1, 200) for s in (-0.8, 0.8)]
        canvas.paint(tracks, _tint(asphalt, 0.85)._replace(inside=u(0.0, 0.5)))
    for _ in range(rng.integers(0, 4)):  # patches of newer asphalt
        x, z = u(left, right - 1), u(4, 30)
        patch = _floor(x, x + u(0.6, 2.5), z, z + u(1, 5))
        canvas.paint(patch, asphalt._replace(albedo=(0.05, 0.05, 0.05), inside=u(-1, 1)))
    paint = PAINT._replace(sun=up, albedo=(0.5, 0.38, 0.08) if u() < 0.35 else PAINT.albedo)
    dash = u(2, 5)
    dashes = np.arange(u(1, 6), 120, 2.5 * dash)
    canvas.paint([_floor(shift - 0.09, shift + 0.09, z, z + dash) for z in dashes], paint)
    if u() < 0.7:
        canvas.paint([_floor(x - 0.07, x + 0.07, 1, 200) for x in (left + 0.5, right - 0.5)], paint)
    if u() < 0.35:  # a crossing
        z, bars = u(5, 20), np.arange(left + 0.4, right - 0.8, 1.0)
        canvas.paint([_floor(x, x + 0.5, z, z + 3) for x in bars], paint)

    things = Things()
    lamp_height = u(5, 8)
    for side, edge in ((-1, left), (1, right)):
        line = edge + side * (walk + u(0, 5))
        built, planted = u(0.2, 1.0), u(0.1, 0.9)
        z = u(3, 12)
        while z < 130:  # houses and gardens
            far, x = z + u(7, 22), line + side * u(0, 2)
            if u() < built:
                height = u(3.5, 8) if u() < 0.6 else u(9, 22)
                # drawn before what stands beside it on the pavement, though its near end is nearer
                things.put(_building, x, z, side, far, height, distance=far)
            else:
                for at in u(z, far, rng.integers(1, 4)):
                    things.put(_tree, x + side * u(0, 10), at, u(5, 14))
            z = far + u(0, 5)
        for z in np.arange(u(6, 16), 90, u(9, 16)):
            if u() < planted:
                things.put(_tree, edge + side * (0.5 + u(0.3, walk)), z, u(4, 9))
            if u() < 0.25:
                things.put(_bush, edge + side * (walk + 0.5), z + 2, u(1, 4), u(0.6, 1.5))
        for z in np.arange(u(10, 25), 110, u(18, 30)):
            things.put(_lamp, edge + side * 0.5, z, lamp_height)
        if u() < 0.6:
            things.put(_sign, edge + side * 0.7, u(8, 30))
        if u() < 0.6:  # parked cars
            for z in np.arange(u(5, 14), 60, u(5.8, 9)):
                if u() < 0.6:
                    things.put(_car, edge - side * 1.2, z, False, u() < 0.5)
        for _ in range(rng.poisson(1.6)):
            things.put(_person, edge + side * u(0.4, walk), u(5, 35), u(0, 6.3))
    for lane, oncoming in ((shift - half / 2.6, True), (shift + half / 2.6, False)):
        for _ in range(rng.poisson(1.0)):
            things.put(_car, lane, u(7, 70), True, oncoming)
    if u() < 0.25:  # someone crosses
        things.put(_person, u(left, right), u(7, 25), u(0, 6.3))
    things.draw(canvas, rng)
    canvas.pool(0, 9, 7, 0.15)  # the camera car's own head lamps
    return canvas


def _park(rng: np.random.Generator, frame: int, size: tuple[int, int]) -> Canvas:
    u = rng.uniform
    weather = draw_weather(rng, "park")
    camera = Camera(size, u(6, 11), u(0.38, 0.55), u(1.1, 1.6))
    canvas = Canvas(camera, weather)
    reach = camera.height / math.tan(camera.pitch)  # the centre of the image on the ground
    up = weather.to_sun[1]
    lawn = _tint(GRASS, u(0.7, 1.3, 3))._replace(sun=up)
    paving = _tint(CONCRETE, u(0.6, 1.1))._replace(sun=up)
    kerb = CONCRETE._replace(sun=up, albedo=(0.5, 0.47, 0.42))
    base, plaza = (lawn, paving) if u() < 0.5 else (paving, lawn)
    canvas.paint(_floor(-90, 90, 0.5, 120), base)
    canvas.paint(
        [(u(-14, -4), 0, 0.5), (u(4, 14), 0, 0.5),
         (u(2, 18), 0, u(1, 2) * reach), (u(-18, -2), 0, u(1, 2) * reach)],
        plaza,
    )  # fmt: skip
    along = np.linspace(0, 1, 24)  # a path as a ribbon along a bent line
    middle = u(-8, 8) * (1 - along) + u(-14, 14) * along + u(-9, 9) * np.sin(np.pi * along)
    wide, path = u(1.2, 2.5), paving._replace(albedo=tuple(u(0.12, 0.4) * np.array((1, 0.95, 0.9))))
    for half, material in ((wide + 0.25, kerb), (wide, path)):
        x = np.concatenate((middle - half, (middle + half)[::-1]))
        z = 1 + 2.6 * reach * np.concatenate((along, along[::-1]))
        canvas.paint(np.stack((x, 0 * x, z), -1), material)
    for _ in range(rng.integers(1, 4)):  # beds
        ring = _disc(0, 0, 0, u(1, 3.5), u(1, 3.5), 24, u(0.9, 1.1, 24))[:, (0, 2, 1)]
        centre = (u(-9, 9), 0, u(0.6, 1.6) * reach)
        canvas.paint(1.12 * ring + centre, kerb)
        canvas.paint(ring + centre, SOIL._replace(sun=up))

    things = Things()
    if u() < 0.85:
        side, z = rng.choice((-1, 1)), u(1.5, 2.2) * reach
        x = -side * u(-2, 12)
        things.put(_building, x, z, side, z + u(10, 20), u(5, 12))
        things.put(_building, -x, z + 12, -side, z + 40, u(5, 12), distance=z + 25)
    for _ in range(rng.integers(1, 5)):
        things.put(_tree, rng.choice((-1, 1)) * u(4, 14), u(1.0, 2.4) * reach, u(3.5, 7))
    for _ in range(rng.integers(2, 9)):
        things.put(_bush, u(-12, 12), u(0.5, 2.0) * reach, u(0.8, 3), u(0.5, 1.2))
    for _ in range(rng.integers(1, 4)):
        things.put(_lamp, u(-8, 8), u(0.7, 1.8) * reach, 4.0)
    for _ in range(rng.integers(0, 3)):
        things.put(_bench, u(-8, 8), u(0.7, 1.8) * reach)
    if u() < 0.4:
        things.put(_car, u(-10, 10), u(1.2, 2) * reach, False, u() < 0.5)
    for _ in range(rng.integers(2, 6)):  # everyone walks a line at a pace; a frame is a second
        heading, travelled = u(0, 2 * np.pi), u(0.3, 0.9) * (frame - FRAMES_PER_PARK / 2)
        x = u(-5, 5) + travelled * math.cos(heading)
        z = u(0.6, 1.6) * reach + travelled * math.sin(heading)
        things.put(_person, x, max(z, 1.5), 2.2 * travelled)
    things.draw(canvas, rng)
    return canvas


@lru_cache(maxsize=4)
def _noise_tile(number: int) -> np.ndarray:
    """Periodic 1/f noise, zero mean and unit spread, (256, 256) float32; the same for all seeds."""
    rng = np.random.default_rng([zlib.crc32(b"street noise"), number])
    frequency = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None]) * _TILE
    spectrum = np.fft.rfft2(rng.standard_normal((_TILE, _TILE)))
    field = np.fft.irfft2(spectrum / np.maximum(frequency, 1.0) ** 0.9)
    field -= field.mean()
    return (field / field.std()).astype(np.float32)


def _texture(number: int, x: np.ndarray, y: np.ndarray, offset: np.ndarray) -> np.ndarray:
    x, y = ((a + b) % _TILE for a, b in zip((x, y), offset.tolist(), strict=True))
    # remap misreads a map that is not float32
    x, y = x.astype(np.float32), y.astype(np.float32)
    return cv2.remap(_noise_tile(number), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _plateau_equalise(radiance: np.ndarray, plateau: float = 0.006) -> np.ndarray:
    """The camera's gain control: histogram equalisation with clipped bins, to uint8."""
    low, high = np.percentile(radiance, (0.2, 99.8))
    level = np.clip((radiance - low) / max(high - low, 1e-6) * 511, 0, 511).astype(np.int32)
    histogram = np.bincount(level.ravel(), minlength=512) / level.size
    curve = np.cumsum(np.minimum(histogram, plateau) + 0.0006)
    return np.rint(255 * (curve - curve[0]) / (curve[-1] - curve[0])).astype(np.uint8)[level]


@dataclass(frozen=True)
class Pixels:
    """A developed canvas: what both images are computed from. Arrays (H, W) unless said."""

    sky: np.ndarray  # bool
    cloud: np.ndarray  # 0..1
    rise: np.ndarray  # of the ray, (H, 1)
    depth: np.ndarray  # m
    albedo: np.ndarray  # (3, H, W), with texture
    glow: np.ndarray  # (3, H, W)
    emissivity: np.ndarray
    heating: np.ndarray
    cooling: np.ndarray
    inside: np.ndarray  # with texture
    incidence: np.ndarray
    sky_share: np.ndarray
    sunlit: np.ndarray  # 0..1, less shadows of all things
    sun_warmed: np.ndarray  # 0..1, less shadows of standing things
    lamplight: np.ndarray


def _develop(canvas: Canvas, place: np.random.Generator) -> Pixels:
    """Look every pixel's material up and lay texture, clouds and shadows on it."""
    camera = canvas.camera
    rows, columns = camera.size
    layers, depths = canvas.develop()
    labels = layers["labels"]
    table = np.array([(*m.albedo, *m[1:10], *m.glow) for m in canvas.materials], np.float32)
    fields = np.take(np.ascontiguousarray(table.T), labels, axis=1)
    emissivity, heating, cooling, inside, incidence, sky_share, grain, thermal_grain, ground = (
        fields[3:12]
    )
    on_ground = ground > 0.5
    right, forward, rise = camera.rays()
    depth = np.where(on_ground, forward, depths[labels])

    # on the ground texture lies in perspective, 22 texels a metre, elsewhere flat on the image
    y, x = np.mgrid[:rows, :columns].astype(np.float32) * (240 / rows)
    texels = np.where(on_ground, 22 * right, x), np.where(on_ground, 22 * forward, y)
    fade = np.where(on_ground, np.clip(25 / np.maximum(depth, 1), 0.1, 1), 1)
    offset = place.uniform(0, _TILE, (3, 2)).astype(np.float32)
    texture, thermal_texture = (fade * _texture(n, *texels, offset[n]) for n in (0, 1))
    veil = _texture(2, 0.25 * x, 0.7 * y, offset[2]) + 4 * canvas.weather.clouds

    standing = layers["standing"].astype(np.float32)
    anything = np.maximum(standing, layers["moving"])
    penumbra = cv2.GaussianBlur(np.stack((standing, anything), -1), (0, 0), rows / 240)
    return Pixels(
        sky=labels == 0,
        cloud=np.clip((veil - 2.2) / 2.5, 0, 1),
        rise=np.maximum(rise, 0)[:, None],
        depth=np.minimum(depth, 2000),
        albedo=fields[:3] * np.clip(1 + grain * texture, 0.15, 2.5),
        glow=fields[12:],
        emissivity=emissivity,
        heating=heating,
        cooling=cooling,
        inside=inside + thermal_grain * thermal_texture,
        incidence=incidence,
        sky_share=sky_share,
        sunlit=1 - penumbra[..., 1] * on_ground,
        sun_warmed=1 - penumbra[..., 0] * on_ground,
        lamplight=cv2.GaussianBlur(layers["light"], (0, 0), rows / 40),
    )


def _visible(pixels: Pixels, weather: Weather, gain: float, shot: np.random.Generator):
    """Albedo times light of sun, sky and lamps, seen through haze: uint8 RGB (H, W, 3)."""
    rows, columns = pixels.sky.shape
    haze = 1 - np.exp(-pixels.depth / 900)
    high = np.clip(pixels.rise / 0.5, 0, 1) * (1 - weather.clouds)
    clouds = 3.4 * weather.sky_light * (0.2 if weather.night else 1.0)
    linear = np.empty((rows, columns, 3), np.float32)
    for channel, blueing in enumerate((0.45, 0.3, 0.0)):  # the zenith is bluer than the horizon
        sky = weather.sky_light * weather.sky_color[channel]
        heaven = 2.6 * sky * (1 - blueing * high) * (1 - pixels.cloud) + clouds * pixels.cloud
        light = sky + weather.sun * weather.sun_color[channel] * pixels.incidence * pixels.sunlit
        light += weather.lamp_color[channel] * pixels.lamplight
        matter = pixels.albedo[channel] * light * (1 - haze) + 2.2 * sky * haze
        linear[..., channel] = np.where(pixels.sky, heaven, matter)
    shining = np.moveaxis(pixels.glow, 0, -1)
    linear += shining
    if weather.night:
        small = cv2.resize(shining, (columns // 4, rows // 4), interpolation=cv2.INTER_AREA)
        halo = sum(
            weight * cv2.GaussianBlur(small, (0, 0), sigma * rows / 4)
            for sigma, weight in ((0.012, 0.25), (0.05, 0.35), (0.15, 0.5))
        )
        halo = cv2.resize(halo, (columns, rows))
        linear += (0.04 + 0.5 * np.moveaxis(pixels.albedo, 0, -1)) * halo
    linear = cv2.GaussianBlur(linear, (0, 0), 0.55)
    exposure = 0.5 * gain / max(float(linear.mean()), 0.12)  # limited: night stays dark
    image = (1 - np.exp(-exposure * linear)) ** (1 / 2.2)
    image += shot.normal(0, 0.02 if weather.night else 0.008, image.shape)
    return np.clip(np.rint(255 * image), 0, 255).astype(np.uint8)


def _infrared(pixels: Pixels, weather: Weather, columns: np.ndarray, shot: np.random.Generator):
    """Emitted and reflected radiance behind air, blurred, noisy and equalised: uint8 (H, W).

    `columns` (W,) is the fixed-pattern noise in K.
    """
    rows = pixels.sky.shape[0]
    absorbed = 1 - pixels.albedo.mean(0)
    lit = 0.15 + 0.85 * pixels.incidence * pixels.sun_warmed
    celsius = weather.air + pixels.inside - weather.cooling * pixels.cooling
    celsius += weather.stored_heat * pixels.heating * absorbed * lit
    around = weather.air + 0.8 * pixels.sky_share * (weather.zenith - weather.air)
    surface = grey_body(celsius, pixels.emissivity, around)
    air = band_radiance(np.array((weather.air, weather.air + 1)))
    transmitted = np.exp(-pixels.depth / 1500)
    surface = transmitted * surface + (1 - transmitted) * air[0]

    heaven = weather.zenith + (weather.air - 4 - weather.zenith) * np.exp(-pixels.rise / 0.18)
    heaven = heaven + 0.6 * pixels.cloud * (weather.air - 6 - heaven)
    radiance = np.where(pixels.sky, band_radiance(heaven), surface).astype(np.float32)
    radiance = cv2.GaussianBlur(radiance, (0, 0), max(0.7 * rows / 240, 0.55))
    noise = shot.normal(0, NETD_KELVIN, pixels.sky.shape) + columns
    return _plateau_equalise(radiance + (air[1] - air[0]) * noise)


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
    pixels = _develop(canvas, place)
    gain, columns = place.uniform(0.8, 1.5), place.normal(0, 0.06, size[1])
    return (
        _visible(pixels, canvas.weather, gain, shot),
        _infrared(pixels, canvas.weather, columns, shot),
    )


def scene_name(kind: str, index: int) -> str:
    """The place a pair shows, the unit of a split: 'street 00012', or 'park 003' 25 times."""
    if kind == "street":
        return f"street {index:05d}"
    return f"park {index // FRAMES_PER_PARK:03d}"
