"""What every training needs, imported once by the process that jobs are forked from.

PyTorch and what it imports before the first step take seconds, the identities of the code another.
No thread may be started here, and nothing computed with PyTorch: a fork has neither the threads of
the process that it comes from nor a use for its random state.
"""

import torch._dynamo  # noqa: F401  imported by every optimiser
import torchvision.models  # noqa: F401

from lib.training import run  # noqa: F401
from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.identity import evaluation_code, training_code

for name, experiment in EXPERIMENTS.items():
    training_code(resolve(name, "smoke"))  # remembered; the same in every profile
    evaluation_code(experiment.data)
