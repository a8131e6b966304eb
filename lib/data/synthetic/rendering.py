"""A made-up scene in perspective, and what a visible and an infrared camera make of it.

Things are polygons in metres, (right, up, forward), seen from above (0, 0, 0). They are painted
from far to near into one map of materials, and both images are looked up from that map, so a pair
is aligned exactly. The infrared follows from material, sun and heat, not from the grey level:
bright sky is cold, dark asphalt hot, people warm whatever they wear. Plausible, not measured.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

NETD_KELVIN = 0.09
SUNLIGHT = np.float32((1.05, 1, 0.9))[:, None, None]  # linear RGB
LAMPLIGHT = np.float32((1, 0.7, 0.35))[:, None, None]
BLUEING = np.float32((0.45, 0.3, 0))[:, None, None]  # zenith darker than the horizon by this


class Material(NamedTuple):
    albedo: tuple[float, float, float]  # linear RGB
    emissivity: float = 0.95
    heating: float = 18.0  # K above air in full sun at normal incidence, were it black
    cooling: float = 3.0  # K below air on a clear night; negative: gives back the day's heat
    inside: float = 0.0  # K above air by its own heat
    grain: float = 0.1  # texture: relative in the albedo, 2 K of it in the temperature
    glow: tuple[float, float, float] = (0.0, 0.0, 0.0)  # linear RGB


class Weather:
    """Clear day, overcast day or night, by these odds: light relative to full sun; C."""

    def __init__(self, rng: np.random.Generator, odds: tuple[float, float, float]):
        u, hour = rng.uniform, rng.choice(3, p=odds)
        self.to_sun = np.array((u(-1, 1), u(0.3, 1.5), u(-1, 1)))
        self.to_sun /= np.linalg.norm(self.to_sun)
        self.sun = u(0.8, 1.1) * (1.0, 0.06, 0.0)[hour]
        self.sky = ((0.17, 0.21, 0.3), (0.35, 0.35, 0.36), (0.002, 0.0023, 0.0037))[hour]
        self.night, self.clouds = bool(hour == 2), 1.0 if hour == 1 else u(0, 0.6)
        self.air = u(6, 26) - 5 * self.night
        self.zenith = u(-8, 2) if hour == 1 else u(-45, -25)  # apparent infrared temperature


class Canvas:
    """What is seen on images of `size` = (H, W) from (0, height, 0) metres by a pinhole camera
    that looks forward and `pitch` radians down, its focal length in image heights."""

    def __init__(self, size: tuple[int, int], weather: Weather, height, pitch, focal):
        self.size, self.weather, self.height, self.focal = size, weather, height, focal * size[0]
        self.eye, self.centre = np.array((0, height, 0)), np.array(size[::-1]) / 2
        c, s = math.cos(pitch), math.sin(pitch)
        # rows: the image's right, down and ahead in the world; its own inverse
        self.axes = np.array(((1, 0, 0), (0, -c, -s), (0, -s, c)))
        self.labels = np.zeros(size, np.int32)  # rows of `table`, 0 the sky
        self.table = [(0,) * 13 + (1e4,)]
        self.shadows = np.zeros((2, *size), np.uint8)  # of standing and of moving things
        self.lamps: list[tuple[float, float, float, float]] = []  # x, height, z, power
        self._queue: list[tuple[np.ndarray, np.ndarray, int]] = []  # polygons, layer, value

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (N, 3) -> pixels (N, 2) as x, y."""
        seen = (points - self.eye) @ self.axes
        return self.focal * seen[:, :2] / np.maximum(seen[:, 2:], 0.3) + self.centre

    def rays(self) -> np.ndarray:
        """The ray of each pixel, a metre of depth long: right, up, forward (3, H, W) float32."""
        y, x = np.mgrid[0.5 : self.size[0], 0.5 : self.size[1]]
        image = np.stack((x - self.centre[0], y - self.centre[1], 0 * x + self.focal))
        return np.tensordot(self.axes, image / self.focal, 1).astype(np.float32)

    def paint(self, polygons, material: Material, tint=1.0, **changes) -> None:
        """Lay polygons (N, 3) or (K, N, 3) of a material but for these fields, its albedo times
        `tint` (a number or RGB). They are at right angles to an axis, that of the first."""
        polygons = np.asarray(polygons)
        if polygons.size:
            first, _, third, *_ = polygons.reshape(-1, 3)[:4]
            axis = int((first == third).argmax())
            normal = (-np.sign(first[0]), 1, -1)[axis]  # towards the camera
            sun = max(0.0, normal * self.weather.to_sun[axis])
            where = sun, axis == 1, (first[2] + third[2]) / 2
            albedo, *fields, glow = material._replace(**changes)
            self._queue.append((polygons, self.labels, len(self.table)))
            self.table.append((*np.multiply(albedo, tint), *glow, *fields, *where))

    def shadow(self, points, moving: bool = False) -> None:
        """Shade the ground where the hull of `points` (N, 3) keeps the sun off."""
        if self.weather.sun > 0.1:
            points, to_sun = np.asarray(points), self.weather.to_sun
            flat = points - points[:, 1:2] * to_sun / to_sun[1]
            flat[:, 2] = np.maximum(flat[:, 2], 0.5)
            hull = cv2.convexHull(flat[:, ::2].astype(np.float32))[:, 0]
            self._queue.append((np.insert(hull, 1, 0, axis=1), self.shadows[int(moving)], 1))

    def fill(self) -> None:
        """Fill all that was laid, in that order."""
        points = np.concatenate([polygons.reshape(-1, 3) for polygons, _, _ in self._queue])
        pixels = (16 * self.project(points) - 7.5).astype(np.int32)  # 4 binary places, as below
        start = 0
        for polygons, layer, value in self._queue:
            part = pixels[start : (start := start + polygons.size // 3)]
            for polygon in part.reshape(-1, polygons.shape[-2], 2):
                cv2.fillPoly(layer, [polygon], value, cv2.LINE_8, 4)


def render(
    canvas: Canvas, place: np.random.Generator, shot: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Visible uint8 (H, W, 3) RGB and infrared uint8 (H, W); textures by `place`, noise by `shot`.

    Visible: albedo times the light of sun (Lambert, cast shadows), sky and lamps, seen in haze.
    Infrared: a linear steady state, T = air + own heat + sunlight absorbed - cooling under a clear
    night sky, seen as e T + (1 - e) T of the sky or of what stands around. A shadow of moving
    things is dark in the visible alone: the ground has no time to cool.
    """
    canvas.fill()
    weather, (rows, columns), in_sky = canvas.weather, canvas.size, canvas.labels == 0
    fields = np.take(np.array(canvas.table, np.float32).T, canvas.labels, axis=1)
    emissivity, heating, cooling, inside, grain, incidence, ground, z = fields[6:]
    right, up, forward = canvas.rays()
    level, rise = ground > 0, np.maximum(up, 0)
    depth = np.where(level, np.minimum(canvas.height / np.maximum(-up, 1e-6), 1e4), z / forward)
    x, z = right * depth, forward * depth

    # texture lies on the ground in perspective, 22 texels a metre, and elsewhere on the image
    v, u = np.mgrid[:rows, :columns].astype(np.float32) * (240 / rows)
    texels = np.where(level, 22 * x, u), np.where(level, 22 * z, v)
    grain *= np.where(level, np.clip(25 / depth, 0.1, 1), 1)
    albedo = fields[:3] * np.clip(1 + grain * _texture(place, *texels), 0.15, 2.5)
    clouds = np.clip(0.4 * _texture(place, u / 4, 0.7 * v) + 1.6 * weather.clouds - 0.9, 0, 1)

    standing, moving = canvas.shadows.astype(np.float32)
    sunlit, warmed = (incidence * (1 - ground * cv2.GaussianBlur(shade, (0, 0), rows / 240))
                      for shade in (np.maximum(standing, moving), standing))  # fmt: skip
    lit = np.zeros(canvas.size, np.float32)  # by lamps: inverse squares, on level ground
    for lamp_x, height, lamp_z, power in canvas.lamps:
        distance = 1 + ((x - lamp_x) ** 2 + (z - lamp_z) ** 2) / height**2
        lit += power / (distance * np.sqrt(distance))
    sky = np.float32(weather.sky)[:, None, None]
    heaven = 2.6 * sky * (1 - BLUEING * np.clip(2 * rise, 0, 1) * (1 - weather.clouds))
    heaven += (3.4 * sky.mean() - heaven) * clouds
    matter = albedo * (sky + weather.sun * SUNLIGHT * sunlit + LAMPLIGHT * lit) + fields[3:6]
    matter += (2.2 * sky - matter) * (1 - np.exp(-depth / 900))
    linear = cv2.GaussianBlur(cv2.merge(list(np.where(in_sky, heaven, matter))), (0, 0), 0.55)
    exposure = place.uniform(0.4, 0.75) / max(float(linear.mean()), 0.12)  # night stays dark
    visible = (1 - np.exp(-exposure * linear)) ** (1 / 2.2)
    visible += (0.008 + 0.012 * weather.night) * shot.standard_normal(visible.shape, np.float32)

    celsius = weather.air + inside + 2 * grain * _texture(place, *texels)
    celsius += heating * (1 - albedo.mean(0)) * (sky.mean() + weather.sun * warmed)
    celsius -= cooling * weather.night
    around = weather.air + (0.25 + 0.45 * ground) * (weather.zenith - weather.air)
    heaven = weather.zenith + (weather.air - 4 - weather.zenith) * np.exp(-rise / 0.18)
    heaven += 0.6 * clouds * (weather.air - 6 - heaven)
    seen = np.where(in_sky, heaven, emissivity * celsius + (1 - emissivity) * around)
    seen = cv2.GaussianBlur(seen, (0, 0), max(0.7 * rows / 240, 0.55))
    seen += NETD_KELVIN * shot.standard_normal(seen.shape, np.float32)
    return np.rint(255 * visible.clip(0, 1)).astype(np.uint8), _equalise(seen)


def _equalise(celsius: np.ndarray) -> np.ndarray:
    """The camera's gain control: histogram equalisation with clipped bins, to uint8."""
    low, high = np.percentile(celsius, (0.2, 99.8))
    level = np.clip((celsius - low) / max(high - low, 1e-6) * 511, 0, 511).astype(np.int32)
    histogram = np.bincount(level.ravel(), minlength=512) / level.size
    curve = np.cumsum(np.minimum(histogram, 0.006) + 0.0006)
    return np.rint(255 * (curve - curve[0]) / (curve[-1] - curve[0])).astype(np.uint8)[level]


@lru_cache(maxsize=1)
def _tile() -> np.ndarray:
    """Periodic noise of all scales, zero mean and unit spread, (256, 256) float32."""
    white = np.random.default_rng(0).standard_normal((256, 256), np.float32)
    tile = sum(s**0.9 * gaussian_filter(white, s, mode="wrap") for s in (0.7, 2, 5, 12))
    return (tile - tile.mean()) / tile.std()


def _texture(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The tile, repeated without end from a place of its own, at texels (x, y): (H, W)."""
    x, y = ((a + b) % 256 for a, b in zip((x, y), rng.uniform(0, 256, 2).tolist(), strict=True))
    return cv2.remap(_tile(), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
