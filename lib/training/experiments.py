"""Every run of the papers as one table, and what a profile makes of each.

An `Experiment` says what a paper's row says: which parts the network has, which losses. `resolve`
adds the sizes of a profile and a seed; its result, a `RunConfig`, is all that a run depends on
besides code and data, and is stored in the run's record.

Methods that nothing is trained for (the input itself, histogram equalisation, ...) are rows like
the others: they have no network, and their run is an evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import ceil

from lib.losses.cycle_gan import CycleGANLosses
from lib.losses.funie import FUnIELosses
from lib.losses.patch_nce import CUTLosses
from lib.losses.two_d_gan import LossWeights
from lib.networks.funie_gan import FUnIEDiscriminatorConfig, FUnIEGANConfig
from lib.networks.markov_discriminator import MarkovDiscriminatorConfig
from lib.networks.patchgan import PatchGANConfig
from lib.networks.resnet_generator import ResnetGeneratorConfig
from lib.networks.tiecnn import TIECNNConfig
from lib.networks.two_d_gan import TwoDGANConfig
from lib.networks.unet_generator import UnetGeneratorConfig
from lib.training.profiles import EnhancementScale, TranslationScale, profile


@dataclass(frozen=True)
class Adam:
    """2D-GAN: learning rate 3e-4, section "Environment and parameter settings"; betas FUnIE's."""

    learning_rate: float = 3e-4
    beta1: float = 0.5
    beta2: float = 0.99


# the rate is that of GN_CycleGAN, section 4.1, the betas CycleGAN's
CYCLE_GAN_ADAM = Adam(learning_rate=2e-4, beta1=0.5, beta2=0.999)
CBAM = ResnetGeneratorConfig(blocks=9, cbam=True)  # the generator of GN_CycleGAN
GN = CycleGANLosses(adversarial="wasserstein", normalisation="eq2")


@dataclass(frozen=True)
class Experiment:
    """One model of a paper, or one method that it is compared with.

    `recipe` is a key of `lib.training.recipes.RECIPES`, which says what network, discriminator and
    losses have to be; for an untrained method it is one of `untrained.METHODS`, and `network` None.
    `weights_of`: the experiment whose network is judged, on other images, in place of training one.
    `title` is what a reader is told; where the paper prints it, lib/results/tables.py says.
    """

    name: str
    paper: str
    title: str
    network: (
        TwoDGANConfig | FUnIEGANConfig | TIECNNConfig | ResnetGeneratorConfig
        | UnetGeneratorConfig | None
    )
    recipe: str = "two_d_gan"
    data: str = "enhancement"
    discriminator: (
        MarkovDiscriminatorConfig | FUnIEDiscriminatorConfig | PatchGANConfig | None
    ) = MarkovDiscriminatorConfig()
    losses: LossWeights | FUnIELosses | CycleGANLosses | CUTLosses | None = LossWeights()
    optimiser: Adam = Adam()
    batch_norm_images: int = 200  # give its statistics for evaluation; 0: its running averages
    weights_of: str = ""
    steps_divisor: float = 1  # a search runs part of the profile's steps, what ships several times
    precision: str = field(default="", metadata={"neutral": ""})  # instead of the one asked for

    @property
    def trained(self) -> bool:
        """Whether there is a trained network; a method without one gives the same for any seed."""
        return self.network is not None or bool(self.weights_of)


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
    }
    return [Experiment(name, "2dgan", *row) for name, row in parts.items()]


def _attention_ablation() -> list[Experiment]:
    """2D-GAN, Table 5, beside the cross-level attention of C5, that one as the authors' code has
    it, and what it weighs without weights: C3 as it can also be read."""
    return [
        Experiment("pixel_attention", "2dgan", "C5 with pixel attention",
                   TwoDGANConfig(attention="pixel")),
        Experiment("multi_head_attention", "2dgan", "C5 with multi-head attention",
                   TwoDGANConfig(attention="multi_head")),
        Experiment("summed_attention", "2dgan", "C5 with the sum of the authors' code",
                   TwoDGANConfig(), "two_d_gan_summed"),
        Experiment("C3-unweighted", "2dgan", "C3 and the first encoder's features, unweighted",
                   TwoDGANConfig(), "two_d_gan_unweighted"),
    ]


def _loss_ablation() -> list[Experiment]:
    """2D-GAN, Table 6. Its ticks add one loss a column; its prose uses one loss a column.

    L1 has no tick; the prose calls it "a simple adversarial loss", so it is the GAN of Eq. 1. Only
    L2 to L4 differ between the two readings. L2-mean-score is L2 with Eq. 4's penalty as it can
    also be read.
    """
    only = LossWeights(adversarial=0.0, mse=0.0, vgg=0.0, efficientnet=0.0)
    default = LossWeights()
    losses = {
        "L1": ("GAN of Eq. 1", replace(only, adversarial=1.0, adversarial_form="gan")),
        "L2": ("WGAN-GP", replace(only, adversarial=1.0)),
        "L2-mean-score": ("WGAN-GP, its penalty of the mean score",
                          replace(only, adversarial=1.0, penalty_score="mean")),
        "L3": ("WGAN-GP and MSE", replace(only, adversarial=1.0, mse=default.mse)),
        "L4": ("WGAN-GP, MSE and VGG", replace(default, efficientnet=0.0)),
        "L5": ("all losses, the same as C5", default),
        "L2-prose": ("MSE only", replace(only, mse=default.mse)),
        "L3-prose": ("VGG only", replace(only, vgg=default.vgg)),
        "L4-prose": ("EfficientNet only", replace(only, efficientnet=default.efficientnet)),
    }
    return [
        Experiment(name, "2dgan", title, TwoDGANConfig(), losses=weights)
        for name, (title, weights) in losses.items()
    ]


def _baselines() -> list[Experiment]:
    """2D-GAN, Table 3: the networks that it is compared with, on the same pairs."""
    return [
        Experiment("TIECNN", "2dgan", "TIECNN, re-implemented from its description",
                   TIECNNConfig(), "tiecnn", discriminator=None, losses=None),
        Experiment("FUnIE-GAN", "2dgan", "FUnIE-GAN, its own losses", FUnIEGANConfig(),
                   "funie_gan", discriminator=FUnIEDiscriminatorConfig(), losses=FUnIELosses()),
    ]


def _sober_drunk() -> list[Experiment]:
    """2D-GAN, Table 7: thermal faces. The second shows what frames of all persons flatter."""
    return [
        Experiment("Sober-Drunk", "2dgan", "2D-GAN trained on thermal faces, split by person",
                   TwoDGANConfig(), data="sober_drunk"),
        Experiment("Sober-Drunk-by-frame", "2dgan",
                   "2D-GAN trained on thermal faces, split by frame", TwoDGANConfig(),
                   data="sober_drunk_by_frame"),
    ]


def _wide() -> list[Experiment]:
    """C5 under the wide ranges of `lib.data.degradation`: the network for images of one's own."""
    return [Experiment("C5-wide", "2dgan", "C5 trained under the wide degradation",
                       TwoDGANConfig(), data="enhancement_wide")]


def _on_other_images() -> list[Experiment]:
    """Our own questions: networks of 2D-GAN judged on images other than their own."""
    untrained = {"network": None, "recipe": "", "discriminator": None, "losses": None}
    return [
        *(Experiment(f"{name}-on-wide", "2dgan", f"{name} under the wide degradation",
                     data="enhancement_wide", weights_of=name, **untrained)
          for name in ("C1", "C2", "C3", "C4", "C5")),
        Experiment("Sober-Drunk-by-frame-on-persons", "2dgan",
                   "the network of the split by frame on the test images of the split by person",
                   data="sober_drunk", weights_of="Sober-Drunk-by-frame", **untrained),
        Experiment("C5-on-recorded-faces", "2dgan",
                   "C5 on recorded faces, the reference being their contrast stretched by CLAHE",
                   data="sober_drunk_recorded", weights_of="C5", **untrained),
        *(Experiment(f"C5-on-{data}-infrared", "2dgan", f"C5 on degraded infrared images, {data}",
                     data=f"{data.lower()}_infrared", weights_of="C5", **untrained)
          for data in ("FLIR", "OSU")),
    ]


def _untrained() -> list[Experiment]:
    """What nothing is trained for: the inputs of both papers, 2D-GAN's classical methods (Table 3),
    and for GN_CycleGAN the floor that a translation has to rise above."""
    methods = [
        ("Input", "enhancement", "input", "the degraded image as it is"),
        ("tone_map", "enhancement", "tone_map", "mean and deviation set by linear regression"),
        ("undo_middle", "enhancement", "undo_middle",
         "contrast and brightness taken back by the middle of their ranges"),
        ("undo_true", "enhancement", "undo_true",
         "contrast and brightness taken back by their true factors"),
        ("Input-wide", "enhancement_wide", "input", "the image degraded by the wide ranges"),
        ("tone_map-wide", "enhancement_wide", "tone_map",
         "mean and deviation set by linear regression, wide ranges"),
        ("HE", "enhancement", "HE", "histogram equalisation"),
        ("CLAHE", "enhancement", "CLAHE", "contrast-limited adaptive histogram equalisation"),
        ("GF", "enhancement", "GF", "guided filter"),
        ("SSR", "enhancement", "SSR", "single-scale Retinex"),
        ("MSR", "enhancement", "MSR", "multi-scale Retinex"),
        ("Sober-Drunk-input", "sober_drunk", "input", "the degraded face as it is"),
        ("Sober-Drunk-tone_map", "sober_drunk", "tone_map",
         "mean and deviation of a face set by linear regression"),
        ("Sober-Drunk-by-frame-input", "sober_drunk_by_frame", "input",
         "the degraded face as it is, faces split by frame"),
        ("recorded-faces-input", "sober_drunk_recorded", "input", "the recorded face as it is"),
    ]
    for data in ("OSU", "FLIR"):
        methods += [
            (f"{data}-infrared-input", f"{data.lower()}_infrared", "input",
             "the degraded infrared image as it is"),
            (f"{data}-infrared-tone_map", f"{data.lower()}_infrared", "tone_map",
             "mean and deviation of an infrared image set by linear regression"),
            (f"visible-{data}", data.lower(), "visible", "the visible image in grey"),
            (f"mean-{data}", data.lower(), "mean", "the mean infrared image of training"),
        ]
    return [
        Experiment(name, "gn_cyclegan" if data in ("osu", "flir") else "2dgan", title, None,
                   recipe, data, discriminator=None, losses=None)
        for name, data, recipe, title in methods
    ]


def _translation() -> list[Experiment]:
    """GN_CycleGAN, Table 2: six methods on two data sets; Table 3: one more, on FLIR."""
    generators = {
        "unet_128": UnetGeneratorConfig(widths=(64, 128, 256, 512, 512, 512, 512)),
        "unet_256": UnetGeneratorConfig(widths=(64, 128, 256, 512, 512, 512, 512, 512)),
        "resnet_6blocks": ResnetGeneratorConfig(blocks=6),
        "resnet_9blocks": ResnetGeneratorConfig(blocks=9),
    }
    made = []
    for data in ("OSU", "FLIR"):
        made += [_cycle_gan(f"{name}-{data}", f"CycleGAN+{name}", network)
                 for name, network in generators.items()]
        made.append(Experiment(
            f"CUT-{data}", "gn_cyclegan", "CUT, its own losses",
            ResnetGeneratorConfig(blocks=9, antialias=True), "cut", data.lower(),
            PatchGANConfig(antialias=True), CUTLosses(), CYCLE_GAN_ADAM))
        made.append(_cycle_gan(f"GN_CycleGAN-{data}", "Ours(GN_CycleGAN)", CBAM, GN))
    made.append(_cycle_gan("CBAM_CycleGAN-FLIR", "CycleGAN+ResNet+CBAM", CBAM))
    return made


def _normalisation_readings() -> list[Experiment]:
    """Our own ablation: the other readings of GN_CycleGAN's losses (Eqs. 2 to 5), on FLIR."""
    readings = {
        "GN_CycleGAN-lsgan-FLIR": ("Eq. 2, least squares", replace(GN, adversarial="lsgan")),
        "GN_CycleGAN-eq3-lsgan-FLIR": (
            "Eq. 3, least squares", replace(GN, normalisation="eq3", adversarial="lsgan")),
        "GN_CycleGAN-eq3-log10-FLIR": (
            "Eq. 3 as the probability of Eqs. 4 and 5",
            replace(GN, normalisation="eq3", adversarial="log10")),
        "CBAM_CycleGAN-log10-FLIR": (
            "no normalisation, Eqs. 4 and 5", CycleGANLosses(adversarial="log10")),
    }
    return [_cycle_gan(name, title, CBAM, losses)
            for name, (title, losses) in readings.items()]


def _loss_search() -> list[Experiment]:
    """Our own search for the loss weights that 2D-GAN leaves silent (19_2dgan_search): FUnIE-GAN's
    and the public code's, pixel weights around both, and what this kit had before."""
    funie = LossWeights(mse=7.0, vgg=3.0, efficientnet=3.0)  # it has no EfficientNet: as VGG
    public = LossWeights(adversarial=0.5, mse=0.1, vgg=0.3, efficientnet=0.2)
    weights = {
        "kit": replace(funie, mse=50.0, efficientnet=2.0),
        "funie": funie,
        "funie-mse-70": replace(funie, mse=70.0),
        "funie-mse-700": replace(funie, mse=700.0),
        "public": public,
        "public-mse-1": replace(public, mse=1.0),
        "public-mse-10": replace(public, mse=10.0),
    }
    return [Experiment(f"search-2dgan-{name}", "2dgan", f"C5, a search for loss weights: {name}",
                       TwoDGANConfig(), losses=losses, steps_divisor=4)
            for name, losses in weights.items()]


def _normalisation_search() -> list[Experiment]:
    """Our own search for what GN_CycleGAN leaves silent, on MSRS (26_gn_search): every reading of
    the normalised score, identity loss and image pool."""
    made = {f"{form}-{score}-{adversarial}": CycleGANLosses(adversarial, form, score)
            for form, suited in (("eq2", ("wasserstein", "lsgan")), ("eq3", ("lsgan", "log10")))
            for score in ("patch", "mean") for adversarial in suited}
    made |= {
        "none-lsgan": CycleGANLosses(),
        "none-lsgan-no-identity": CycleGANLosses(identity=0.0),
        "none-lsgan-no-pool": CycleGANLosses(pool=0),
    }
    whole = [_cycle_gan(f"search-gn-{name}-MSRS", f"a search for readings: {name}", CBAM, losses)
             for name, losses in made.items()]
    return [replace(experiment, steps_divisor=2) for experiment in whole]


def _precision_check(known: Mapping[str, Experiment]) -> list[Experiment]:
    """Our own question: does bf16 train as well as fp32? One experiment of each recipe, in an
    eighth or a third of the profile's steps; of pairs on MSRS, no test images of a table."""
    on_pairs = [replace(known[f"{name}-FLIR"], name=f"{name}-MSRS", data="msrs")
                for name in ("CUT", "GN_CycleGAN")]
    whole = [known["C5"], *_baselines(), *on_pairs]
    return [
        replace(one, name=f"precision-{one.name}-{precision}", precision=precision,
                title=f"{one.title}; trained in {precision}",
                steps_divisor=8 if one.paper == "2dgan" else 3)
        for one in whole for precision in ("fp32", "bf16")
    ]


def _shipped(known: Mapping[str, Experiment]) -> list[Experiment]:
    """The networks for images of one's own (data/weights), trained four times as long as those of
    the tables."""
    whole = {"shipped-2dgan": "C5-wide", "shipped-gn_cyclegan": "GN_CycleGAN-FLIR"}
    return [replace(known[of], name=name, steps_divisor=0.25,
                    title=f"{known[of].title}; to be shipped") for name, of in whole.items()]


def _stress() -> list[Experiment]:
    """Our own stress test of stability: ten times the learning rate and no image pool, on FLIR."""
    hard = replace(CYCLE_GAN_ADAM, learning_rate=10 * CYCLE_GAN_ADAM.learning_rate)
    methods = {"CBAM_CycleGAN": CycleGANLosses(), "GN_CycleGAN": GN}
    return [_cycle_gan(f"{name}-stress-FLIR", f"{name}, learning rate 10 times as high, no pool",
                       CBAM, replace(losses, pool=0), hard)
            for name, losses in methods.items()]


def _cycle_gan(
    name: str, title: str, network, losses=CycleGANLosses(), optimiser: Adam = CYCLE_GAN_ADAM
) -> Experiment:
    """One CycleGAN; the data set is the last part of its name."""
    return Experiment(name, "gn_cyclegan", title, network, "cycle_gan",
                      name.rsplit("-", 1)[1].lower(), PatchGANConfig(), losses, optimiser)


_ORIGINALS = {
    experiment.name: experiment
    for experiment in (
        *_component_ablation(), *_attention_ablation(), *_loss_ablation(), *_baselines(),
        *_sober_drunk(), *_wide(), *_on_other_images(), *_untrained(), *_translation(),
        *_normalisation_readings(), *_stress(), *_loss_search(), *_normalisation_search(),
    )
}
EXPERIMENTS = _ORIGINALS | {
    experiment.name: experiment
    for experiment in (*_precision_check(_ORIGINALS), *_shipped(_ORIGINALS))
}


@dataclass(frozen=True)
class RunConfig:
    """Everything a run's numbers depend on, besides code and data."""

    experiment: Experiment
    profile: str
    seed: int
    scale: EnhancementScale | TranslationScale
    without_perceptual: bool = False  # asked for by name where weights are missing
    precision: str = "auto"  # of a run that has begun "fp32" or "bf16", see lib.training.precision


def resolve(
    name: str, profile_name: str, seed: int = 0, without_perceptual: bool = False,
    precision: str = "auto",
) -> RunConfig:
    """The experiment at the size of a profile.

    Raises ValueError for an unknown name or profile, and where no loss would be left.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    experiment, sizes = EXPERIMENTS[name], profile(profile_name)
    scale = sizes.translation if experiment.paper == "gn_cyclegan" else sizes.enhancement
    for part in ("network", "discriminator"):
        network = getattr(experiment, part)
        if network is not None:
            experiment = replace(experiment, **{part: narrower(network, scale.width_divisor)})
    length = "epochs" if scale.steps is None else "steps"
    scale = replace(scale, **{length: ceil(getattr(scale, length) / experiment.steps_divisor)})
    if without_perceptual and experiment.losses:
        weights = {"vgg", "efficientnet"} & {field.name for field in fields(experiment.losses)}
        losses = replace(experiment.losses, **dict.fromkeys(weights, 0.0))
        if not any(getattr(losses, loss, 0.0) for loss in ("adversarial", "mse", "l1")):
            raise ValueError(f"{name} has no loss left without its perceptual loss")
        experiment = replace(experiment, losses=losses)
    precision = experiment.precision or precision
    return RunConfig(experiment, profile_name, seed, scale, without_perceptual, precision)


def narrower(network, divisor: int):
    """A network's settings with its channels divided."""
    return replace(network, widths=tuple(width // divisor for width in network.widths))
