"""How much of a paper's protocol a run has trained, by images seen: a stand-in of 181 pairs is seen
less in 200 epochs than the paper's 500."""

from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.profiles import profile

# training images of the papers, by data set
PAPERS_IMAGES = {"enhancement": 5004, "enhancement_wide": 5004, "sober_drunk": 784,
                 "sober_drunk_by_frame": 784, "flir": 500, "osu": 500, "msrs": 500}
WHOLE = 0.99  # the last, smaller batch of an epoch is left out


def protocol_share(record: dict) -> str:
    """Of a run's record, `lib.training.record`: "2.88 of 101 epochs"; "" without training."""
    if not record["steps"]:
        return ""
    epochs, papers, divisor = _epochs(record)
    narrow = f" with 1/{divisor} of the channels" if divisor > 1 else ""
    return f"{epochs:.3g} of {papers} epochs{narrow}"


def is_whole(record: dict) -> bool:
    """Whether a trained run has trained as long as the paper's, at full width and size."""
    epochs, papers, _ = _epochs(record)
    return record["profile"] == "paper" and epochs >= WHOLE * papers


def _epochs(record: dict) -> tuple[float, int, int]:
    """Of the paper's images, the paper's number of them, and what divides the channels."""
    name = EXPERIMENTS[record["experiment"]].weights_of or record["experiment"]
    experiment, paper = EXPERIMENTS[name], profile("paper")
    papers = paper.translation if experiment.paper == "gn_cyclegan" else paper.enhancement
    ours = resolve(name, record["profile"]).scale
    images = record["steps"] * getattr(ours, "batch_size", 1)
    return images / PAPERS_IMAGES[experiment.data], papers.epochs, ours.width_divisor
