"""What a synthetic scene is made of, and the light and heat of its hour.

Plausible, not measured: albedo, emissivity, heating and cooling of the materials, and the weather.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


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

    def but(self, tint=1.0, **changes) -> "Material":
        """The same but for these fields, and the albedo times `tint`, a number or one a channel."""
        changed = self._replace(**changes)
        return changed._replace(albedo=tuple(np.array(changed.albedo) * tint))


ASPHALT = Material((0.09, 0.09, 0.095), 0.95, 26, 1.0, sky=0.9, grain=0.22, ground=1)
PAINT = Material((0.55, 0.55, 0.52), 0.90, 24, 2.0, sky=0.9, grain=0.12, ground=1)
CONCRETE = Material((0.33, 0.31, 0.28), 0.92, 22, 2.0, sky=0.9, grain=0.15, ground=1)
GRASS = Material((0.07, 0.13, 0.03), 0.98, 7, 6.0, sky=0.9, grain=0.4, thermal_grain=0.9, ground=1)
SOIL = Material((0.13, 0.08, 0.05), 0.94, 17, 3.5, sky=0.9, grain=0.4, thermal_grain=1.4, ground=1)
LEAVES = Material((0.045, 0.10, 0.025), 0.98, 5, 0.8, sun=0.45, grain=0.75, thermal_grain=1.0)
BARK = Material((0.10, 0.07, 0.05), 0.95, 8, 0.0, sun=0.4, grain=0.3, thermal_grain=0.5)
# walls give the day's heat back at night, hence the negative cooling
WALL = Material((1, 1, 1), 0.93, 17, -1.5, sky=0.25)
GLASS = Material((0.035, 0.045, 0.055), 0.82, 4, 2.0, sky=0.55, grain=0.15)
METAL = Material((0.15, 0.16, 0.17), 0.65, 10, 2.0, sun=0.5, sky=0.5, grain=0.1)
HEADLIGHT = METAL.but(albedo=(0.5, 0.5, 0.5), glow=(3.0, 2.9, 2.5), inside=6.0)
TAILLIGHT = METAL.but(albedo=(0.35, 0.02, 0.02), glow=(1.6, 0.08, 0.05), inside=3.0)
VARNISH = Material((1, 1, 1), 0.85, 20, 3.5, sky=0.4, grain=0.04)
RUBBER = Material((0.02, 0.02, 0.02), 0.95, 8, 0.0, inside=5.0, sun=0.3, grain=0.1)
SKY = Material((1, 1, 1), 1.0, 0, 0, sun=0, sky=1, grain=0, thermal_grain=0)
TILES = Material((0.25, 0.1, 0.06), 0.93, 24, 3.0, sky=0.7)
WOOD = Material((0.16, 0.09, 0.04), 0.93, 14, 3.0, sun=0.6)
CLOTH = Material((0.2, 0.2, 0.2), 0.96, 6, 0.0, sun=0.5, grain=0.15, thermal_grain=0.8)
HAIR = Material((0.04, 0.03, 0.02), 0.96, 8, 0.0, sun=0.5)
SKIN = Material((0.45, 0.28, 0.2), 0.98, 3, 0.0, sun=0.5, grain=0.05)

# albedo of walls; of coats and signs, the first six of cars
WALLS = (
    (0.45, 0.40, 0.32), (0.28, 0.12, 0.08), (0.55, 0.53, 0.5), (0.35, 0.27, 0.18), (0.2, 0.2, 0.21),
)  # fmt: skip
COATS = (
    (0.6, 0.6, 0.6), (0.03, 0.03, 0.035), (0.35, 0.02, 0.02), (0.03, 0.06, 0.25), (0.3, 0.31, 0.32),
    (0.15, 0.16, 0.17), (0.5, 0.4, 0.1), (0.05, 0.15, 0.08),
)  # fmt: skip
LAMPS = ((1.0, 0.62, 0.2), (0.85, 0.95, 1.0), (1.0, 0.9, 0.65))  # sodium, white, warm white


@dataclass(frozen=True)
class Weather:
    """Light and heat of one scene; temperatures in C, light relative to full sun."""

    night: bool
    sun: float
    sky_light: float
    stored_heat: float  # share of the day's heating that the surfaces hold
    cooling: float  # share of the clear-night cooling
    sun_color: np.ndarray
    sky_color: np.ndarray
    lamp_color: np.ndarray
    to_sun: np.ndarray  # unit vector: right, up, forward
    air: float
    zenith: float  # apparent infrared temperature straight up
    clouds: float

    def on(self, *normal: float) -> float:
        """Cosine of the sun's incidence on a surface with this normal (right, up, forward)."""
        return max(0.0, float(np.dot(self.to_sun, normal)))


# odds in a street and in a park (mostly day, as in OSU); fields of `Weather`: sun, sky_light,
# stored_heat, cooling; sky_color
_HOURS = {
    "clear": (0.42, 0.6, (1.0, 0.22, 1.0, 0.0), (0.75, 0.95, 1.35)),
    "overcast": (0.18, 0.2, (0.06, 0.35, 0.25, 0.1), (1.0, 1.0, 1.03)),
    "dusk": (0.12, 0.1, (0.25, 0.12, 0.6, 0.5), (1.1, 0.9, 1.05)),
    "night": (0.28, 0.1, (0.0, 0.0, 0.18, 1.0), (0.7, 0.8, 1.3)),
}


def draw_weather(rng: np.random.Generator, kind: str) -> Weather:
    """Clear day, overcast day, dusk or night, by the odds of a 'street' or a 'park'."""
    u = rng.uniform
    hour = rng.choice(list(_HOURS), p=[odds[kind == "park"] for odds in _HOURS.values()])
    night, overcast, dusk = (hour == name for name in ("night", "overcast", "dusk"))
    (sun, sky_light, stored_heat, cooling), sky_color = _HOURS[hour][2:]
    elevation = np.deg2rad(u(5, 15) if dusk else u(25, 65))
    azimuth, afterglow = u(0, 2 * np.pi), u(0.0003, 0.005)
    level = np.cos(elevation)
    return Weather(
        night=night,
        sun=sun * u(0.8, 1.1),
        sky_light=afterglow if night else sky_light,
        stored_heat=stored_heat,
        cooling=cooling,
        sun_color=np.array((1.1, 0.62, 0.32) if dusk else (1.05, 1.0, 0.9)),
        sky_color=np.array(sky_color),
        to_sun=np.array((level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth))),
        air=u(6, 26) - 5 * night,
        zenith=u(-8, 2) if overcast else u(-45, -25),
        clouds=1.0 if overcast else u(0, 0.6),
        lamp_color=np.array(LAMPS[rng.integers(3)]),
    )
