"""The two cameras of a synthetic scene: what a visible and an infrared one make of its materials.

`develop` looks the material of every pixel up, once; `visible` and `infrared` are computed from
that, so a pair is aligned exactly.
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from lib.data.synthetic.radiometry import band_radiance, grey_body
from lib.data.synthetic.canvas import Canvas
from lib.data.synthetic.materials import Material, Weather

NETD_KELVIN = 0.09
_TILE = 256


@dataclass(frozen=True)
class Pixels:
    """A developed canvas. Arrays (H, W) unless said."""

    weather: Weather
    surface: Material  # of such arrays, albedo and glow (3, H, W); texture is in albedo and inside
    sky: np.ndarray  # bool
    cloud: np.ndarray  # 0..1
    rise: np.ndarray  # of the ray, (H, 1)
    depth: np.ndarray  # m
    sunlit: np.ndarray  # 0..1, less shadows of all things
    sun_warmed: np.ndarray  # 0..1, less shadows of standing things: others do not stay
    lamplight: np.ndarray


def develop(canvas: Canvas, place: np.random.Generator) -> Pixels:
    """Look every pixel's material up and lay texture, clouds and shadows on it."""
    rows, columns = canvas.camera.size
    layers, depths = canvas.develop()
    labels = layers["labels"]
    table = np.array([(*m.albedo, *m[1:10], *m.glow) for m in canvas.materials], np.float32)
    fields = np.take(np.ascontiguousarray(table.T), labels, axis=1)
    surface = Material(fields[:3], *fields[3:12], fields[12:])
    on_ground = surface.ground > 0.5
    right, forward, rise = canvas.camera.rays()
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
        weather=canvas.weather,
        surface=surface._replace(
            albedo=surface.albedo * np.clip(1 + surface.grain * texture, 0.15, 2.5),
            inside=surface.inside + surface.thermal_grain * thermal_texture,
        ),
        sky=labels == 0,
        cloud=np.clip((veil - 2.2) / 2.5, 0, 1),
        rise=np.maximum(rise, 0)[:, None],
        depth=np.minimum(depth, 2000),
        sunlit=1 - penumbra[..., 1] * on_ground,
        sun_warmed=1 - penumbra[..., 0] * on_ground,
        lamplight=cv2.GaussianBlur(layers["light"], (0, 0), rows / 40),
    )


def visible(pixels: Pixels, gain: float, shot: np.random.Generator) -> np.ndarray:
    """Albedo times light of sun, sky and lamps, seen through haze: uint8 RGB (H, W, 3)."""
    rows, columns = pixels.sky.shape
    weather, surface = pixels.weather, pixels.surface
    haze = 1 - np.exp(-pixels.depth / 900)
    high = np.clip(pixels.rise / 0.5, 0, 1) * (1 - weather.clouds)
    clouds = 3.4 * weather.sky_light * (0.2 if weather.night else 1.0)
    linear = np.empty((rows, columns, 3), np.float32)
    for channel, blueing in enumerate((0.45, 0.3, 0.0)):  # the zenith is bluer than the horizon
        sky = weather.sky_light * weather.sky_color[channel]
        heaven = 2.6 * sky * (1 - blueing * high) * (1 - pixels.cloud) + clouds * pixels.cloud
        light = sky + weather.sun * weather.sun_color[channel] * surface.sun * pixels.sunlit
        light += weather.lamp_color[channel] * pixels.lamplight
        matter = surface.albedo[channel] * light * (1 - haze) + 2.2 * sky * haze
        linear[..., channel] = np.where(pixels.sky, heaven, matter)
    shining = np.moveaxis(surface.glow, 0, -1)
    linear += shining
    if weather.night:  # glare: a wide blur of what shines
        small = cv2.resize(shining, (columns // 4, rows // 4), interpolation=cv2.INTER_AREA)
        halo = sum(
            weight * cv2.GaussianBlur(small, (0, 0), sigma * rows / 4)
            for sigma, weight in ((0.012, 0.25), (0.05, 0.35), (0.15, 0.5))
        )
        halo = cv2.resize(halo, (columns, rows))
        linear += (0.04 + 0.5 * np.moveaxis(surface.albedo, 0, -1)) * halo
    linear = cv2.GaussianBlur(linear, (0, 0), 0.55)
    exposure = 0.5 * gain / max(float(linear.mean()), 0.12)  # limited: night stays dark
    image = (1 - np.exp(-exposure * linear)) ** (1 / 2.2)
    image += shot.normal(0, 0.02 if weather.night else 0.008, image.shape)
    return np.clip(np.rint(255 * image), 0, 255).astype(np.uint8)


def infrared(pixels: Pixels, columns: np.ndarray, shot: np.random.Generator) -> np.ndarray:
    """Emitted and reflected radiance behind air, blurred, noisy and equalised: uint8 (H, W).

    `columns` (W,) is the fixed-pattern noise in K.
    """
    weather, surface = pixels.weather, pixels.surface
    absorbed = 1 - surface.albedo.mean(0)
    lit = 0.15 + 0.85 * surface.sun * pixels.sun_warmed
    celsius = weather.air + surface.inside - weather.cooling * surface.cooling
    celsius += weather.stored_heat * surface.heating * absorbed * lit
    around = weather.air + 0.8 * surface.sky * (weather.zenith - weather.air)
    air, a_kelvin_more = band_radiance(np.array((weather.air, weather.air + 1)))
    transmitted = np.exp(-pixels.depth / 1500)
    matter = grey_body(celsius, surface.emissivity, around)
    matter = transmitted * matter + (1 - transmitted) * air

    heaven = weather.zenith + (weather.air - 4 - weather.zenith) * np.exp(-pixels.rise / 0.18)
    heaven = heaven + 0.6 * pixels.cloud * (weather.air - 6 - heaven)
    radiance = np.where(pixels.sky, band_radiance(heaven), matter).astype(np.float32)
    radiance = cv2.GaussianBlur(radiance, (0, 0), max(0.7 * len(radiance) / 240, 0.55))
    noise = shot.normal(0, NETD_KELVIN, radiance.shape) + columns
    return _plateau_equalise(radiance + (a_kelvin_more - air) * noise)


def _plateau_equalise(radiance: np.ndarray, plateau: float = 0.006) -> np.ndarray:
    """The camera's gain control: histogram equalisation with clipped bins, to uint8."""
    low, high = np.percentile(radiance, (0.2, 99.8))
    level = np.clip((radiance - low) / max(high - low, 1e-6) * 511, 0, 511).astype(np.int32)
    histogram = np.bincount(level.ravel(), minlength=512) / level.size
    curve = np.cumsum(np.minimum(histogram, plateau) + 0.0006)
    return np.rint(255 * (curve - curve[0]) / (curve[-1] - curve[0])).astype(np.uint8)[level]


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
    """The noise tile, repeated without end, at texels (x, y): (H, W)."""
    x, y = ((a + b) % _TILE for a, b in zip((x, y), offset.tolist(), strict=True))
    # remap misreads a map that is not float32
    x, y = x.astype(np.float32), y.astype(np.float32)
    return cv2.remap(_noise_tile(number), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
