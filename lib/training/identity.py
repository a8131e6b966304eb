"""Two identities of a run: what its weights depend on, and what its numbers depend on besides.

    trained_by      recipe, engine, losses, networks, loading of the data (as hashes of definitions,
                    see lib.provenance), the settings that training reads, the data's fingerprint
    evaluated_by    inference, metrics, choice of examples; the settings that the test reads; data

Each has the parts `code`, `configuration` and `data`, 16 hexadecimal digits each. A run of which
only `evaluated_by` differs from today's evaluates its stored weights again and trains nothing. How
an experiment is called, what it is titled, and how many validation images are looked at along the
way are part of neither.
"""

from dataclasses import fields, is_dataclass
from functools import cache

from lib.data.catalogue import DATA_SETS
from lib.data.fingerprint import DataSet
from lib.evaluation.attention import drawn_maps
from lib.evaluation.examples import choose_examples
from lib.evaluation.inference import as_method
from lib.evaluation.judge import judge
from lib.networks.weights import WEIGHTS
from lib.provenance import definitions, digest, of_definitions
from lib.training import engine
from lib.training.experiments import RunConfig
from lib.training.recipes import RECIPES

# What these modules give is checked by a checksum or is part of a fingerprint (the embedded
# images), or has no bearing on a result. Of them counts only what a definition of another module
# names itself, not what that uses in turn.
MACHINERY = (
    "lib.files", "lib.paths", "lib.printing", "lib.machine", "lib.provenance", "lib.data.packs",
    "lib.data.fingerprint", "lib.data.natural", "lib.data.synthetic.streets",
    "lib.data.synthetic.faces", "lib.networks.weights",
)
NOT_IN_TRAINING = {
    "experiment": {"name", "paper", "title", "data"},  # the data's fingerprint is a part of its own
    "scale": {"n_validation", "n_test", "width_divisor"},  # the network has its widths already
}
READ_BY_TEST = ("image_size", "n_test", "n_pairs")

Identity = dict[str, str]


def trained_by(config: RunConfig, dataset: DataSet) -> Identity:
    """The identity of a run's weights, where it has its own."""
    read = {"seed": config.seed, "precision": config.precision} if config.experiment.network else {}
    for part, left_out in NOT_IN_TRAINING.items():
        read[part] = {name: value for name, value in settings(getattr(config, part)).items()
                      if name not in left_out}
    backbones = getattr(RECIPES[config.experiment.recipe], "backbones", lambda config: ())(config)
    read["backbones"] = {name: WEIGHTS[name].sha256 for name in backbones}
    return {
        "code": of_definitions(training_code(config)),
        "configuration": digest(read),
        "data": dataset.fingerprint[:16],
    }


def evaluated_by(config: RunConfig, dataset: DataSet) -> Identity:
    """The identity of a run's numbers, given its weights."""
    sizes = {name: getattr(config.scale, name, None) for name in READ_BY_TEST}
    return {
        "code": of_definitions(evaluation_code(config.experiment.data)),
        "configuration": digest(sizes),
        "data": dataset.fingerprint[:16],
    }


def training_code(config: RunConfig) -> dict[str, str]:
    """The definitions that the weights of a run depend on, each with its hash."""
    experiment = config.experiment
    if experiment.weights_of:
        return {}
    loop = (engine.train,) if experiment.network else ()
    roots = (RECIPES[experiment.recipe], DATA_SETS[experiment.data].load, *loop)
    return _definitions(roots, frozenset(_dataclasses(config)))


def evaluation_code(data: str) -> dict[str, str]:
    """The definitions that turn the outputs of a run on a data set into numbers."""
    roots = (as_method, drawn_maps, judge, choose_examples, DATA_SETS[data].load)
    return _definitions(roots, frozenset())


@cache
def _definitions(roots: tuple, settings: frozenset) -> dict[str, str]:
    return definitions(*roots, settings=settings, ends=MACHINERY)


def settings(config) -> dict:
    """A configuration as plain values, without fields at the value that changes nothing.

    A field that is added later gives `metadata={"neutral": value}`, the value with which the code
    does what it did before the field was there; then the runs from before stay what they are.
    """
    if is_dataclass(config):
        return {
            field.name: settings(getattr(config, field.name)) for field in fields(config)
            if getattr(config, field.name) != field.metadata.get("neutral", ...)
        } | {"kind": type(config).__name__}
    return config


def _dataclasses(config) -> set[type]:
    """The types of a configuration and of all configurations in it."""
    parts = (getattr(config, field.name) for field in fields(config))
    inner = (_dataclasses(part) for part in parts if is_dataclass(part))
    return {type(config)}.union(*inner)
