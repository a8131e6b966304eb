"""The weights of FUnIE-GAN's losses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FUnIELosses:
    """Loss = L_GAN + 7 L_1 + 3 L_content, the weights of FUnIE-GAN's public code.

    A weight of 0 for `vgg` leaves that loss out altogether.
    """

    adversarial: float = 1.0
    l1: float = 7.0
    vgg: float = 3.0
