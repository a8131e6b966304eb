"""2D-GAN's Table 2 from counts and times: tables to look at and the numbers to record."""

from collections.abc import Mapping

import pandas as pd
from torch import nn

from lib.evaluation.complexity import InferenceTime, macs_thop, macs_torch
from lib.evaluation.complexity_search import paper
from lib.networks.blocks import count_parameters
from lib.results.numbers import Number

SIDE = 128
BATCH = 8  # what the paper's operations fit, see lib.evaluation.complexity_search
DATASET = f"no images: untrained networks at {SIDE} px"


def count_table(networks: Mapping[str, nn.Module]) -> pd.DataFrame:
    """Both counters for one grey image and for eight, and the paper's numbers.

    Indexed by network and images (1, 8, "paper"). Columns parameters (M), thop (G), torch (G).
    """
    lines = {}
    for name, network in networks.items():
        for batch in (1, BATCH):
            shape = (batch, 1, SIDE, SIDE)
            lines[name, batch] = {
                "parameters (M)": count_parameters(network) / 1e6,
                "thop (G)": macs_thop(network, shape) / 1e9,
                "torch (G)": macs_torch(network, shape) / 1e9,
            }
        printed = paper(name)
        lines[name, "paper"] = {
            "parameters (M)": printed.parameters / 1e6, "thop (G)": printed.operations / 1e9,
        }  # fmt: skip
    return pd.DataFrame(lines).T.rename_axis(["network", "images"])


def show(candidates: pd.DataFrame, caption: str):
    """Candidates of the search for display: counts in M and G, errors in percent."""
    shown = candidates.assign(
        parameters=candidates["parameters"] / 1e6, operations=candidates["operations"] / 1e9
    ).rename(columns={"parameters": "parameters (M)", "operations": "operations (G)"})
    percent = dict.fromkeys(["parameters error", "operations error", "worst"], "{:+.2%}")
    styler = shown.style.format({"parameters (M)": "{:.3f}", "operations (G)": "{:.3f}", **percent})
    # pandas draws a random id otherwise, and the notebook would differ from run to run
    return styler.hide(axis="index").set_uuid(caption.replace(" ", "-")).set_caption(caption)


def table2_numbers(counts: pd.DataFrame, times: Mapping[str, InferenceTime]) -> list[Number]:
    """The six numbers of Table 2: operations counted as the paper's fit, for eight images by thop.

    `counts` is `count_table`'s; `times` holds one image's under the networks' names.
    """
    numbers = []
    for name, time in times.items():
        timed = f"{time.device}; measured once for a machine, {time.runs} runs on one image"
        numbers += count_numbers(counts, name)
        numbers.append(Number(name, "Inference time (ms)", time.mean_ms, time.sd_ms,
                              dataset=DATASET, why=timed))  # fmt: skip
    return numbers


def count_numbers(counts: pd.DataFrame, name: str) -> list[Number]:
    """The two numbers of one network in Table 2 that are counted, not measured."""
    one, eight = counts.loc[(name, 1)], counts.loc[(name, BATCH)]
    counted = (
        f"{BATCH} grey images at once as thop counts, which the printed number fits; one image "
        f"{one['thop (G)']:.3f} G, by torch's counter {one['torch (G)']:.3f} G"
    )
    return [
        Number(name, "FLOPs (G)", float(eight["thop (G)"]), dataset=DATASET, why=counted),
        Number(name, "Parameters (M)", float(one["parameters (M)"]), dataset=DATASET),
    ]
