"""CycleGAN's U-Net generators, unet_128 and unet_256 (Zhu et al., 2017; Isola et al., 2017).

GN_CycleGAN compares its generator with them; section 2.1 calls the U-Net the traditional one. From
the public code: 4x4 convolutions of stride 2 down to a single pixel, instance norm without affine
weights or running statistics except on the first and the innermost step, a bias everywhere, skip
connections between equal sizes, no dropout.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.networks.blocks import init_normal
from lib.networks.instance_norm import instance_norm


@dataclass(frozen=True)
class UnetGeneratorConfig:
    in_channels: int = 3
    out_channels: int = 3
    widths: tuple[int, ...] = (64, 128, 256, 512, 512, 512, 512)  # unet_128; one more: unet_256


class UnetGenerator(nn.Module):
    """(B, in, H, W) in [-1, 1] -> (B, out, H, W) in [-1, 1].

    Raises ValueError unless H and W are multiples of 2^L for L = len(widths), 128 for unet_128 and
    256 for unet_256: with less, instance norm would meet a single pixel, and there its result is 0.
    """

    def __init__(self, config: UnetGeneratorConfig = UnetGeneratorConfig()):
        super().__init__()
        self.config = config
        widths = config.widths
        innermost = len(widths) - 1
        self.downs = nn.ModuleList(
            _down(a, b, norm=0 < depth < innermost, activation=depth < innermost)
            for depth, (a, b) in enumerate(zip((config.in_channels, *widths), widths))
        )
        self.ups = nn.ModuleList()
        channels = widths[-1]
        for width in reversed(widths[:-1]):
            self.ups.append(nn.Sequential(_up(channels, width), instance_norm(width)))
            channels = 2 * width  # with the skip connection
        self.to_image = nn.Sequential(_up(channels, config.out_channels), nn.Tanh())
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        skips = []
        for step in self.downs:
            x = step(x)  # (B, C', H/2, W/2)
            skips.append(x)
        for step, skip in zip(self.ups, reversed(skips[:-1])):
            x = torch.cat([skip, step(x)], dim=1)  # (B, 2C', 2H, 2W)
        return self.to_image(x)

    def _check(self, x: Tensor) -> None:
        channels, multiple = self.config.in_channels, 2 ** len(self.config.widths)
        if x.ndim != 4 or x.shape[1] != channels:
            raise ValueError(f"expected images (B, {channels}, H, W), got {tuple(x.shape)}")
        if x.shape[2] % multiple or x.shape[3] % multiple:
            raise ValueError(
                f"unet_{multiple} halves the image {len(self.downs)} times and needs height and "
                f"width in multiples of {multiple}, got {x.shape[2]}x{x.shape[3]}; use another "
                f"size, a U-Net of fewer steps (unet_128 halves 7 times) or a ResNet generator, "
                f"which takes multiples of 4"
            )


def _down(a: int, b: int, norm: bool, activation: bool) -> nn.Sequential:
    """The LeakyReLU that the public code has before the next convolution is here behind this one.

    The skip connection is the same either way: up, a ReLU follows, which undoes a LeakyReLU.
    """
    layers = [nn.Conv2d(a, b, 4, stride=2, padding=1)]
    if norm:
        layers.append(instance_norm(b))
    if activation:
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return nn.Sequential(*layers)


def _up(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(inplace=True), nn.ConvTranspose2d(a, b, 4, stride=2, padding=1))
