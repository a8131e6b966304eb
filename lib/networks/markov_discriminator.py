"""The Markov (patch) discriminator of 2D-GAN (Fig. 2b): one score a patch, 8x8 at 128 px.

The text speaks of four convolutional layers once and of five once; both hold when the last,
stride-1 layer that makes the scores is counted or not. Its channel numbers are not in the text:
(96, 144, 192, 256) gives 1.455 M parameters, Table 2 says 1.46 M. No sigmoid: WGAN-GP's critic.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from lib.networks.blocks import check_grey, down, init_normal


@dataclass(frozen=True)
class MarkovDiscriminatorConfig:
    widths: tuple[int, ...] = (96, 144, 192, 256)
    bn_momentum: float = 0.8


class MarkovDiscriminator(nn.Module):
    """(B, 1, H, W) in [-1, 1] -> scores (B, 1, H/16, W/16), unbounded.

    Four 4x4 convolutions of stride 2 with batch norm and LeakyReLU, then a 3x3 one of stride 1. The
    last has no bias: Eq. 4 only compares scores, so a bias would drift on rounding errors alone. In
    Eq. 1 (Table 6, L1) it would count; the batch norm before it can stand in for most of it.
    Batch norm mixes the images of a batch, which WGAN-GP's authors advise against in a critic; the
    paper has it, so it stays.
    """

    def __init__(self, config: MarkovDiscriminatorConfig = MarkovDiscriminatorConfig()):
        super().__init__()
        self.config = config
        steps = [
            down(a, b, config.bn_momentum) for a, b in zip((1, *config.widths), config.widths)
        ]
        scores = nn.Conv2d(config.widths[-1], 1, 3, padding=1, bias=False)
        self.layers = nn.Sequential(*steps, scores)
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        check_grey(x, 2 ** len(self.config.widths))
        return self.layers(x)
