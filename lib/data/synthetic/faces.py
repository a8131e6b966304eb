"""Synthetic long-wave infrared faces, after the Sober-Drunk database (frontal, 128 x 160 pixels).

The embedded default where the real database is absent, no substitute for it. Plausible, not
measured: 35 C at the eyes, 31 to 34 C at the nose. After drinking nose, forehead and eyes are
warmer, the neck is not: the direction is that of Koukiou and Anastassopoulos, the size is ours.
Counts are those of the database's raw files (persons 11 to 14): near 8100 to 8390, 14 a kelvin.
"""

import zlib

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

SESSIONS = {"sober": 0, "drunk": 1}
SIZE = (128, 160)


def thermal_face(person: int, state: str, frame: int) -> np.ndarray:
    """One frame of a synthetic frontal face: uint16 (128, 160) raw counts, about 8050 to 8450.

    The person sets shape and skin, the state (of `SESSIONS`, else KeyError) shifts temperatures and
    pose, the frame moves the head a little. The same arguments give the same bytes.
    """
    session = SESSIONS[state]
    keys = ([person], [person, session], [person, session, frame])
    who, sitting, shot = (np.random.default_rng([zlib.crc32(b"face"), *key]) for key in keys)
    u, drink = who.uniform, sitting.uniform(0.7, 1.3) * session

    # lengths in head half-widths, x right and y down from the middle of the face
    scale, skull, chin, hairline = u((36, 1.3, 1.4, -1.2), (46, 1.5, 1.6, -0.8))
    right, down, roll = sitting.normal(0, (0.08, 0.04, 0.04)) + shot.normal(0, 0.006, 3)
    rows, columns = np.indices(SIZE)
    x, y = (columns - SIZE[1] / 2) / scale - right, (rows - 0.46 * SIZE[0]) / scale - down
    x, y = x + roll * y, y - roll * x
    outline = np.hypot(np.abs(x) ** 1.2, y / np.where(y < 0, skull, chin)) - 1  # of the face

    def texture(down: float, across: float) -> np.ndarray:
        """Smooth noise of unit spread that stays with the head."""
        noise = gaussian_filter(who.standard_normal(SIZE), (down, across))
        at = (32 * x + SIZE[1] / 2).astype(np.float32), (32 * y + SIZE[0] / 2).astype(np.float32)
        return cv2.remap(noise / noise.std(), *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    def blob(at_x: float, at_y: float, wide: float, high: float) -> np.ndarray:
        """1 at two places, right and left alike, and less around them."""
        return np.exp(-(((np.abs(x) - at_x) / wide) ** 2) - ((y - at_y) / high) ** 2)

    strands, air = texture(3.5, 0.5), sitting.uniform(21.5, 24)
    skin = u(33.1, 34.1) + u(0.1, 0.5) * texture(4, 4)
    skin += (u(-0.7, 0.5) + 0.5 * drink) * blob(0, -0.7, 0.8, 0.4)  # forehead
    skin += (u(2.0, 2.5) + 0.4 * drink) * blob(0.38, -0.08, 0.28, 0.17)  # eyes
    skin -= 0.9 * blob(0.43, -0.1, 0.17, 0.05) + u(0.4, 1.8) * blob(0.45, -0.38, 0.28, 0.07)
    skin -= u(0.4, 1.8) * blob(0.58, 0.3, 0.3, 0.34)  # cheeks
    skin -= (u(0.8, 3.4) - 0.7 * drink) * blob(0, 0.3, 0.17, 0.33)  # nose
    skin += 0.7 * blob(0, 0.84, 0.34, 0.07)  # lips
    celsius = np.full(SIZE, air)
    for level, layer in (  # from back to front; a layer is where its level is negative
        (np.maximum(np.abs(x) - 0.65, 0.6 - y), u(32.8, 33.8)),  # neck
        (1.4 + 0.25 * np.abs(x) - y, u(26.0, 30.0)),  # clothes
        (outline, skin),
        (np.maximum(y - hairline - 0.1 * strands, outline - 0.1), air + u(2, 7) + 0.8 * strands),
    ):
        celsius += np.clip(0.5 - level * scale / 2, 0, 1) * (layer - celsius)
    counts = 8130 + 14 * (cv2.GaussianBlur(celsius, (0, 0), sitting.uniform(0.5, 1.2)) - 20)
    counts += sitting.normal(0, 1, SIZE[1]) + shot.normal(0, 1.6, SIZE)  # NETD about 0.11 K
    return np.rint(counts).astype(np.uint16)
