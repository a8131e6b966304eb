"""Thermal radiation as a long-wave camera of 7.5-13 um sees it (the band of a FLIR A10)."""

from functools import lru_cache

import numpy as np

BAND_UM = (7.5, 13.0)
KELVIN = 273.15

_H, _C, _K = 6.62607015e-34, 2.99792458e8, 1.380649e-23


def planck(wavelength_um: np.ndarray, kelvin: np.ndarray) -> np.ndarray:
    """Spectral radiance of a black body (Planck's law), W m^-2 sr^-1 um^-1, broadcasting."""
    metres = np.asarray(wavelength_um, float) * 1e-6
    exponent = _H * _C / (metres * _K * np.asarray(kelvin, float))
    return 2e-6 * _H * _C**2 / metres**5 / np.expm1(exponent)


@lru_cache(maxsize=1)
def _radiance_table() -> tuple[np.ndarray, np.ndarray]:
    celsius = np.arange(-120.0, 300.0, 0.5)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    low, high = BAND_UM
    wavelengths = 0.5 * (high - low) * nodes + 0.5 * (high + low)
    spectral = planck(wavelengths[None], celsius[:, None] + KELVIN)
    return celsius, 0.5 * (high - low) * spectral @ weights


def band_radiance(celsius: np.ndarray) -> np.ndarray:
    """Black-body radiance over 7.5-13 um, W m^-2 sr^-1, for -120 to 299 C (tabulated once).

    Returns float32 of the input's shape. Temperatures outside the table take its end values.
    """
    grid, radiance = _radiance_table()
    return np.interp(celsius, grid, radiance).astype(np.float32)


def grey_body(celsius: np.ndarray, emissivity: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Radiance leaving a grey surface: e B(T) + (1 - e) B(T_around). Arrays broadcast; C, 0..1."""
    return emissivity * band_radiance(celsius) + (1 - emissivity) * band_radiance(around)
