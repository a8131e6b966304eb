"""Every training run of the papers as one table, and what a profile makes of each.

An `Experiment` says what a paper's row says: which parts the network has, which losses. `resolve`
adds the sizes of a profile and a seed; its result, a `RunConfig`, is all that a run depends on
besides code and data, and is stored in the run's record.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, is_dataclass, replace

from lib.losses.funie import FUnIELosses
from lib.networks.funie_gan import FUnIEDiscriminatorConfig, FUnIEGANConfig
from lib.networks.markov_discriminator import MarkovDiscriminatorConfig
from lib.networks.tiecnn import TIECNNConfig
from lib.networks.two_d_gan import TwoDGANConfig
from lib.profiles import EnhancementScale, profile


@dataclass(frozen=True)
class LossWeights:
    """Loss = L_G + lambda1 L_MSE + lambda2 L_VGG + lambda3 L_Eff (2D-GAN Eq. 8), lambda of Eq. 4.

    The paper gives no values; the ledger of deviations says where these come from. A weight of 0
    leaves the loss out altogether.
    """

    adversarial: float = 1.0
    adversarial_form: str = "wgan_gp"  # Eq. 4; "gan" is Eq. 1
    mse: float = 50.0
    vgg: float = 3.0
    efficientnet: float = 2.0
    gradient_penalty: float = 10.0
    perceptual_norm: str = "l1"  # Eqs. 6 and 7 to the letter; "l2" is the mean square


@dataclass(frozen=True)
class Adam:
    """2D-GAN: learning rate 3e-4, section "Environment and parameter settings"; betas FUnIE's."""

    learning_rate: float = 3e-4
    beta1: float = 0.5
    beta2: float = 0.99


@dataclass(frozen=True)
class Experiment:
    """One trained model of a paper.

    `item` and `column` say where the paper prints it, `recipe` names the module
    `lib.training.<recipe>`, which says what network, discriminator and losses have to be.
    """

    name: str
    paper: str
    item: str
    column: str
    title: str
    network: TwoDGANConfig | FUnIEGANConfig | TIECNNConfig
    recipe: str = "two_d_gan"
    data: str = "enhancement"
    discriminator: MarkovDiscriminatorConfig | FUnIEDiscriminatorConfig | None = (
        MarkovDiscriminatorConfig()
    )
    losses: LossWeights | FUnIELosses | None = LossWeights()
    optimiser: Adam = Adam()
    batch_norm_images: int = 200  # give its statistics for evaluation; 0: its running averages


def _component_ablation() -> list[Experiment]:
    """2D-GAN, Table 4: the parts of the generator, one more with each row (C4 swaps one)."""
    parts = {
        "C1": ("single encoder-decoder",
               TwoDGANConfig(dual=False, internal_skips=False, external_skips=False,
                             attention="none")),
        "C2": ("C1 and internal skips",
               TwoDGANConfig(dual=False, external_skips=False, attention="none")),
        "C3": ("dual decoding, internal and external skips", TwoDGANConfig(attention="none")),
        "C4": ("dual decoding, internal skips, attention", TwoDGANConfig(external_skips=False)),
        "C5": ("the complete 2D-GAN", TwoDGANConfig()),
    }  # fmt: skip
    return [Experiment(name, "2dgan", "table4", name, *row) for name, row in parts.items()]


def _attention_ablation() -> list[Experiment]:
    """2D-GAN, Table 5, beside the cross-level attention of C5."""
    return [
        Experiment("pixel_attention", "2dgan", "table5", "Pixel attention",
                   "C5 with pixel attention", TwoDGANConfig(attention="pixel")),
        Experiment("multi_head_attention", "2dgan", "table5", "Multi-head attention",
                   "C5 with multi-head attention", TwoDGANConfig(attention="multi_head")),
    ]  # fmt: skip


def _loss_ablation() -> list[Experiment]:
    """2D-GAN, Table 6. Its ticks add one loss a column; its prose uses one loss a column.

    L1 has no tick; the prose calls it "a simple adversarial loss", so it is the GAN of Eq. 1. Only
    L2 to L4 differ between the two readings.
    """
    only = LossWeights(adversarial=0.0, mse=0.0, vgg=0.0, efficientnet=0.0)
    default = LossWeights()
    losses = {
        "L1": ("GAN of Eq. 1", replace(only, adversarial=1.0, adversarial_form="gan")),
        "L2": ("WGAN-GP", replace(only, adversarial=1.0)),
        "L3": ("WGAN-GP and MSE", replace(only, adversarial=1.0, mse=default.mse)),
        "L4": ("WGAN-GP, MSE and VGG", replace(default, efficientnet=0.0)),
        "L5": ("all losses, the same as C5", default),
        "L2-prose": ("MSE only", replace(only, mse=default.mse)),
        "L3-prose": ("VGG only", replace(only, vgg=default.vgg)),
        "L4-prose": ("EfficientNet only", replace(only, efficientnet=default.efficientnet)),
    }
    return [
        Experiment(name, "2dgan", "table6", name[:2], title, TwoDGANConfig(), losses=weights)
        for name, (title, weights) in losses.items()
    ]


def _baselines() -> list[Experiment]:
    """2D-GAN, Table 3: the networks that it is compared with, on the same pairs."""
    return [
        Experiment("TIECNN", "2dgan", "table3", "TIECNN",
                   "TIECNN, re-implemented from its description", TIECNNConfig(),
                   "tiecnn", discriminator=None, losses=None),
        Experiment("FUnIE-GAN", "2dgan", "table3", "FUnIE", "FUnIE-GAN, its own losses",
                   FUnIEGANConfig(), "funie_gan", discriminator=FUnIEDiscriminatorConfig(),
                   losses=FUnIELosses()),
    ]  # fmt: skip


def _sober_drunk() -> list[Experiment]:
    """2D-GAN, Table 7: thermal faces. The second shows what frames of all persons flatter."""
    return [
        Experiment("Sober-Drunk", "2dgan", "table7", "After enhancement",
                   "2D-GAN trained on thermal faces, split by person", TwoDGANConfig(),
                   "two_d_gan_faces", data="sober_drunk"),
        Experiment("Sober-Drunk-by-frame", "2dgan", "table7", "After enhancement",
                   "2D-GAN trained on thermal faces, split by frame", TwoDGANConfig(),
                   "two_d_gan_faces", data="sober_drunk_by_frame"),
    ]  # fmt: skip


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        *_component_ablation(), *_attention_ablation(), *_loss_ablation(), *_baselines(),
        *_sober_drunk()
    )
}  # fmt: skip


@dataclass(frozen=True)
class RunConfig:
    """Everything a run's numbers depend on, besides code and data."""

    experiment: Experiment
    profile: str
    seed: int
    scale: EnhancementScale
    without_perceptual: bool = False  # asked for by name where weights are missing


def resolve(
    name: str, profile_name: str, seed: int = 0, without_perceptual: bool = False
) -> RunConfig:
    """The experiment at the size of a profile.

    Raises ValueError for an unknown name or profile, and where no loss would be left.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    experiment, scale = EXPERIMENTS[name], profile(profile_name).enhancement
    for part in ("network", "discriminator"):
        network = getattr(experiment, part)
        if network is not None:
            experiment = replace(experiment, **{part: _narrower(network, scale.width_divisor)})
    if without_perceptual and is_dataclass(experiment.losses):
        weights = {"vgg", "efficientnet"} & {field.name for field in fields(experiment.losses)}
        losses = replace(experiment.losses, **dict.fromkeys(weights, 0.0))
        if not any(getattr(losses, loss, 0.0) for loss in ("adversarial", "mse", "l1")):
            raise ValueError(f"{name} has no loss left without its perceptual loss")
        experiment = replace(experiment, losses=losses)
    return RunConfig(experiment, profile_name, seed, scale, without_perceptual)


def _narrower(network, divisor: int):
    return replace(network, widths=tuple(width // divisor for width in network.widths))


def run_hash(config: RunConfig) -> str:
    """The identity of a configuration: sha256 over its fields, 16 hex digits."""
    text = json.dumps(asdict(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def config_hash(name: str, profile_name: str) -> str:
    """`run_hash` of an experiment under a profile, seed 0: changes when its settings do."""
    return run_hash(resolve(name, profile_name))
