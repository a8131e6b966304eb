"""Imported once, by the process that jobs are copies of: what every training needs.

PyTorch and what it imports for training take seconds, and so does the identity of the code.
"""

import torch._dynamo  # noqa: F401  every optimiser imports it
import torchvision.models  # noqa: F401

from lib.training import run  # noqa: F401
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.identity import evaluation_code, training_code

for name, experiment in EXPERIMENTS.items():
    training_code(resolve(name, "smoke"))  # is remembered, and the same in every profile
    evaluation_code(experiment.data)
