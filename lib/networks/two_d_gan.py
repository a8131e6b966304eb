"""The dual-decoding generator of 2D-GAN (Fig. 2a) with its parts switchable (Table 4, C1 to C5).

Two U-shaped encoder-decoders in a row. The second one reads the first one's image (`middle`) and
takes three kinds of help, each of which can be switched off:

    internal skips    f_e^i joins the decoder of the same stage                   Eq. 2
    external skips    f_d1^i, halved in channels, joins the second encoder        Eq. 3, Fig. 3
    attention         f_e1^i, weighted, joins the second decoder                  Fig. 4

Depth i = 1..L counts the encoder levels: at 128 px and L = 4, f^i has 64, 32, 16, 8 pixels a side.
The figure's channel numbers are not in the text; (64, 128, 256, 512) with a 3x3 `conv2` gives
12.30 M parameters, within 1 % of Table 2's 12.18 M. See the ledger of deviations for each choice.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib.networks.attention import ATTENTION
from lib.networks.blocks import check_grey, down, init_normal, up


@dataclass(frozen=True)
class TwoDGANConfig:
    """Which parts of Fig. 2a are there. The defaults are the complete network, C5."""

    widths: tuple[int, ...] = (64, 128, 256, 512)  # channels of f_e^1 .. f_e^L
    dual: bool = True  # False: a single encoder-decoder (C1, C2)
    internal_skips: bool = True
    external_skips: bool = True
    attention: str = "cross_level"  # of Fig. 4; Table 5's others: "pixel", "multi_head"; or "none"
    decoder_activation: str = "relu"  # Eq. 2; the text says "leaky_relu"
    bn_momentum: float = 0.8  # the paper's number in PyTorch's sense; in Keras's sense it is 0.2


class ExternalSkip(nn.Module):
    """Eq. 3: the first decoder's feature enters the second encoder on its way down.

    f_e2^(i+1) = conv2(ReLU(BN(conv1(concat(conv1(f_d1^i), f_e2^i)))))

    (the parenthesis behind f_d1^i is missing in print). Both conv1 keep the size and halve the
    channels (1x1 here), conv2 halves the size (3x3 here).
    """

    def __init__(self, decoder_channels: int, channels: int, out_channels: int, bn_momentum: float):
        super().__init__()
        self.reduce = nn.Conv2d(decoder_channels, channels, 1, bias=False)
        self.merge = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels, momentum=bn_momentum),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, out_channels, 3, stride=2, padding=1, bias=False),
        )

    def forward(self, decoded: Tensor, encoded: Tensor) -> Tensor:
        return self.merge(torch.cat([self.reduce(decoded), encoded], dim=1))  # (B, C', H/2, W/2)


class Decoder(nn.Module):
    """Eq. 2, from f_e^L up to an image: f_d^i = concat(ReLU(BN(ConvT(f_d^(i-1)))), skips).

    `skip_maps` says how many feature maps of the level's width are joined to each step's result.
    """

    def __init__(self, config: TwoDGANConfig, skip_maps: int):
        super().__init__()
        widths = config.widths
        self.ups = nn.ModuleList()
        channels = widths[-1]
        for width in reversed(widths[:-1]):
            self.ups.append(up(channels, width, config.bn_momentum, config.decoder_activation))
            channels = width * (1 + skip_maps)
        self.to_image = nn.Sequential(
            nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1), nn.Tanh()
        )


class TwoDGAN(nn.Module):
    """2D-GAN's generator: grey images (B, 1, H, W) in [-1, 1] to enhanced ones of the same shape.

    H and W must be multiples of 2^L (16 by default), else ValueError.
    """

    def __init__(self, config: TwoDGANConfig = TwoDGANConfig()):
        super().__init__()
        if config.attention not in ("none", *ATTENTION):
            known = ", ".join(ATTENTION)
            raise ValueError(f"attention must be none, {known}; got {config.attention!r}")
        if not config.dual and (config.external_skips or config.attention != "none"):
            raise ValueError("external skips and attention need the dual network (dual=True)")
        self.config = config
        widths, momentum = config.widths, config.bn_momentum
        internal, attends = int(config.internal_skips), int(config.attention != "none")

        def encoder_steps() -> nn.ModuleList:
            return nn.ModuleList(down(a, b, momentum) for a, b in zip((1, *widths), widths))

        self.encoder1 = encoder_steps()
        self.decoder1 = Decoder(config, skip_maps=internal)
        if config.dual:
            self.encoder2 = encoder_steps()
            if config.external_skips:
                self.encoder2 = self.encoder2[:1]  # the deeper steps are Eq. 3's
                self.external = nn.ModuleList(
                    ExternalSkip(a * (1 + internal), a, b, momentum)
                    for a, b in zip(widths, widths[1:])
                )
            self.decoder2 = Decoder(config, skip_maps=internal + attends)
            if attends:
                self.attention = nn.ModuleList(
                    ATTENTION[config.attention](width, momentum)
                    for width in reversed(widths[:-1])
                )
        init_normal(self)

    def encode1(self, x: Tensor) -> list[Tensor]:
        """f_e1^1 .. f_e1^L."""
        features = []
        for step in self.encoder1:
            x = step(x)
            features.append(x)
        return features

    def decode1(self, encoded: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The first stage's image and f_d1 listed by depth: index i has the size of f_e1^(i+1)."""
        x, decoded = encoded[-1], []
        for step, skip in zip(self.decoder1.ups, reversed(encoded[:-1])):
            x = step(x)
            if self.config.internal_skips:
                x = torch.cat([x, skip], dim=1)  # Eq. 2
            decoded.insert(0, x)
        return self.decoder1.to_image(x), decoded

    def encode2(self, middle: Tensor, decoded: list[Tensor]) -> list[Tensor]:
        """f_e2^1 .. f_e2^L, with the external skips of Eq. 3 where they are on."""
        x = self.encoder2[0](middle)
        features = [x]
        for depth in range(1, len(self.config.widths)):
            if self.config.external_skips:
                x = self.external[depth - 1](decoded[depth - 1], x)
            else:
                x = self.encoder2[depth](x)
            features.append(x)
        return features

    def decode2(self, encoded1: list[Tensor], encoded2: list[Tensor]) -> Tensor:
        """The enhanced image from both encoders' features."""
        x = encoded2[-1]
        skips = zip(reversed(encoded1[:-1]), reversed(encoded2[:-1]))
        for depth, (step, (first, second)) in enumerate(zip(self.decoder2.ups, skips)):
            x = step(x)
            parts = [x]
            if self.config.attention != "none":
                parts.append(self.attention[depth](first, x))
            if self.config.internal_skips:
                parts.append(second)
            x = torch.cat(parts, dim=1)
        return self.decoder2.to_image(x)

    def forward(self, x: Tensor) -> Tensor:
        check_grey(x, 2 ** len(self.config.widths))
        encoded1 = self.encode1(x)
        middle, decoded1 = self.decode1(encoded1)
        if not self.config.dual:
            return middle
        encoded2 = self.encode2(middle, decoded1)
        return self.decode2(encoded1, encoded2)  # (B, 1, H, W)
