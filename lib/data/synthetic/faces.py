"""Synthetic long-wave infrared faces, after the Sober-Drunk database (frontal, 128 x 160 pixels).

The embedded default where the real database is absent: good enough to tell a working enhancement
network from a broken one, no substitute for measured faces.

Apparent temperatures by region, optical blur, vignetting, fixed-pattern and temporal noise (NETD),
breath at 10 frames a second. Plausible, not measured: 35-36 C at the eyes, 31-34 C at the nose.
After drinking nose, forehead, eyes and vessels are warmer, the neck is not: the direction is that
of Koukiou and Anastassopoulos, the size is ours. Counts are those of the database's raw files
(persons 11 to 14): near 8100 to 8390, 14 a kelvin.
"""

import math
import zlib

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

COUNTS_PER_KELVIN = 14.0
COUNTS_AT_20C = 8130.0
STATES = ("sober", "drunk")
REGIONS = ("background", "clothes", "neck", "hair", "face", "forehead", "eyes", "nose")
WARMING = {"nose": 0.7, "forehead": 0.4, "eyes": 0.4, "vessels": 0.5}  # K, by drinking


def _blob(x, y, cx, cy, sx, sy):
    return np.exp(-(((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))


def temperature_map(
    person: int, state: str, frame: int, seed: int = 0, size: tuple[int, int] = (128, 160)
) -> tuple[np.ndarray, np.ndarray]:
    """Apparent temperature in C, float32, and uint8 indices into `REGIONS`: (H, W) = `size` each.

    The person sets shape and skin, the state shifts temperatures and (a second session) the pose,
    the frame moves head and breath a little. ValueError for another state.
    """
    if state not in STATES:
        raise ValueError(f"state must be one of {STATES}, not {state!r}")
    who, session, shot = _streams(b"face", person, state, frame, seed)
    u = who.uniform
    # lengths in head half-widths, x right and y down from the middle of the face
    pixel = 1 / (u(0.28, 0.36) * size[0])
    skull, chin, jaw, hairline = u(1.32, 1.55), u(1.36, 1.58), u(0.05, 0.3), u(-1.25, -0.75)
    sway = session.normal(0, (0.08, 0.04, 0.04, 0.05)) + shot.normal(0, (6e-3, 6e-3, 4e-3, 5e-3))
    shift_x, shift_y, roll, yaw = sway.tolist()  # Python floats keep the maps float32
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    x0, y0 = (columns - size[1] / 2) * pixel - shift_x, (rows - 0.46 * size[0]) * pixel - shift_y
    x, y = x0 + roll * y0, y0 - roll * x0
    # the outline, negative in the face: skull an ellipse, jaw tapered
    low = np.maximum(y, 0) / chin
    lower = (np.abs(x / (1 - jaw * low**2)) ** 2.6 + low**2.6) ** (1 / 2.6)
    outline = np.where(y < 0, np.hypot(x, y / skull), lower) - 1

    def texture(down: float, across: float) -> np.ndarray:
        """Smooth noise of unit spread that stays with the head."""
        noise = gaussian_filter(who.standard_normal((128, 128), np.float32), (down, across))
        u, v = 32 * x + 64, 32 * y + 64
        return cv2.remap(noise / noise.std(), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    def inside(level: np.ndarray, softness: float = 1.5) -> np.ndarray:
        """Coverage 0..1 of the region where `level` (about a distance) is negative."""
        return np.clip(0.5 - level / (softness * pixel), 0, 1)

    mottle, strands = texture(4, 4), texture(3.5, 0.5)
    lines = np.exp(-((texture(6, 4.5) / 0.15) ** 2))  # vessels wind where a field changes sign
    drink = session.uniform(0.7, 1.3) * (state == "drunk")
    warm = {name: kelvin * drink for name, kelvin in WARMING.items()}
    ambient, phase = session.uniform(21.5, 24), session.uniform(0, 2 * math.pi)

    ax = np.abs(x - yaw * np.clip(1 - x * x, 0, 1))  # features turn with the head
    eyes, cheeks = _blob(ax, y, 0.38, -0.08, 0.28, 0.17), _blob(ax, y, 0.58, 0.3, 0.3, 0.34)
    nose = _blob(ax, y, 0, 0.26, 0.17, 0.33) + 0.7 * _blob(ax, y, 0.12, 0.42, 0.1, 0.1)
    forehead = inside(outline + 0.15, 6) * inside(y + 0.45, 12)
    skin = u(33.1, 34.1) + session.normal(0, 0.15) + u(0.1, 0.5) * mottle
    skin += (u(-0.7, 0.5) + warm["forehead"]) * forehead
    skin += (u(0.25, 0.6) + warm["vessels"]) * lines * (0.3 + 0.7 * forehead) * (1 - nose)
    skin -= u(0.4, 1.8) * cheeks + (u(0.8, 3.4) - warm["nose"]) * nose
    skin += (u(1.5, 2.0) + warm["eyes"]) * eyes + 1.5 * _blob(ax, y, 0.2, -0.04, 0.11, 0.14)
    skin -= 0.9 * _blob(ax, y, 0.43, -0.1, 0.17, 0.05)  # lids
    skin -= u(0.4, 1.8) * _blob(ax, y, 0.45, -0.38, 0.28, 0.07)  # brows
    skin += 0.7 * _blob(ax, y, 0, 0.84, 0.34, 0.07)  # lips
    skin += (0.5 * math.sin(phase + 0.18 * frame) - 0.4) * _blob(ax, y, 0.09, 0.5, 0.055, 0.035)
    beard = inside(0.6 + 0.35 * ax - y, 6) * (1 - _blob(ax, y, 0, 0.86, 0.36, 0.2))
    skin -= 1.8 * max(0.0, u(-1.2, 1)) * (1 + 0.3 * strands) * beard

    celsius = ambient + session.normal(0, 0.35) * x0 + session.normal(0, 0.25) * y0
    region = np.zeros(size, np.uint8)
    hair = ambient + u(2, 7) + 0.8 * strands
    shoulders = np.maximum(1.4 + 0.25 * ax - y, 1.6 - 0.5 * x * x - y)
    locks = hairline + 0.5 * np.maximum(ax - 0.55, 0) + u(0, 0.1) * strands
    scalp = np.maximum(y - locks, outline - 0.1 - 0.03 * strands)
    neck = np.maximum(ax - 0.62 - 0.1 * np.abs(y - 1.2), 0.6 - y)
    mane = np.hypot(x / (1.15 + 0.45 * low), np.minimum(y, 0) / (skull + 0.12)) - 1
    for name, coverage, layer in (  # from back to front
        ("hair", inside(mane + 0.04 * strands, 8) * (u() < 0.3), hair),  # long
        ("neck", inside(neck), u(32.8, 33.8) + 0.6 * _blob(ax, 0, 0.42, 0, 0.1, 1)),
        ("clothes", inside(shoulders), u(26.0, 30.0) + 0.5 * np.sin(5 * x + 3 * y)),
        ("face", inside(outline), skin),
        ("hair", inside(scalp, 5), hair),
    ):
        celsius = celsius + coverage * (layer - celsius)
        region[coverage > 0.5] = REGIONS.index(name)
    for name, part in (("forehead", forehead), ("eyes", eyes), ("nose", nose)):
        region[(region == REGIONS.index("face")) & (part > 0.6)] = REGIONS.index(name)
    return celsius.astype(np.float32), region


def thermal_face(
    person: int, state: str, frame: int, seed: int = 0, size: tuple[int, int] = (128, 160)
) -> np.ndarray:
    """One frame of a synthetic frontal face: uint16 (H, W) raw counts, about 8050 to 8450.

    `size` is (height, width); the default is the database's 128 rows of 160. `state` is 'sober' or
    'drunk' (else ValueError). The same arguments give the same bytes; every argument changes them.
    """
    celsius, _ = temperature_map(person, state, frame, seed, size)
    _, session, shot = _streams(b"camera", person, state, frame, seed)
    # some of the real sessions are out of focus
    focus = session.uniform(1.4, 2.4) if session.uniform() < 0.2 else session.uniform(0.5, 0.9)
    celsius = cv2.GaussianBlur(celsius, (0, 0), focus * size[0] / 128)
    counts = COUNTS_AT_20C + COUNTS_PER_KELVIN * (celsius - 20)
    y, x = np.ogrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    counts -= session.uniform(10, 30) * (x * x + y * y) ** 2 / 4
    counts += session.normal(0, 1.0, size[1]) + session.normal(0, 0.7, size)
    counts += shot.normal(0, 1.6, size)  # NETD about 0.11 K
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)


def _streams(what: bytes, person: int, state: str, frame: int, seed: int):
    """Random numbers of the person, of the session, and of the frame."""
    key, session = [seed, zlib.crc32(what), person], 1 + STATES.index(state)
    return [np.random.default_rng([*key, *more]) for more in ([], [session], [session, frame])]
