"""Gradient normalisation of a discriminator (Wu et al., 2021, arXiv:2109.02235; GN_CycleGAN, 2.3).

    Eq. 2    f_hat = f / (||grad_x f|| + |f|)       in [-1, 1]
    Eq. 3    f_hat = |f / (||grad_x f|| + zeta)|^2  in [0, 1] for zeta = |f|

Zeta "can be associated with f(x) or a constant": |f| here, or a number that is given.

Where f is piecewise linear the first is 1-Lipschitz, f being one number an image: what gradient
normalisation is defined for. A PatchGAN is not piecewise linear, for its instance norm, so there is
no such bound. The paper does not say what f is for a discriminator that gives a map of scores. Two
readings are selectable:

    mean     f is the mean of the map: one normalised score an image
    patch    f is each score of the map, the gradient that of their sum: one norm an image, put into
             every score. The sum's gradient is h w times that of the mean, and about 7.5 times one
             score's for the 14x14 of a PatchGAN at its start, so the normalised scores, and what
             the generator learns from them, are smaller.
"""

import torch
from torch import Tensor, nn

FORMS = ("eq2", "eq3")
SCORES = ("patch", "mean")


class GradientNormalised(nn.Module):
    """(B, C, H, W) -> normalised scores, (B, 1, h, w) as before, of "mean" (B, 1, 1, 1).

    LSGAN's target 1 is the limit of an infinite score; it is never reached. Scores of "patch" stay
    within about 0.2 of 0 for a PatchGAN at its start under Eq. 2. Where f and its gradient both
    are 0 the result is NaN, 0 with a constant zeta; constant images through a PatchGAN stay finite.

    The images may come from a generator: gradients then flow on into it, through the norm as well.
    Images of a batch stay apart if the discriminator keeps them apart, as with instance norm.
    Under `no_grad` the values are the same; `inference_mode` does not work.
    """

    def __init__(self, discriminator: nn.Module, form: str = "eq2", score: str = "patch",
                 zeta: float | None = None):
        super().__init__()
        for name, given, known in (("form", form, FORMS), ("score", score, SCORES)):
            if given not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {given!r}")
        if zeta is not None and form != "eq3":
            raise ValueError("only Eq. 3 has a zeta")
        self.discriminator = discriminator
        self.form, self.score, self.zeta = form, score, zeta

    def forward(self, x: Tensor) -> Tensor:
        training = torch.is_grad_enabled()
        with torch.enable_grad():
            if not x.requires_grad:
                x = x.detach().requires_grad_()
            scores = self.discriminator(x)
            if self.score == "mean":
                scores = scores.mean(dim=(1, 2, 3), keepdim=True)
            (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=training)
        norm = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)  # (B, 1, 1, 1)
        normalised = scores / (norm + (scores.abs() if self.zeta is None else self.zeta))
        return normalised if self.form == "eq2" else normalised.square()
