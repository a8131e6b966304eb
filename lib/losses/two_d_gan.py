"""The weights of 2D-GAN's losses (Eq. 8); the losses are in adversarial, pixel and perceptual."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LossWeights:
    """Loss = L_G + lambda1 L_MSE + lambda2 L_VGG + lambda3 L_Eff (2D-GAN Eq. 8), lambda of Eq. 4.

    The paper gives no values; these won the search of 19_2dgan_search. A weight of 0 leaves the
    loss out altogether.
    """

    adversarial: float = 1.0
    adversarial_form: str = "wgan_gp"  # Eq. 4; "gan" is Eq. 1
    mse: float = 700.0
    vgg: float = 3.0
    efficientnet: float = 3.0
    gradient_penalty: float = 10.0
    penalty_score: str = field(default="sum", metadata={"neutral": "sum"})  # or "mean", of patches
    perceptual_norm: str = "l1"  # Eqs. 6 and 7 to the letter; "l2" is the mean square
