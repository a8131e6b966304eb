"""How much of a paper's protocol a run has trained: "2.9 of 101 epochs", counted by images seen."""

from lib.training.experiments import EXPERIMENTS, resolve
from lib.training.profiles import profile

# training images of the papers, by data set
PAPERS_IMAGES = {"enhancement": 5004, "enhancement_wide": 5004, "sober_drunk": 784,
                 "sober_drunk_by_frame": 784, "flir": 500, "osu": 500, "msrs": 500}  # fmt: skip


def protocol_share(record: dict) -> str:
    """The share of a run's record, `lib.training.record`; empty where nothing was trained."""
    if not record["steps"]:
        return ""
    if record["profile"] == "paper":
        return record["trained"]
    name = EXPERIMENTS[record["experiment"]].weights_of or record["experiment"]
    experiment, paper = EXPERIMENTS[name], profile("paper")
    whole = paper.translation if experiment.paper == "gn_cyclegan" else paper.enhancement
    ours = resolve(name, record["profile"]).scale
    images = record["steps"] * getattr(ours, "batch_size", 1)
    epochs = images / PAPERS_IMAGES[experiment.data]
    narrow = f" with 1/{ours.width_divisor} of the channels" if ours.width_divisor > 1 else ""
    return f"{epochs:.2g} of {whole.epochs} epochs{narrow}"
