"""2D-GAN on thermal faces (Table 7): the training step of `two_d_gan`, other images."""

from pathlib import Path

from lib.data import faces
from lib.data.enhancement import EnhancementData
from lib.data.fingerprint import DataSet
from lib.training.experiments import RunConfig
from lib.training.recipes.two_d_gan import make_generator, make_recipe

# what lib.train and lib.results.runs ask of a recipe's module
__all__ = ["describe", "load_data", "make_generator", "make_recipe"]

DIVISIONS = {"sober_drunk": "person", "sober_drunk_by_frame": "frame"}


def describe(config: RunConfig, root: Path) -> DataSet:
    """The data set that `load_data` takes its images from."""
    return faces.describe(root, DIVISIONS[config.experiment.data])


def load_data(config: RunConfig, root: Path) -> EnhancementData:
    """The faces of a run, divided as its experiment says, as many as its profile takes."""
    scale, division = config.scale, DIVISIONS[config.experiment.data]
    limits = scale.n_train, scale.n_validation, scale.n_test
    return faces.load_faces(root, scale.image_size, division, *limits)
