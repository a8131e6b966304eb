"""Perspective drawing of a synthetic scene: polygons in metres to layers of labels and light.

A point is (right, up, forward) in metres, the camera stands above (0, 0, 0), the ground is at
up = 0. What is painted later covers what was painted before, so one paints from far to near.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from lib.data.synthetic.materials import SKY, Material, Weather

LEVEL = (0, 2, 1)  # `upright[:, LEVEL]` lies on the ground


@dataclass(frozen=True)
class Camera:
    """Pinhole camera at (0, height, 0), metres, looking forward and `pitch` radians down."""

    size: tuple[int, int]  # rows, columns
    height: float
    pitch: float
    focal: float  # in image heights

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (N, 3) -> pixels (N, 2) as x, y, and depth (N,) in metres."""
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
        self.materials = [SKY.but(albedo=weather.sky_color)]  # by label
        self._queue: list[tuple[np.ndarray, str, float]] = []  # polygon (N, 3), layer, value

    def paint(self, polygons, material: Material, **changes) -> None:
        """Lay polygons (N, 3) or (K, N, 3), all of `material.but(**changes)`."""
        polygons = np.asarray(polygons, float)  # (0, N, 3) lays nothing
        for polygon in polygons[None] if polygons.ndim == 2 else polygons:
            self._queue.append((polygon, "labels", len(self.materials)))
        self.materials.append(material.but(**changes))

    def shadow(self, points, moving: bool = False) -> None:
        """Shade the ground where the hull of `points` (N, 3) keeps the sun off."""
        if self.weather.sun < 0.1:
            return
        points = np.asarray(points, float)
        along = self.weather.to_sun / self.weather.to_sun[1]
        flat = (points - points[:, 1:2] * along)[:, ::2].astype(np.float32)
        hull = cv2.convexHull(flat)[:, 0]
        hull[:, 1] = np.maximum(hull[:, 1], 0.5)
        self._queue.append((np.insert(hull, 1, 0.0, axis=1), "moving" if moving else "standing", 1))

    def pool(self, x: float, z: float, radius: float, value: float) -> None:
        """Lamp light on the ground round (x, z), falling off outward."""
        if self.weather.night and value:
            for share in (1.0, 0.65, 0.35):
                ring = disc(x, z, 0, share * radius, share * radius, 14)[:, LEVEL]
                ring[:, 2] = np.maximum(ring[:, 2], 1.0)
                self._queue.append((ring, "light", value / 3))

    def develop(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The filled layers and the mean depth of every label in metres.

        Layers are (H, W): `labels` indices into `materials`, `standing` and `moving` the shadows
        (0 or 1) of such things, `light` that of lamps.
        """
        layers = {name: np.zeros(self.camera.size, np.uint8) for name in ("standing", "moving")}
        layers["labels"] = np.zeros(self.camera.size, np.int32)
        layers["light"] = np.zeros(self.camera.size, np.float32)
        depths = np.full(len(self.materials), 1e4, np.float32)
        polygons = [polygon for polygon, _, _ in self._queue]
        counts = [len(polygon) for polygon in polygons]
        starts = np.cumsum([0, *counts[:-1]])
        pixels, depth = self.camera.project(np.concatenate(polygons))
        pixels = np.clip(np.round((pixels - 0.5) * 16), -(2**20), 2**20).astype(np.int32)
        mean_depth = np.add.reduceat(depth, starts) / counts
        for polygon, far, (_, layer, value) in zip(
            np.split(pixels, starts[1:]), mean_depth, self._queue, strict=True
        ):
            if layer == "light":
                lit = np.zeros(self.camera.size, np.float32)
                layers[layer] += cv2.fillPoly(lit, [polygon], value, cv2.LINE_8, 4)
            else:
                cv2.fillPoly(layers[layer], [polygon], value, cv2.LINE_8, 4)
            if layer == "labels":
                depths[value] = far
        return layers, depths


# Shapes, all (N, 3). Those called upright face the camera at distance z.


def trapezoid(bottom: tuple, top: tuple, y0: float, y1: float, z: float) -> np.ndarray:
    """Upright, from (left, right) at the height y0 to those at y1."""
    return np.array(((bottom[0], y0, z), (bottom[1], y0, z), (top[1], y1, z), (top[0], y1, z)))


def rectangle(x0: float, x1: float, y0: float, y1: float, z: float) -> np.ndarray:
    """Upright."""
    return trapezoid((x0, x1), (x0, x1), y0, y1, z)


def floor(x0: float, x1: float, z0: float, z1: float, y: float = 0.0) -> np.ndarray:
    """A level rectangle, on the ground if not said otherwise."""
    return np.array(((x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)))


def flank(x: float, y0: float, y1: float, z0: float, z1: float) -> np.ndarray:
    """A vertical rectangle along the line of sight."""
    return np.array(((x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)))


def box(x0: float, x1: float, height: float, z0: float, z1: float) -> np.ndarray:
    """The eight corners of a box on the ground."""
    return np.concatenate((floor(x0, x1, z0, z1), floor(x0, x1, z0, z1, height)))


@lru_cache(maxsize=32)
def _circle(n: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack((np.cos(angle), np.sin(angle), 0 * angle), -1)


def disc(x, y, z, rx, ry, n=12, rough=None) -> np.ndarray:
    """An upright ellipse, its radius scaled by `rough` (n,) if given."""
    radius = (rx, ry, 0) if rough is None else rough[:, None] * (rx, ry, 0)
    return _circle(n) * radius + (x, y, z)
