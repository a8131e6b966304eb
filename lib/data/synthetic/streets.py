"""Synthetic aligned visible and infrared pairs: streets (after FLIR) and parks (after OSU).

The embedded default where real pairs are absent, no substitute for them. Things are polygons in
metres, (right, up, ahead), painted from far to near into one map of materials, from which both
images are looked up: a pair is aligned exactly. The infrared follows from material and hour, not
from the grey level: a bright sky is cold, people are warm whatever they wear. Not measured.
"""

import zlib

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

FRAMES = {"street": 1, "park": 25}  # of each place, one after the other
MATERIALS = {  # linear RGB; K above air in the sun and by night; texture; glow by night
    "sky": (0.6, 0.68, 0.8, -9, -14, 0.1, 0),
    "asphalt": (0.11, 0.11, 0.12, 15, 5, 0.15, 0),
    "concrete": (0.38, 0.36, 0.33, 9, 1, 0.15, 0),
    "grass": (0.09, 0.16, 0.04, 3, -5, 0.5, 0),
    "leaves": (0.06, 0.12, 0.03, 1, -1, 0.8, 0),
    "wall": (0.45, 0.36, 0.28, 8, 3, 0.1, 0),
    "glass": (0.04, 0.05, 0.06, -2, 0, 0.1, 0),
    "lit window": (0.5, 0.45, 0.3, -2, 5, 0.1, 0.5),
    "varnish": (0.4, 0.4, 0.4, 4, -3, 0.1, 0),
    "cloth": (0.35, 0.3, 0.3, 13, 11, 0.2, 0),
    "skin": (0.45, 0.28, 0.2, 19, 22, 0.1, 0),
    "lamp": (1.0, 0.9, 0.7, 4, 24, 0.1, 3),
}

Part = tuple[np.ndarray, str, np.ndarray | float]  # polygon (N, 3), material, tint of its colour


def scene(kind: str, index: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """One aligned pair: visible uint8 (H, W, 3) RGB and infrared uint8 (H, W), `size` = (H, W).

    'street': every index another street, by day or night. 'park': a fixed raised camera; 25 indices
    in a row show the same place while people walk through it. The same arguments give the same
    bytes. KeyError for another kind.
    """
    place, frame = divmod(index, FRAMES[kind])
    key = [zlib.crc32(kind.encode()), place]
    rng, shot = np.random.default_rng(key), np.random.default_rng([*key, frame])
    (height, horizon, focal), things = _place(rng, kind, frame)
    sun, light = ((1.0, 1.0), (0.4, 0.6), (0.0, 0.05))[rng.choice(3, p=(0.5, 0.2, 0.3))]

    # twice as large as asked for, then averaged, so that edges are smooth
    rows, columns = 2 * size[0], 2 * size[1]
    labels, table = np.zeros((rows, columns), np.int32), [MATERIALS["sky"]]
    for _, parts in sorted(things, key=lambda thing: -thing[0]):
        for polygon, material, tint in parts:
            x, y, z = polygon.T
            pixels = focal * rows * np.stack((x, height - y), 1) / z[:, None]
            pixels = np.rint(pixels + (columns / 2, horizon * rows)).clip(-9999, 9999)
            cv2.fillPoly(labels, [pixels.astype(np.int32)], len(table))
            color, others = np.split(MATERIALS[material], [3])
            table.append((*color * tint, *others))
    *albedo, day, night, grain, glow = np.array(table, np.float32).T[:, labels]

    white = rng.standard_normal((rows, columns), np.float32)
    noise = sum(s * gaussian_filter(white, s, mode="wrap") for s in (0.7, 2, 6))
    texture = grain * noise / noise.std()
    glow *= sun == 0
    halo = cv2.GaussianBlur(glow, (0, 0), rows / 12) + cv2.GaussianBlur(glow, (0, 0), rows / 60)
    light = light ** np.where(labels == 0, 1.5, 1)  # the sky is the darkest by night
    shining = (light + halo) * np.clip(1 + texture, 0.2, 2) + glow
    large = *(shining * albedo), sun * day + (1 - sun) * night + 3 * texture
    *visible, celsius = (cv2.resize(i, size[::-1], interpolation=cv2.INTER_AREA) for i in large)
    visible = np.stack(visible, 2).clip(0, 1) ** (1 / 2.2)
    visible += 0.012 * shot.standard_normal(visible.shape, np.float32)
    celsius = cv2.GaussianBlur(celsius, (0, 0), 0.6)
    celsius += 0.2 * shot.standard_normal(celsius.shape, np.float32)
    low, high = np.percentile(celsius, (1, 99))  # the camera's gain control
    infrared = (celsius - low) / (high - low)
    return tuple(np.rint(255 * image.clip(0, 1)).astype(np.uint8) for image in (visible, infrared))


def _place(rng: np.random.Generator, kind: str, frame: int) -> tuple[np.ndarray, list[tuple]]:
    """The camera (height in metres, horizon and focal length in image heights) and what it sees, as
    (distance, parts): a street from a car, or a path in a park from a mast, each second."""
    u, park = rng.uniform, kind == "park"
    camera = u((6, -0.15, 1.1), (9, 0.05, 1.5)) if park else u((1.3, 0.4, 0.85), (1.9, 0.5, 1.2))
    half, x = (u(1, 2.5), u(-4, 4)) if park else (u(4, 8), u(-1, 1))  # of the road or path
    things = [(np.inf, [
        (floor(-300, 300, 1, 300), "grass" if park else "concrete", u(0.7, 1.2)),
        (floor(x - half - 2.5, x + half + 2.5, 1, 300), "concrete", 1.2),
        (floor(x - half, x + half, 1, 300), "asphalt", u(0.6, 1.4)),
        *((floor(x - 0.1, x + 0.1, z, z + 3), "concrete", 2) for z in range(3, 90, 8) if not park),
    ])]
    for side in (-1, 1):
        edge, built = x + side * half, u(0, 0.3) if park else u(0.2, 1)
        for z in 5 + np.cumsum(u(2, 15, 10)):  # houses and trees
            made = building if u() < built else tree
            things.append((z, made(rng, edge + side * u(3, 10), z, side)))
        for z in () if park else u(7, 60, rng.poisson(1.5)):
            things.append((z, car(rng, x + side * u(1.2, half), z)))
        for z in u(6, 30, rng.poisson(2) + park):  # everyone walks a line at a pace
            heading, walked = u(0, 6.3), u(0.3, 0.9) * (frame - 12)
            at = edge + side * u(-1, 2) + walked * np.cos(heading)
            z = max(z + walked * np.sin(heading), 5.0)
            things.append((z, person(rng, at, z, np.sin(2.2 * frame + heading))))
    return camera, things


def building(rng: np.random.Generator, x: float, z: float, side: int) -> list[Part]:
    """A block from x outward (side -1 left, 1 right) with windows, some lit at night."""
    deep, height, shining = rng.uniform((6, 4, 0), (18, 18, 0.5))
    tint = rng.uniform(0.5, 1.3) * rng.uniform(0.85, 1.15, 3)
    parts = box(x, x + 12 * side, 0, height, z, z + deep, "wall", tint)
    for y in np.arange(1, height - 1.5, 3):
        panes = [wall(x, x, y, y + 1.5, a, a + 1.3) for a in np.arange(z + 1, z + deep - 1.3, 3)]
        panes += [wall(a, a + 1.3 * side, y, y + 1.5, z, z) for a in x + side * np.arange(1, 11, 3)]
        parts += [(p, "lit window" if rng.random() < shining else "glass", 1.0) for p in panes]
    return parts


def tree(rng: np.random.Generator, x: float, z: float, side: int) -> list[Part]:
    height, crown = rng.uniform(2, 10) * np.array((1, rng.uniform(0.25, 0.42)))
    leaves = disc(x, height - crown, z, crown * rng.uniform(0.7, 1.1, 30))
    trunk = wall(x - 0.1, x + 0.1, 0, height - crown, z, z)
    return [(trunk, "wall", 0.2), (leaves, "leaves", rng.uniform(0.5, 1.5, 3))]


def car(rng: np.random.Generator, x: float, z: float) -> list[Part]:
    """From behind or in front, with the flank that faces the middle of the image."""
    parts = box(x - 0.9, x + 0.9, 0, 0.35, z + 0.2, z + 4, "asphalt", 0.2)  # tyres and shadow
    parts += box(x - 0.9, x + 0.9, 0.3, 0.9, z, z + 4.4, "varnish", rng.uniform(0.1, 2, 3))
    parts += box(x - 0.75, x + 0.75, 0.9, 1.5, z + 0.5, z + 3.6, "glass", 1.0)
    return parts + [(wall(a, a + 0.3, 0.5, 0.7, z, z), "lamp", 1.0) for a in (x - 0.9, x + 0.6)]


def person(rng: np.random.Generator, x: float, z: float, step: float) -> list[Part]:
    """A walker; `step` in -1..1 is how far the legs are apart."""
    tall, (coat, trousers) = rng.uniform(1.55, 1.9), rng.uniform(0.1, 1.5, (2, 3))
    legs = [wall(a - 0.1, a + 0.1, 0, 0.5 * tall, z, z) for a in (x + 0.2 * step, x - 0.2 * step)]
    body = wall(x - 0.24, x + 0.24, 0.47 * tall, 0.85 * tall, z, z)
    head = disc(x, 0.92 * tall, z, np.full(12, 0.14)), "skin", rng.uniform(0.4, 1.1)
    return [*((leg, "cloth", trousers) for leg in legs), (body, "cloth", coat), head]


def floor(x0: float, x1: float, z0: float, z1: float) -> np.ndarray:
    """A rectangle on the ground, (4, 3)."""
    return np.array(((x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)), float)


def wall(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> np.ndarray:
    """An upright rectangle from (x0, z0) to (x1, z1), (4, 3)."""
    return np.array(((x0, y0, z0), (x1, y0, z1), (x1, y1, z1), (x0, y1, z0)), float)


def box(x0, x1, y0, y1, z0, z1, material: str, tint) -> list[Part]:
    """The two sides of a block that are seen: the one towards the middle, and the near one."""
    x = min(x0, x1, key=abs)
    flank, front = wall(x, x, y0, y1, z0, z1), wall(x0, x1, y0, y1, z0, z0)
    return [(flank, material, 0.7 * tint), (front, material, tint)]


def disc(x: float, y: float, z: float, radius: np.ndarray) -> np.ndarray:
    """An upright circle of this radius (N,) all around, (N, 3)."""
    angle = np.linspace(0, 2 * np.pi, len(radius), endpoint=False)
    return np.stack((x + radius * np.cos(angle), y + radius * np.sin(angle), z + 0 * angle), 1)
