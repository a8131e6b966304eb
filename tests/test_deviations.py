"""The ledger of deviations: complete entries, and links into the code that are alive."""

import ast

import pytest
import yaml

from lib.data.degradation import LITERAL, WIDE
from lib.data.faces import FACE_RANGES
from lib.losses.two_d_gan import LossWeights
from lib.networks.two_d_gan import TwoDGANConfig
from lib.paths import REPO
from lib.training.experiments import Adam

LEDGER = yaml.safe_load((REPO / "data" / "deviations.yaml").read_text(encoding="utf-8"))
KINDS = {"silent", "ambiguous", "contradiction", "departure"}
FIELDS = {"id", "paper", "where", "kind", "readings", "ours", "why", "code"}


def names_in(path):
    """Functions, classes and methods (`Class.method`), which the report's page can link to."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            names |= {f"{node.name}.{part.name}" for part in getattr(node, "body", [])
                      if isinstance(part, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("entry", LEDGER, ids=lambda entry: entry["id"])
def test_entry_is_complete_and_its_link_alive(entry):
    assert FIELDS <= set(entry) <= FIELDS | {"effect"}
    assert entry["kind"] in KINDS and entry["paper"] in ("2dgan", "gn_cyclegan")
    assert isinstance(entry["readings"], list) and entry["why"].strip()
    file, name = entry["code"].split("::")
    assert (REPO / file).is_file()
    assert name in names_in(REPO / file)


def test_ids_are_unique():
    ids = [entry["id"] for entry in LEDGER]
    assert len(ids) == len(set(ids)) >= 20


def test_defaults_are_those_of_the_ledger():
    """The values that the ledger states are the ones in the code."""
    stated = {entry["id"]: entry["ours"] for entry in LEDGER}
    losses = LossWeights()
    assert stated["loss-weights"] == (
        f"adversarial {losses.adversarial:g}, MSE {losses.mse:g}, VGG {losses.vgg:g}, "
        f"EfficientNet {losses.efficientnet:g}, gradient penalty {losses.gradient_penalty:g}"
    )
    assert stated["adam-betas"].startswith(f"{Adam().beta1} and {Adam().beta2}")
    assert stated["generator-widths"].startswith(", ".join(map(str, TwoDGANConfig().widths)))
    assert stated["batch-norm-momentum"].startswith(str(TwoDGANConfig().bn_momentum))
    degradation = stated["degradation-ranges"].replace("0.60", "0.6")
    assert degradation.startswith(in_words(LITERAL)) and f"({in_words(WIDE, 1)})" in degradation
    assert stated["face-degradation"] == in_words(FACE_RANGES)


def in_words(ranges, first=0):
    """Factors of a degradation as the ledger writes them, from the first or the second on."""
    return ", ".join(f"{name} {low:g}" + f" to {high:g}" * (high > low)
                     for name, (low, high) in [*vars(ranges).items()][first:])
