"""2D-GAN's Table 2: what is printed, what is counted and timed, the numbers to record."""

from collections.abc import Mapping
from functools import cache, partial

import pandas as pd
import torch
from torch import nn

from lib.evaluation.complexity import SIDE, Counts, InferenceTime, macs_thop, macs_torch
from lib.networks.blocks import count_parameters
from lib.networks.markov_discriminator import MarkovDiscriminator
from lib.networks.two_d_gan import TwoDGAN
from lib.papers import reported
from lib.results.numbers import Number

TIMES = "Inference time (ms)"  # measured once for a machine: nothing to compute it from again
BATCH = 8  # what the paper's operations fit, see notebooks/17_2dgan_table2.ipynb
DATASET = f"the networks as built, at {SIDE} px"


def printed_counts(network: str) -> Counts:
    """Table 2's parameters and operations of "Generator" or "Discriminator"."""
    row = reported.table("2dgan", "table2").loc[network]
    return Counts(row["Parameters (M)"] * 1e6, row["FLOPs (G)"] * 1e9)


def count_table(networks: Mapping[str, nn.Module]) -> pd.DataFrame:
    """Both counters for one grey image and for eight, and the paper's numbers. Indexed by network
    and images (1, 8, "paper"). Columns parameters (M), thop (G), torch (G)."""
    lines = {}
    for name, network in networks.items():
        for batch in (1, BATCH):
            shape = (batch, 1, SIDE, SIDE)
            lines[name, batch] = {"parameters (M)": count_parameters(network) / 1e6,
                                  "thop (G)": macs_thop(network, shape) / 1e9,
                                  "torch (G)": macs_torch(network, shape) / 1e9}
        printed = printed_counts(name)
        lines[name, "paper"] = {"parameters (M)": printed.parameters / 1e6,
                                "thop (G)": printed.operations / 1e9}
    return pd.DataFrame(lines).T.rename_axis(["network", "images"])


def table2_numbers(counts: pd.DataFrame, times: Mapping[str, InferenceTime]) -> list[Number]:
    """The six numbers of Table 2, four without `times`: operations counted as the paper's fit, for
    eight images by thop. `counts` is `count_table`'s; `times` has one image's by network."""
    numbers = []
    for name in counts.index.unique("network"):
        number = partial(Number, name, dataset=DATASET)
        one, eight = counts.loc[(name, 1)], counts.loc[(name, BATCH)]
        counted = (f"{BATCH} grey images at once as thop counts, which the printed number fits; "
                   f"one image {one['thop (G)']:.3f} G, by torch's counter "
                   f"{one['torch (G)']:.3f} G")
        numbers += [number("FLOPs (G)", float(eight["thop (G)"]), why=counted),
                    number("Parameters (M)", float(one["parameters (M)"]))]
        if time := times.get(name):
            timed = f"{time.device}; measured once for a machine, {time.runs} runs on one image"
            numbers.append(number(TIMES, time.mean_ms, time.sd_ms, why=timed))
    return numbers


@cache
def counted_numbers() -> list[Number]:
    """The four numbers of Table 2 that are counted, on networks without memory of their own."""
    with torch.device("meta"):
        networks = {"Generator": TwoDGAN(), "Discriminator": MarkovDiscriminator()}
    return table2_numbers(count_table(networks), {})
