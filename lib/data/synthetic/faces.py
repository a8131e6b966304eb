"""Synthetic long-wave infrared faces, after the Sober-Drunk database (frontal, 128 x 160 pixels).

The embedded default where the real database is absent: good enough to tell a working enhancement
network from a broken one, no substitute for measured faces.

Physics: band radiance by Planck's law over 7.5-13 um (the band of the database's FLIR A10), grey
emissivity, reflected ambient, optical blur before sampling, temporal noise (NETD), column and pixel
fixed-pattern noise, vignetting, breath that cools and warms the nostrils at 10 frames a second.
Plausible, not measured: skin temperatures by region (35-36 C at the eye canthi, 31-34 C at the
nose), the warming of nose, forehead and vessels after drinking (its direction is that of Koukiou
and Anastassopoulos, its size is ours). Decoration: the shapes, hair, beards, clothes, mottling.

Counts are those of the database's raw files (persons 11 to 14): near 8100 to 8390, 14 a kelvin.
"""

import math
import zlib
from functools import lru_cache

import cv2
import numpy as np

from lib.data.synthetic.radiometry import band_radiance, grey_body, planck

COUNTS_PER_KELVIN = 14.0  # at 30 C, from background and skin of the raw files
COUNTS_AT_20C = 8130.0
FRAME_SECONDS = 0.1
STATES = ("sober", "drunk")
REGIONS = ("background", "clothes", "neck", "hair", "face", "forehead", "cheeks", "nose")
EMISSIVITY = np.array((0.95, 0.92, 0.98, 0.96, 0.98, 0.98, 0.98, 0.98), np.float32)  # of REGIONS

_PLANE = 4.0  # the skin texture spans -2 .. 2 head half-widths
_TEXELS = 192


class Person:
    """What does not change from state to state and frame to frame, drawn from (seed, person).

    Lengths in head half-widths, temperatures in C (differences in K), the rest 0..1.
    """

    def __init__(self, person: int, seed: int = 0):
        u = np.random.default_rng([seed, zlib.crc32(b"thermal face"), person]).uniform
        woman = u() < 0.35
        self.half_width = u(0.29, 0.36)  # of the head, in image heights
        self.skull, self.chin, self.jaw = u(1.32, 1.55), u(1.36, 1.58), u(0.05, 0.3)
        self.hairline, self.fringe = u(-1.25, -0.85), u(0, 1) ** 4
        self.long_hair, self.hair_warmth = u(0.5, 1) * woman, u(0.25, 0.7)
        self.brow = u(0.3, 1.0) * (0.6 if woman else 1)
        self.moustache = 0.0 if woman else max(0.0, u(-0.8, 1))
        self.beard = 0.0 if woman else max(0.0, u(-1.2, 1))
        self.ears = 0.0 if woman else u(0, 1)  # 0: under the hair
        self.ear_temperature, self.skin = u(31.0, 34.8), u(33.0, 34.0)
        self.nose_cooling, self.cheek_cooling = u(0.8, 3.4), u(0.4, 1.8)
        self.forehead_warmth = u(-0.9, 0.5)
        self.mottle, self.vessels = u(0.2, 0.9), u(0.25, 0.6)
        self.clothes, self.collar = u(26.0, 30.0), u(0.5, 0.85)
        self.asymmetry = u(-1, 1)


@lru_cache(maxsize=64)
def _skin_texture(person: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mottling, hair strands and superficial vessels in the plane of the face, (192, 192) each."""
    rng = np.random.default_rng([seed, zlib.crc32(b"thermal skin"), person])
    white = rng.standard_normal((2, _TEXELS, _TEXELS), dtype=np.float32)
    mottle = sum(
        weight * sigma * cv2.GaussianBlur(white[0], (0, 0), sigma)
        for sigma, weight in ((2.0, 1.0), (5.0, 1.5), (11.0, 1.5))
    )
    strands = cv2.GaussianBlur(white[1], (0, 0), sigmaX=0.7, sigmaY=5)
    vessels = np.zeros((_TEXELS, _TEXELS), np.float32)
    # frontal and supraorbital vessels climb the forehead, angular ones follow the nose
    starts = [(s * x, y, -1) for s in (-1, 1) for x, y in ((0.15, -0.3), (0.45, -0.4), (0.7, -0.2))]
    starts += [(s * 0.3, -0.05, 1) for s in (-1, 1)]
    for x, y, direction in starts:
        steps = rng.normal((0, 0.06 * direction), (0.05, 0.03), (rng.integers(4, 12), 2))
        path = np.array((x, y)) + np.cumsum(steps, 0)
        branch = path[len(path) // 2] + np.cumsum(steps[: len(path) // 2] * (-1.4, 1), 0)
        for line in (path, branch):
            points = np.round((line / _PLANE + 0.5) * _TEXELS * 16).astype(np.int32)
            cv2.polylines(vessels, [points], False, 1.0, 1, cv2.LINE_AA, 4)
    vessels = cv2.GaussianBlur(vessels, (0, 0), 1.6)
    return mottle / mottle.std(), strands / strands.std(), vessels / max(float(vessels.max()), 1e-6)


def _blob(x, y, cx, cy, sx, sy):
    return np.exp(-(((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))


def _line(distance, width):
    return np.exp(-((distance / width) ** 2))


def _ring(x, y, rx, ry):
    """Negative inside an ellipse about the origin: (H, W)."""
    return np.sqrt((x / rx) ** 2 + (y / ry) ** 2) - 1


def _skin(who: Person, state: str, session, frame: int, x, y, outline, inside, texture):
    """Skin temperature in C, and how much each pixel is nose and cheek (0..1): all (H, W).

    `x` and `y` are in the plane of the face, `outline` the distance from its edge, `inside` the
    coverage of a region, `texture` mottling, strands and vessels.
    """
    mottle, strands, vessels = texture
    warming = np.array((0.7, 0.35, 0.3, 1.3)) * session.uniform(0.7, 1.3, 4) * (state == "drunk")
    nose_warming, forehead_warming, cheek_warming, vessel_gain = warming.tolist()
    tone, phase = 0.15 * session.standard_normal(), session.uniform()
    ax = np.abs(x)
    nose = _blob(x, y, 0, 0.26, 0.17, 0.33) + 0.7 * _blob(ax, y, 0.12, 0.42, 0.1, 0.1)
    cheeks = _blob(ax, y, 0.58, 0.3, 0.3, 0.34)

    skin = who.skin + tone + 0.6 * who.mottle * mottle
    skin += (who.forehead_warmth + forehead_warming) * inside(outline + 0.15) * inside(y + 0.5, 12)
    skin -= 1.6 * who.mottle * _blob(ax, y, 0.55, -0.75, 0.28, 0.3)
    skin += who.vessels * (1 + vessel_gain) * vessels * (1 - 0.6 * cheeks)
    skin += 1.1 * _line(outline + 0.13, 0.06) * inside(np.abs(y + 0.25) - 0.45, 12)  # temples
    skin -= max(who.cheek_cooling - cheek_warming, 0) * cheeks
    skin -= (who.nose_cooling - nose_warming) * nose
    crease = _line(ax - 0.17 - 0.25 * np.maximum(y - 0.2, 0), 0.045)
    skin += 0.5 * crease * _line(y - 0.36, 0.22)  # beside the nose
    breath = math.sin(2 * math.pi * (frame * FRAME_SECONDS / 3.5 + phase))
    skin += (0.5 * breath - 0.4) * _blob(ax, y, 0.09, 0.5, 0.055, 0.035)  # nostrils

    skin += (1.7 + 0.3 * who.asymmetry * np.sign(x)) * _blob(ax, y, 0.4, -0.08, 0.28, 0.17)
    skin += 1.2 * _blob(ax, y, 0.2, -0.04, 0.11, 0.14)  # inner canthi
    skin -= 0.8 * _blob(ax, y, 0.43, -0.12, 0.15, 0.075)  # the eye itself
    lid = y + 0.12 + 0.22 * (ax - 0.4) ** 2
    skin -= 0.9 * _line(lid, 0.025) * inside(np.abs(ax - 0.42) - 0.16)
    brow = y + 0.4 + 0.1 * np.cos(4 * (ax - 0.42))
    skin -= 1.8 * who.brow * _line(brow, 0.075) * inside(np.abs(ax - 0.44) - 0.26)

    lips = y - 0.84 - 0.1 * ax * ax
    skin += (0.6 * _line(lips, 0.09) + 0.5 * _line(lips, 0.018)) * inside(ax - 0.34, 4)
    skin += 0.4 * _blob(x, y, 0, 1.02, 0.22, 0.06)
    skin -= 1.3 * who.moustache * (1 + 0.25 * strands) * _blob(ax, y, 0.16, 0.67, 0.2, 0.07)
    chin = inside(0.62 + 0.35 * ax - y, 6) * (1 - _blob(x, y, 0, 0.86, 0.36, 0.2))
    skin -= 1.8 * who.beard * (1 + 0.3 * strands) * chin
    skin -= 0.4 * np.clip(outline + 0.12, 0, 0.12) / 0.12  # emissivity falls at grazing angles
    return skin, nose, cheeks


def temperature_map(
    person: int, state: str, frame: int, seed: int = 0, size: tuple[int, int] = (128, 160)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What stands before the camera: temperature, emissivity and region of every pixel.

    Returns float32 temperature in C, float32 emissivity 0..1 and uint8 indices into `REGIONS`,
    each (H, W) = `size`. The person sets the shape, the state shifts temperatures and (a second
    session) the pose, the frame moves head and breath a little. ValueError for another state.
    """
    if state not in STATES:
        raise ValueError(f"state must be one of {STATES}, not {state!r}")
    who = Person(person, seed)
    session = np.random.default_rng([seed, zlib.crc32(state.encode()), person])
    shot = np.random.default_rng([seed, zlib.crc32(state.encode()), person, frame])
    height, width = size
    pixel = 1 / (who.half_width * height)  # head half-widths a pixel

    def inside(level: np.ndarray, softness: float = 1.5) -> np.ndarray:
        """Coverage 0..1 of the region where `level` (about a distance) is negative."""
        return np.clip(0.5 - level / (softness * pixel), 0, 1)

    # the plane of the face: (x, y), the texture on it, and where it ends
    sway = session.normal(0, (0.08, 0.04, 0.04, 0.05)) + shot.normal(0, (6e-3, 6e-3, 4e-3, 5e-3))
    shift_x, shift_y, roll, yaw = sway.tolist()  # Python floats keep the maps float32
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    x0 = (columns + 0.5 - width / 2) * pixel - shift_x
    y0 = (rows + 0.5 - 0.46 * height) * pixel - shift_y
    x = x0 * math.cos(roll) + y0 * math.sin(roll)
    y = y0 * math.cos(roll) - x0 * math.sin(roll)
    ax, below = np.abs(x), np.maximum(y, 0)
    turned = x - yaw * np.clip(1 - x * x, 0, 1)  # features turn with the head
    u, v = ((a / _PLANE + 0.5) * _TEXELS for a in (x, y))
    texture = [
        cv2.remap(field, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        for field in _skin_texture(person, seed)
    ]
    mottle, strands, _ = texture
    # skull an ellipse, jaw a tapered superellipse
    breadth = x / (1 - who.jaw * (below / who.chin) ** 2)
    skull = np.sqrt(x * x + (y / who.skull) ** 2)
    jaw = (np.abs(breadth) ** 2.6 + (below / who.chin) ** 2.6) ** (1 / 2.6)
    outline = np.where(y < 0, skull, jaw) - 1
    skin, nose, cheeks = _skin(who, state, session, frame, turned, y, outline, inside, texture)

    # from back to front: wall, hair behind, clothes, neck, ears, head, hair
    ambient = session.uniform(21.5, 24.0)
    temperature = ambient + session.normal(0, 0.35) * x0 + session.normal(0, 0.25) * y0
    region = np.zeros(size, np.uint8)

    def put(name: str, alpha: np.ndarray, celsius: np.ndarray) -> None:
        nonlocal temperature
        temperature = temperature + alpha * (celsius - temperature)
        region[alpha > 0.5] = REGIONS.index(name)

    hair_warmth = who.hair_warmth * (1 + 0.2 * strands)
    depth = np.clip(1.15 - 1.3 * outline, 0.4, 1.15)  # hair cools away from the head
    hair = ambient + 0.8 * hair_warmth * (who.skin - ambient) * depth
    mane = _ring(x / (1.18 + 0.3 * below) + 0.04 * strands, np.minimum(y, 0), 1, who.skull + 0.12)
    put("hair", who.long_hair * inside(mane, 8), hair)
    neck_width = 0.62 + 0.1 * np.abs(y - 1.2) + 0.1 * who.jaw
    carotid = 0.6 * _line(ax - 0.42, 0.1)
    shade = 0.8 * inside(outline - 0.12, 8)  # the warm crease under the chin
    put("neck", inside(np.maximum(ax - neck_width, 0.6 - y)), who.skin - 0.3 + carotid + shade)
    shoulders = 1.62 - 0.25 * who.collar + 0.25 * (ax - 0.6) + 0.15 * ax**0.5 - y
    collar = np.maximum(shoulders, 1.3 + 0.35 * who.collar - 0.5 * x * x - y)
    fold = 0.5 * np.sin(5 * x + 3 * y + 6 * who.asymmetry) + 0.25 * mottle
    put("clothes", inside(collar), who.clothes + fold + 0.15 * strands)
    shell = np.abs(_ring(ax - 1.03, y - 0.05, 0.07, 0.18)) < 0.35
    ear = inside(0.2 * _ring(ax - 1.0, y - 0.08, 0.13, 0.3))
    put("face", who.ears * ear, who.ear_temperature - 0.6 * shell)
    head = inside(outline)
    put("face", head, skin)
    region[(head > 0.5) & (cheeks > 0.5)] = REGIONS.index("cheeks")
    forehead = inside(outline + 0.1) * inside(y + 0.42) * (y > who.hairline)
    region[forehead > 0.5] = REGIONS.index("forehead")
    region[(head > 0.5) & (nose > 0.6)] = REGIONS.index("nose")
    line = who.hairline + 0.55 * np.maximum(ax - 0.55, 0) + 0.14 * who.asymmetry * x
    line = line + who.fringe * (0.35 - 0.3 * x * x) + (0.02 + 0.04 * who.fringe) * strands
    side = np.maximum(0.93 - ax + 0.03 * strands, y + 0.2)  # sideburns
    scalp = np.maximum(y - line, outline - 0.1 - 0.03 * strands)
    put("hair", inside(np.minimum(scalp, np.maximum(side, outline - 0.1)), 5), hair)
    return temperature.astype(np.float32), EMISSIVITY[region], region


def thermal_face(
    person: int, state: str, frame: int, seed: int = 0, size: tuple[int, int] = (128, 160)
) -> np.ndarray:
    """One frame of a synthetic frontal face: uint16 (H, W) raw counts, about 8050 to 8450.

    `size` is (height, width); the default is the database's 128 rows of 160. `state` is 'sober' or
    'drunk' (else ValueError). The same arguments give the same bytes; every argument changes them.
    """
    celsius, emissivity, region = temperature_map(person, state, frame, seed, size)
    key = [seed, zlib.crc32(f"camera {state}".encode()), person]
    session, shot = np.random.default_rng(key), np.random.default_rng([*key, frame])
    height, width = size

    radiance = grey_body(celsius, emissivity, np.median(celsius[region == 0]))
    soft = session.uniform() < 0.2  # some of the real sessions are out of focus
    focus = session.uniform(1.4, 2.4) if soft else session.uniform(0.5, 0.9)
    radiance = cv2.GaussianBlur(radiance, (0, 0), focus * height / 128)

    at_20, at_30, at_31 = band_radiance(np.array((20.0, 30.0, 31.0)))
    counts = COUNTS_AT_20C + COUNTS_PER_KELVIN / (at_31 - at_30) * (radiance - at_20)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    counts -= session.uniform(10, 30) * (x * x + y * y) ** 2 / 4
    counts += session.normal(0, 1.0, width) + session.normal(0, 0.5, (height, 1))
    counts += session.normal(0, 0.7, size)
    counts += shot.normal(0, 1.6, size)  # NETD about 0.11 K
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)
