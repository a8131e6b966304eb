"""One file a method's training step, and which recipe of an experiment is which."""

from lib.training.recipes.cut import CUTRecipe
from lib.training.recipes.cycle_gan import CycleGANRecipe
from lib.training.recipes.funie_gan import FUnIEGANRecipe
from lib.training.recipes.tiecnn import TIECNNRecipe
from lib.training.recipes.two_d_gan import (
    SummedTwoDGANRecipe,
    TwoDGANRecipe,
    UnweightedTwoDGANRecipe,
)
from lib.training.recipes.untrained import METHODS

RECIPES = {
    "two_d_gan": TwoDGANRecipe,
    "two_d_gan_summed": SummedTwoDGANRecipe,
    "two_d_gan_unweighted": UnweightedTwoDGANRecipe,
    "funie_gan": FUnIEGANRecipe,
    "tiecnn": TIECNNRecipe,
    "cycle_gan": CycleGANRecipe,
    "cut": CUTRecipe,
    **METHODS,
}
