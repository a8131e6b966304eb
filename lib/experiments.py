"""Every training run of the papers as one table, and what a profile makes of each.

An `Experiment` says what a paper's row says: which parts the network has, which losses. `resolve`
adds the sizes of a profile and a seed; its result, a `RunConfig`, is all that a run depends on
besides code and data, and is stored in the run's record.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace

from lib.networks.markov_discriminator import MarkovDiscriminatorConfig
from lib.networks.two_d_gan import TwoDGANConfig
from lib.profiles import EnhancementScale, profile


@dataclass(frozen=True)
class LossWeights:
    """Loss = L_G + lambda1 L_MSE + lambda2 L_VGG + lambda3 L_Eff (2D-GAN Eq. 8), lambda of Eq. 4.

    The paper gives no values; the ledger of deviations says where these come from. A weight of 0
    leaves the loss out altogether.
    """

    adversarial: float = 1.0
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
    """One trained model of a paper. `recipe` names the module `lib.training.<recipe>`."""

    name: str
    paper: str
    item: str
    title: str
    network: TwoDGANConfig
    recipe: str = "two_d_gan"
    data: str = "enhancement"
    discriminator: MarkovDiscriminatorConfig = MarkovDiscriminatorConfig()
    losses: LossWeights = LossWeights()
    optimiser: Adam = Adam()


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
    return [Experiment(name, "2dgan", "table4", *row) for name, row in parts.items()]


EXPERIMENTS = {experiment.name: experiment for experiment in _component_ablation()}


@dataclass(frozen=True)
class RunConfig:
    """Everything a run's numbers depend on, besides code and data."""

    experiment: Experiment
    profile: str
    seed: int
    scale: EnhancementScale
    without_perceptual: bool = field(default=False)  # asked for by name where weights are missing


def resolve(
    name: str, profile_name: str, seed: int = 0, without_perceptual: bool = False
) -> RunConfig:
    """The experiment at the size of a profile. Raises ValueError for an unknown name or profile."""
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    experiment, scale = EXPERIMENTS[name], profile(profile_name).enhancement
    experiment = replace(
        experiment,
        network=_narrower(experiment.network, scale.width_divisor),
        discriminator=_narrower(experiment.discriminator, scale.width_divisor),
    )
    if without_perceptual:
        losses = replace(experiment.losses, vgg=0.0, efficientnet=0.0)
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
