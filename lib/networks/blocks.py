"""Building blocks that two or more networks share."""

from torch import Tensor, nn


def down(in_channels: int, out_channels: int, bn_momentum: float) -> nn.Sequential:
    """4x4 convolution of stride 2, batch norm, LeakyReLU: (B, C, H, W) -> (B, C', H/2, W/2).

    The encoder step of 2D-GAN, section "Image enhancement network based on 2D-GAN".
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels, momentum=bn_momentum),
        nn.LeakyReLU(0.2, inplace=True),
    )


def up(in_channels: int, out_channels: int, bn_momentum: float, activation: str) -> nn.Sequential:
    """4x4 transposed convolution of stride 2, batch norm, activation (2D-GAN, inner part of Eq. 2).

    (B, C, H, W) -> (B, C', 2H, 2W). `activation` is "relu" (Eq. 2) or "leaky_relu" (the text).
    """
    activations = {"relu": nn.ReLU(inplace=True), "leaky_relu": nn.LeakyReLU(0.2, inplace=True)}
    if activation not in activations:
        raise ValueError(f"activation must be one of {sorted(activations)}, got {activation!r}")
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels, momentum=bn_momentum),
        activations[activation],
    )


def init_normal(network: nn.Module) -> nn.Module:
    """Convolutions N(0, 0.02), batch norm scale N(1, 0.02): FUnIE-GAN's start, used in place."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
    return network


def count_parameters(network: nn.Module) -> int:
    """Number of trainable scalars, as the papers count parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def check_grey(x: Tensor, multiple: int) -> None:
    """Raise ValueError unless `x` is (B, 1, H, W) with H and W multiples of `multiple`."""
    if x.ndim != 4 or x.shape[1] != 1:
        raise ValueError(f"expected grey images (B, 1, H, W), got {tuple(x.shape)}")
    if x.shape[2] % multiple or x.shape[3] % multiple:
        raise ValueError(f"height and width must be multiples of {multiple}, got {tuple(x.shape)}")
