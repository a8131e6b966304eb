"""FUnIE-GAN (Islam et al., 2020, arXiv:1903.09766): a U-net and a conditional patch discriminator.

2D-GAN compares itself with it in Table 3. Re-implemented from the paper and its public PyTorch
code, which has 7,019,587 parameters in the generator for colour and 7,016,513 for grey images,
696,672 and 694,624 in the discriminator, and takes 0.895 G multiply-accumulates for a colour image
of 128 px through the generator.

These counts settle what the paper's figure leaves open: the decoder's steps are transposed
convolutions and only the last one, to the image, is nearest upsampling and a convolution; neither
the first nor the innermost encoder step has batch norm; the discriminator's convolutions have a
bias in spite of their batch norm.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.networks.blocks import init_normal, up

BN_MOMENTUM = 0.8  # in PyTorch's sense


@dataclass(frozen=True)
class FUnIEGANConfig:
    widths: tuple[int, ...] = (32, 128, 256, 256, 256)
    in_channels: int = 1
    out_channels: int = 1


@dataclass(frozen=True)
class FUnIEDiscriminatorConfig:
    widths: tuple[int, ...] = (32, 64, 128, 256)
    in_channels: int = 1  # of the image; the condition has as many


class FUnIEGenerator(nn.Module):
    """(B, in, H, W) in [-1, 1] -> (B, out, H, W) in [-1, 1].

    Raises ValueError unless H and W are multiples of 2^L (32 by default), channels as configured.
    """

    def __init__(self, config: FUnIEGANConfig = FUnIEGANConfig()):
        super().__init__()
        self.config = config
        widths = config.widths
        innermost = len(widths) - 1
        self.downs = nn.ModuleList(
            _down(a, b, bias=False, batch_norm=0 < depth < innermost)
            for depth, (a, b) in enumerate(zip((config.in_channels, *widths), widths))
        )
        self.ups = nn.ModuleList()
        channels = widths[-1]
        for width in reversed(widths[:-1]):
            self.ups.append(up(channels, width, BN_MOMENTUM, "relu"))
            channels = 2 * width  # with the skip connection
        self.to_image = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.ZeroPad2d((1, 0, 1, 0)),  # a 4x4 convolution of padding 1 takes away one pixel
            nn.Conv2d(channels, config.out_channels, 4, padding=1),
            nn.Tanh(),
        )
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        channels, multiple = self.config.in_channels, 2 ** len(self.config.widths)
        if x.ndim != 4 or x.shape[1] != channels or x.shape[2] % multiple or x.shape[3] % multiple:
            raise ValueError(
                f"expected images (B, {channels}, H, W), H and W multiples of {multiple}, "
                f"got {tuple(x.shape)}"
            )
        skips = []
        for step in self.downs:
            x = step(x)
            skips.append(x)
        for step, skip in zip(self.ups, reversed(skips[:-1])):
            x = torch.cat([step(x), skip], dim=1)
        return self.to_image(x)


class FUnIEDiscriminator(nn.Module):
    """Image and condition, both (B, C, H, W) in [-1, 1] -> scores (B, 1, H/16, W/16), unbounded.

    H and W are multiples of 16. A bias before a batch norm changes nothing, and its gradient is
    rounding error; the public code has it, so it stays.
    """

    def __init__(self, config: FUnIEDiscriminatorConfig = FUnIEDiscriminatorConfig()):
        super().__init__()
        self.config = config
        widths = config.widths
        steps = [
            _down(a, b, bias=True, batch_norm=depth > 0)
            for depth, (a, b) in enumerate(zip((2 * config.in_channels, *widths), widths))
        ]
        scores = nn.Conv2d(widths[-1], 1, 4, padding=1, bias=False)
        self.layers = nn.Sequential(*steps, nn.ZeroPad2d((1, 0, 1, 0)), scores)
        init_normal(self)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        return self.layers(torch.cat([image, condition], dim=1))


def _down(in_channels: int, out_channels: int, bias: bool, batch_norm: bool) -> nn.Sequential:
    """4x4 convolution of stride 2, batch norm or none, LeakyReLU: (B, C', H/2, W/2)."""
    layers = [nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(out_channels, momentum=BN_MOMENTUM))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))
