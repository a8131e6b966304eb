"""Perceptual losses: distances between features of a frozen network (2D-GAN, Eqs. 6 and 7)."""

from torch import Tensor


def feature_distance(fake: Tensor, real: Tensor, norm: str = "l1") -> Tensor:
    """Mean distance between the features of generated and of target images, a scalar >= 0.

    2D-GAN, Eq. 6 (VGG-16) and Eq. 7 (EfficientNet-B0), averaged over the batch:

        L = 1/(C W H)  sum_i sum_j sum_k  || phi_ijk(y) - phi_ijk(G(x)) ||_2

    The norm stands inside the three sums, around a single number, and the 2-norm of a number is
    its absolute value: taken literally, the loss is the mean absolute difference ("l1", also what
    the authors' public code computes). "l2" is the other reading, the mean squared difference.

    `fake` and `real` are (B, C, H, W) features of one network; the gradient flows to both.

    Raises ValueError where the shapes differ or `norm` is neither "l1" nor "l2".
    """
    if fake.shape != real.shape:
        raise ValueError(f"features differ in shape: {tuple(fake.shape)}, {tuple(real.shape)}")
    if norm == "l1":
        return (real - fake).abs().mean()
    if norm == "l2":
        return (real - fake).square().mean()
    raise ValueError(f"norm must be 'l1' or 'l2', not {norm!r}")
