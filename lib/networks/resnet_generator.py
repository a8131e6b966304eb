"""The ResNet generator of CycleGAN (Zhu et al., 2017, arXiv:1703.10593), of GN_CycleGAN and of CUT.

CycleGAN, appendix "Network architectures", nine blocks:

    c7s1-64, d128, d256, R256 x 9, u128, u64, c7s1-3, tanh

GN_CycleGAN, "Network Framework Structure", adds CBAM (`cbam`), CUT anti-aliased sampling
(`antialias`), besides reading features on the way. Instance norm has neither affine weights nor
running statistics. The convolutions before it have a bias, as in the public code: it changes
nothing, its gradient is rounding error, but the parameter counts have it.
"""

from dataclasses import dataclass, field

from torch import Tensor, nn

from lib.networks.blocks import init_normal
from lib.networks.cbam import CBAM
from lib.networks.cut_blocks import BlurDown, BlurUp, init_xavier
from lib.networks.instance_norm import instance_norm
from lib.networks.padding import ReflectionPad

NCE_BLOCKS = (0, 4)  # the residual blocks whose results CUT compares


@dataclass(frozen=True)
class ResnetGeneratorConfig:
    in_channels: int = 3
    out_channels: int = 3
    widths: tuple[int, ...] = (64, 128, 256)  # at full size, half, a quarter
    blocks: int = 9
    cbam: bool = False  # in every residual block
    cbam_norm: bool = field(default=True, metadata={"neutral": True})  # see CBAM
    antialias: bool = False  # CUT's: blurred sampling, Xavier start instead of N(0, 0.02)


class ResidualBlock(nn.Module):
    """x + [CBAM](IN(conv(ReLU(IN(conv(x)))))), all (B, C, H, W).

    CBAM stands where Woo et al. (Fig. 3) put it: it weighs what the block adds, before the sum, so
    that x itself passes unweighted through all blocks. Behind an instance norm every channel's mean
    is 0, so of the channel attention's two poolings only the maximum tells images apart.
    """

    def __init__(self, channels: int, cbam: bool, cbam_norm: bool = True):
        super().__init__()
        layers = [ReflectionPad(1), nn.Conv2d(channels, channels, 3), *_norm_relu(channels)]
        layers += [ReflectionPad(1), nn.Conv2d(channels, channels, 3), instance_norm(channels)]
        if cbam:
            layers.append(CBAM(channels, cbam_norm))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class ResnetGenerator(nn.Module):
    """(B, in, H, W) in [-1, 1] -> (B, out, H, W) in [-1, 1].

    Raises ValueError unless H and W are multiples of 4 (2^(len(widths) - 1)), channels as
    configured.
    """

    def __init__(self, config: ResnetGeneratorConfig = ResnetGeneratorConfig()):
        super().__init__()
        self.config = config
        widths = config.widths
        down, up = (_blurred_down, _blurred_up) if config.antialias else (_down, _up)
        self.pad = ReflectionPad(3)
        self.stem = nn.Sequential(
            nn.Conv2d(config.in_channels, widths[0], 7), *_norm_relu(widths[0])
        )
        self.downs = nn.ModuleList(down(a, b) for a, b in zip(widths, widths[1:]))
        self.blocks = nn.ModuleList(
            ResidualBlock(widths[-1], config.cbam, config.cbam_norm) for _ in range(config.blocks)
        )
        self.ups = nn.Sequential(*(up(b, a) for a, b in zip(widths[-2::-1], widths[::-1])))
        self.to_image = nn.Sequential(
            ReflectionPad(3), nn.Conv2d(widths[0], config.out_channels, 7), nn.Tanh()
        )
        (init_xavier if config.antialias else init_normal)(self)

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of what `features` gives: what CUT's projection head has to be built for."""
        widths = self.config.widths
        return (self.config.in_channels, *widths[1:], *(widths[-1] for _ in NCE_BLOCKS))

    def forward(self, x: Tensor) -> Tensor:
        return self._decode(self._encode(x, self.config.blocks)[0])

    def features(self, x: Tensor) -> list[Tensor]:
        """What CUT compares, without computing what lies behind the last of it.

        The padded image (B, in, H + 6, W + 6); the result of each convolution of the way down,
        before its norm: (B, 128, H, W), (B, 256, H/2, W/2) with `antialias`, half of that without;
        residual blocks 1 and 5: (B, 256, H/4, W/4). In the public code's numbering of layers, with
        anti-aliasing, these are 0, 4, 8, 12, 16. Raises ValueError with fewer than 5 blocks.
        """
        return self._checked(self._encode(x, max(NCE_BLOCKS) + 1)[1])

    def forward_with_features(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """`forward` and `features` of the same images in one pass."""
        x, features = self._encode(x, self.config.blocks)
        return self._decode(x), self._checked(features)

    def _encode(self, x: Tensor, blocks: int) -> tuple[Tensor, list[Tensor]]:
        """The result of so many residual blocks, and the features on the way."""
        channels, multiple = self.config.in_channels, 2 ** len(self.downs)
        if x.ndim != 4 or x.shape[1] != channels or x.shape[2] % multiple or x.shape[3] % multiple:
            raise ValueError(
                f"expected images (B, {channels}, H, W), H and W multiples of {multiple}, "
                f"got {tuple(x.shape)}"
            )
        x = self.pad(x)
        features = [x]
        x = self.stem(x)  # (B, 64, H, W)
        for convolution, rest in self.downs:
            x = convolution(x)
            features.append(x)
            x = rest(x)  # (B, 128, H/2, W/2), (B, 256, H/4, W/4)
        for index, block in enumerate(self.blocks[:blocks]):
            x = block(x)
            if index in NCE_BLOCKS:
                features.append(x)
        return x, features

    def _decode(self, x: Tensor) -> Tensor:
        return self.to_image(self.ups(x))

    def _checked(self, features: list[Tensor]) -> list[Tensor]:
        if len(features) < len(self.feature_channels):
            raise ValueError(
                f"features need {max(NCE_BLOCKS) + 1} residual blocks or more, "
                f"this generator has {self.config.blocks}"
            )
        return features


def _norm_relu(channels: int) -> tuple[nn.Module, nn.Module]:
    return instance_norm(channels), nn.ReLU(inplace=True)


def _down(a: int, b: int) -> nn.Sequential:
    """Convolution, and what follows it."""
    return nn.Sequential(
        nn.Conv2d(a, b, 3, stride=2, padding=1), nn.Sequential(*_norm_relu(b))
    )


def _up(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=1), *_norm_relu(b)
    )


def _blurred_down(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1), nn.Sequential(*_norm_relu(b), BlurDown(b))
    )


def _blurred_up(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(BlurUp(a), nn.Conv2d(a, b, 3, padding=1), *_norm_relu(b))
