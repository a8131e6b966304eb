"""Gradient normalisation of a discriminator (Wu et al., 2021, arXiv:2109.02235; GN_CycleGAN, 2.3).

    Eq. 2    f_hat = f / (||grad_x f|| + |f|)       in [-1, 1]
    Eq. 3    f_hat = |f / (||grad_x f|| + zeta)|^2  in [0, 1], with zeta = |f|

Where f is piecewise linear the first is 1-Lipschitz. The paper does not say what f is for a
discriminator that gives a map of scores. Here the gradient is that of the sum of an image's scores
with respect to the whole image: one norm an image, put into every score of its map.
"""

import torch
from torch import Tensor, nn

FORMS = ("eq2", "eq3")


class GradientNormalised(nn.Module):
    """(B, C, H, W) -> normalised scores of the discriminator's shape, (B, 1, h, w).

    The norm of a sum of scores is many times one score, so values stay far from the ends of the
    range: within about 0.25 of 0 for a PatchGAN at its start under Eq. 2. LSGAN's target 1 is the
    limit of an infinite score; it is never reached.

    The images may come from a generator: gradients then flow on into it, through the norm as well.
    Images of a batch stay apart if the discriminator keeps them apart, as with instance norm.
    Under `no_grad` the values are the same; `inference_mode` does not work.
    """

    def __init__(self, discriminator: nn.Module, form: str = "eq2"):
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
        self.discriminator = discriminator
        self.form = form

    def forward(self, x: Tensor) -> Tensor:
        training = torch.is_grad_enabled()
        with torch.enable_grad():
            if not x.requires_grad:
                x = x.detach().requires_grad_()
            scores = self.discriminator(x)
            (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=training)
        norm = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)  # (B, 1, 1, 1)
        normalised = scores / (norm + scores.abs())
        return normalised if self.form == "eq2" else normalised.square()
