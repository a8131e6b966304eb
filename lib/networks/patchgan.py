"""The 70x70 PatchGAN discriminator of CycleGAN and CUT (Isola et al., 2017, arXiv:1611.07004).

    C64, C128, C256 of stride 2, C512 and the scores of stride 1, all 4x4

CUT's blurs before it drops pixels, so that its scores see 84x84.

GN_CycleGAN, section 2.1, uses it, with its gradient normalised (`gradient_normalisation`).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from lib.networks.blocks import init_normal
from lib.networks.cut_blocks import BlurDown, init_xavier
from lib.networks.instance_norm import instance_norm


@dataclass(frozen=True)
class PatchGANConfig:
    in_channels: int = 3
    widths: tuple[int, ...] = (64, 128, 256, 512)
    antialias: bool = False  # CUT's: blurred sampling, Xavier start instead of N(0, 0.02)


class PatchGAN(nn.Module):
    """(B, in, H, W) in [-1, 1] -> scores (B, 1, H/8 - 2, W/8 - 2), unbounded: 14x14 at 128 px.

    Every score sees 70x70 pixels, 84x84 with `antialias`, and by the norms something of the whole
    image. Instance norm (no affine weights, no running statistics) on all steps but the first and
    the scores; it keeps the images of a batch apart.
    """

    def __init__(self, config: PatchGANConfig = PatchGANConfig()):
        super().__init__()
        self.config = config
        *halving, last = config.widths
        layers, channels = [], config.in_channels
        for depth, width in enumerate(halving):
            stride = 1 if config.antialias else 2
            layers += _step(channels, width, stride, norm=depth > 0)
            if config.antialias:
                layers.append(BlurDown(width))
            channels = width
        layers += _step(channels, last, 1, norm=True)
        self.layers = nn.Sequential(*layers, nn.Conv2d(last, 1, 4, padding=1))
        (init_xavier if config.antialias else init_normal)(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def _step(a: int, b: int, stride: int, norm: bool) -> list[nn.Module]:
    layers = [nn.Conv2d(a, b, 4, stride=stride, padding=1)]
    if norm:
        layers.append(instance_norm(b))
    return [*layers, nn.LeakyReLU(0.2, inplace=True)]
