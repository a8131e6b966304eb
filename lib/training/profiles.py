"""How big a run is: `smoke` (minutes), `laptop` (hours on a CPU), `paper` (the papers' protocol).

A profile changes channels, numbers of images, steps, GN_CycleGAN's image size and how many images
of a batch VGG and EfficientNet see, else nothing of the method: images are whole in training as in
the test, and of one size. `test` is for the test suite: seconds, and no number of it means
anything.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class EnhancementScale:
    """The size of the infrared enhancement experiments of 2D-GAN."""

    image_size: int = 128  # in training, batch norm's statistics and evaluation
    n_train: int | None = None  # None: all there are
    n_validation: int | None = None
    n_test: int | None = None
    width_divisor: int = 1  # channels of generator and discriminator divided by this
    batch_size: int = 8
    epochs: int | None = None  # either epochs
    steps: int | None = None  # or steps
    perceptual_images: int | None = None  # VGG and EfficientNet see the first k of a batch

    @property
    def limits(self) -> dict[str, int | None]:
        """How many images of each part are taken, as `lib.data.catalogue.load` wants it."""
        return {"train": self.n_train, "validation": self.n_validation, "test": self.n_test}


@dataclass(frozen=True)
class TranslationScale:
    """The size of the visible-to-infrared experiments of GN_CycleGAN; the batch is 1."""

    # in training and evaluation; GN_CycleGAN names none. unet_256 works at 256 always, and what it
    # makes is averaged down to the size at which all are compared
    image_size: int = 256
    n_pairs: int | None = None  # of each side, training and test; None: all there are
    width_divisor: int = 1  # channels of generators and discriminators divided by this
    epochs: int | None = None  # either epochs
    steps: int | None = None  # or steps

    @property
    def limits(self) -> dict[str, int | None]:
        """How many pairs of each side are taken, as `lib.data.catalogue.load` wants it."""
        return {"train": self.n_pairs, "test": self.n_pairs}


@dataclass(frozen=True)
class Profile:
    """`threads`: of one run on a CPU; None takes all there are. Last digits depend on it, and two
    narrow networks side by side are faster on a thread each than one after the other on two."""

    name: str
    enhancement: EnhancementScale
    translation: TranslationScale
    threads: int | None = 1


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("paper", EnhancementScale(epochs=101), TranslationScale(epochs=200), threads=None),
        Profile(
            "laptop",
            EnhancementScale(n_test=200, width_divisor=4, steps=4000, perceptual_images=2),
            TranslationScale(image_size=128, width_divisor=4, steps=1500),
        ),
        Profile(
            "smoke",
            EnhancementScale(n_train=96, n_validation=10, n_test=100, width_divisor=8, steps=20,
                             perceptual_images=1),
            TranslationScale(image_size=128, n_pairs=60, width_divisor=8, steps=8),
        ),
        Profile(
            "test",
            EnhancementScale(n_train=24, n_validation=4, n_test=6, width_divisor=16, steps=10,
                             perceptual_images=1),
            TranslationScale(image_size=128, n_pairs=4, width_divisor=16, steps=3),
        ),
    )
}


def profile(name: str) -> Profile:
    """The profile of that name. Raises ValueError for an unknown one."""
    if name not in PROFILES:
        raise ValueError(f"unknown profile {name!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]
