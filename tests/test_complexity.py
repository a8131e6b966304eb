"""Counts of operations, the search behind Table 2 of 2D-GAN, and inference times kept."""

import json

import pandas as pd
import pytest
import torch
from torch import nn

from lib.evaluation import complexity
from lib.evaluation.complexity import (
    Counts, count, discriminator_layers, generator_layers, inference_time, macs_thop, macs_torch,
)
from lib.machine import describe_device
from lib.networks.blocks import count_parameters
from lib.networks.markov_discriminator import MarkovDiscriminator, MarkovDiscriminatorConfig
from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig
from lib.papers.reported import cells
from lib.paths import cache_dir
from lib.results.complexity import count_table, printed_counts, table2_numbers
from made_runs import cells_of

ONE, EIGHT = (1, 1, 128, 128), (8, 1, 128, 128)


def small() -> nn.Sequential:
    """(B, 1, 8, 8) -> (B, 3, 4, 4) -> (B, 2, 8, 8)."""
    return nn.Sequential(
        nn.Conv2d(1, 3, 4, stride=2, padding=1),
        nn.BatchNorm2d(3),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1, bias=False),
    )


# by hand, kernel x inputs x outputs x positions; the transposed one by its 4x4 input or 8x8 output
CONVOLUTION, NORM = 16 * 1 * 3 * 16, 4 * 3 * 16
BY_INPUT, BY_OUTPUT = 16 * 3 * 2 * 16, 16 * 3 * 2 * 64


@pytest.mark.parametrize("batch", [1, 5])
def test_counters_agree_with_counts_by_hand(batch):
    shape = (batch, 1, 8, 8)
    assert macs_torch(small(), shape) == batch * (CONVOLUTION + BY_INPUT)
    assert macs_thop(small(), shape) == batch * (CONVOLUTION + NORM + BY_OUTPUT)


def test_counting_leaves_the_network_alone():
    network = small().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    macs_thop(network, (2, 1, 8, 8)), macs_torch(network, (2, 1, 8, 8))
    after = network.state_dict()
    assert before.keys() == after.keys() and network.training
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(module._forward_hooks for module in network.modules())


def test_counts_of_the_networks_are_those_of_the_ledger():
    """The thop counts are also what thop 0.1.1 itself gave when it was run on them."""
    generator, discriminator = TwoDGAN(), MarkovDiscriminator()
    assert count_parameters(generator) == 12_301_698
    assert macs_thop(generator, ONE) == 7_478_050_816
    assert macs_thop(generator, EIGHT) == 8 * 7_478_050_816
    assert macs_torch(generator, ONE) == 2_571_108_352
    assert count_parameters(discriminator) == 1_455_200
    assert macs_thop(discriminator, ONE) == 398_934_016
    assert macs_torch(discriminator, ONE) == 396_509_184


def counts_of(network: nn.Module, shape: tuple[int, ...], counter: str) -> Counts:
    operations = {"thop": macs_thop, "true": macs_torch}[counter](network, shape)
    return Counts(count_parameters(network), operations)


@pytest.mark.parametrize("counter", ["thop", "true"])
@pytest.mark.parametrize("widths", [(64, 128, 256, 512), (8, 12, 20, 20)])
def test_formulas_of_the_search_are_the_networks_counts(widths, counter):
    generator = TwoDGAN(TwoDGANConfig(widths=widths))
    assert count(generator_layers(widths), counter) == counts_of(generator, ONE, counter)
    discriminator = MarkovDiscriminator(MarkovDiscriminatorConfig(widths=widths))
    assert count(discriminator_layers(widths), counter) == counts_of(discriminator, ONE, counter)


@pytest.mark.parametrize("counter", ["thop", "true"])
def test_formulas_hold_for_rgb_images_and_other_skip_kernels(monkeypatch, counter):
    for module in ("two_d_gan", "markov_discriminator"):
        monkeypatch.setattr(f"lib.networks.{module}.check_grey", lambda x, multiple: None)
    widths = (8, 16, 32, 48)
    generator = TwoDGAN(TwoDGANConfig(widths=widths))
    for step in (generator.encoder1[0], generator.encoder2[0]):
        step[0] = nn.Conv2d(3, 8, 4, 2, 1, bias=False)
    for decoder, maps in ((generator.decoder1, 2), (generator.decoder2, 3)):
        decoder.to_image[0] = nn.ConvTranspose2d(maps * 8, 3, 4, 2, 1)
    for skip, width, deeper in zip(generator.external, widths, widths[1:]):
        skip.reduce = nn.Conv2d(2 * width, width, 3, padding=1, bias=False)
        skip.merge[0] = nn.Conv2d(2 * width, width, 3, padding=1, bias=False)
        skip.merge[3] = nn.Conv2d(width, deeper, 4, 2, 1, bias=False)
    formula = count(generator_layers(widths, channels=3, conv1=3, conv2=4), counter)
    assert formula == counts_of(generator, (1, 3, 128, 128), counter)

    discriminator = MarkovDiscriminator(MarkovDiscriminatorConfig(widths=widths))
    discriminator.layers[0][0] = nn.Conv2d(6, 8, 4, 2, 1, bias=False)
    formula = count(discriminator_layers(widths, channels=6), counter)
    assert formula == counts_of(discriminator, (1, 6, 128, 128), counter)


def test_unknown_counter():
    with pytest.raises(ValueError, match="thop, true"):
        count(generator_layers((8, 8, 8, 8)), "guess")


@pytest.fixture
def search(monkeypatch):
    """Runs the cells of notebook 17 up to the end of its search and gives what they define."""

    def run(**printed: Counts) -> dict:
        for name, stand_in in (
            ("printed_counts", lambda network: printed.get(network) or printed_counts(network)),
            ("count_table", lambda networks: pd.DataFrame()),  # takes seconds
        ):
            monkeypatch.setattr(f"lib.results.complexity.{name}", stand_in)
        namespace = {}
        for cell in cells_of("17_2dgan_table2"):
            if "best" not in namespace:
                exec("".join(cell["source"]), namespace)
        return namespace

    return run


def test_search_finds_planted_sums(search):
    parameters, operations = count(generator_layers((40, 80, 160, 320), 3, conv2=4), "true")
    generator = Counts(parameters, 4 * operations)
    parameters, operations = count(discriminator_layers((48, 64, 128, 208), 2))
    found = search(Generator=generator, Discriminator=Counts(parameters, 16 * operations))
    first = found["generator"].loc[1]
    assert first["worst"] == 0 and first["widths"] == "40-80-160-320"
    assert (first["batch"], first["channels"], first["conv1"], first["conv2"]) == (4, 3, 1, 4)
    assert first["counter"] == "true"
    first, second = found["discriminator"].loc[1], found["discriminator"].loc[2]
    assert first["worst"] == 0 and second["worst"] > 0
    assert first[["widths", "channels", "batch"]].tolist() == ["48-64-128-208", 2, 16]


def test_errors_are_relative_and_the_worst_of_both(search):
    parameters, operations = count(discriminator_layers((32, 64, 128, 256)))
    found = search(Discriminator=Counts(parameters * 2, operations * 8 / 1.1))["discriminator"]
    line = found.query("widths == '32-64-128-256' and batch == 8 and channels == 1").iloc[0]
    assert line["parameters error"] == pytest.approx(-0.5)
    assert line["operations error"] == pytest.approx(0.1)
    assert line["worst"] == pytest.approx(0.5)


def test_eight_images_and_the_kits_widths_come_nearest_to_the_paper(search):
    shown = search()
    generator, discriminator = shown["generator"], shown["discriminator"]
    best = shown["best"].assign(generator=shown["best"].filter(like="generator").min(axis=1))
    best = best[["generator", "discriminator"]].max(axis="columns")
    assert best.idxmin() == 8 and best[8] < 0.012 and best.drop(8).min() > 0.04
    assert (len(generator), len(discriminator)) == (8960, 396480)
    assert (discriminator["worst"] < 0.02).sum() == 29  # as the ledger says
    widths = TwoDGANConfig().widths, MarkovDiscriminatorConfig().widths
    for found, plan, channels in zip((generator, discriminator), widths, (3, 6)):
        assert found["worst"].is_monotonic_increasing and found.index[0] == 1
        ours = (found["widths"] == "-".join(map(str, plan))) & (found["batch"] == 8)
        assert found.index[ours][0] == 1 and found.loc[1, "channels"] == channels


def tiny(width: int = 4) -> MarkovDiscriminator:
    return MarkovDiscriminator(MarkovDiscriminatorConfig(widths=(width,) * 4))


def test_time_is_measured_once(own_cache, monkeypatch):
    first = inference_time(tiny(), (1, 1, 32, 32), runs=5, warm_up=1)
    assert first.mean_ms > 0 and first.sd_ms >= 0 and first.runs == 5
    assert first.device == describe_device(torch.device("cpu"))
    monkeypatch.setattr(complexity, "_measure", lambda *_: pytest.fail("measured again"))
    assert inference_time(tiny(), (1, 1, 32, 32), runs=5, warm_up=1) == first


def test_another_question_is_measured_anew(own_cache, monkeypatch):
    asked = []
    monkeypatch.setattr(complexity, "_measure", lambda *question: asked.append(1) or [1.0, 3.0])
    first = inference_time(tiny(), (1, 1, 32, 32))
    assert first.mean_ms == 2 and first.sd_ms == pytest.approx(2**0.5)
    inference_time(tiny(), (2, 1, 32, 32))
    inference_time(tiny(), (1, 1, 32, 32), runs=50)
    inference_time(tiny(8), (1, 1, 32, 32))
    monkeypatch.setattr(complexity, "describe_device", lambda device: "another machine")
    inference_time(tiny(), (1, 1, 32, 32))
    monkeypatch.setattr(complexity, "identity", lambda kind: "changed code")
    inference_time(tiny(), (1, 1, 32, 32))
    assert len(asked) == 6
    assert len(list(cache_dir("packs").glob("timings-*"))) == 6


def test_warm_up_is_not_counted_and_modes_are_right():
    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.calls = nn.Parameter(torch.ones(1)), []

        def forward(self, x):
            self.calls.append((self.training, torch.is_grad_enabled(), tuple(x.shape)))
            return x

    network = Recorder().eval()
    assert len(complexity._measure(network, (1, 1, 4, 4), runs=7, warm_up=3)) == 7
    assert network.calls == [(False, False, (1, 1, 4, 4))] * 10


def test_table2_numbers_fill_every_cell(own_cache):
    networks = {"Generator": TwoDGAN(), "Discriminator": MarkovDiscriminator()}
    counts = count_table(networks)
    times = {name: inference_time(network, ONE, 2, 0) for name, network in networks.items()}
    numbers = table2_numbers(counts, times)
    printed = cells("2dgan", "table2")
    assert [(n.row, n.column) for n in numbers] == list(zip(printed["row"], printed["column"]))
    assert counts.loc[("Generator", "paper"), "thop (G)"] == pytest.approx(61.32)
    values = {(n.row, n.column): n.reproduced for n in numbers}
    assert values["Generator", "FLOPs (G)"] == pytest.approx(59.824406528)
    assert values["Discriminator", "Parameters (M)"] == pytest.approx(1.4552)
    assert json.dumps([n.why for n in numbers]).count("measured once") == 2
