"""What there is to do before a folder holds a run, whole and made by today's code.

The one answer that `lib.train`, the workflow, the tables and `lib.verify` all go by.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from lib.data.fingerprint import DataSet
from lib.networks.weights import is_there
from lib.printing import first_few
from lib.training import record
from lib.training.experiments import RunConfig
from lib.training.identity import evaluated_by, evaluation_code, settings, trained_by, training_code

JUDGES = ("alexnet", "lpips_alexnet", "vgg16")  # of LPIPS and kernel distance


@dataclass(frozen=True)
class ToDo:
    """What a run needs, and why: "nothing", "evaluate" (its weights are good), "continue" (it was
    stopped, and is good as far as it goes), "train"."""

    what: str
    why: str = ""


def as_begun(config: RunConfig, known: dict) -> RunConfig:
    """A configuration in the precision that a recorded run has, unless it asks for one itself: what
    was begun on a processor that is fast in bf16 is good on every other."""
    asked_for = config.precision != "auto"
    return config if asked_for else replace(config, precision=known["config"]["precision"])


def to_do(folder: Path, config: RunConfig, dataset: DataSet, with_weights: bool = True) -> ToDo:
    """What there is to do before `folder` holds the run of `config` on `dataset`, whole.
    with_weights: weights have to be there as well; published records have none."""
    try:
        known = record.read(folder)
    except record.Damaged as problem:
        return ToDo("train", str(problem))
    if known is None:
        stopped = (folder / "training").is_dir()
        return ToDo("train", "did not finish last time" if stopped else "never run")
    config = as_begun(config, known)
    named = known["experiment"], known["profile"], known["seed"]
    if named != (config.experiment.name, config.profile, config.seed):
        return ToDo("train", "its record is of {}, profile {}, seed {}".format(*named))
    if config.experiment.weights_of:
        lent = borrowed_weights(folder, config)
        if known.get("weights") != lent and (with_weights or lent):
            return ToDo("train", f"the network of {config.experiment.weights_of} is new")
    elif why := _changes(known, "trained", config, dataset):
        return ToDo("train", why)
    if known["status"] != "complete":
        return ToDo("continue", f"stopped after {known['trained']}")
    unread = () if with_weights else record.STORED_WEIGHTS
    if wrong := record.damage(folder, known, only=record.TRAINED, without=unread):
        return ToDo("train", wrong)
    why = (_changes(known, "evaluated", config, dataset)
           or record.damage(folder, known, without=record.TRAINED))
    if not why and known["not_measured"] and not known.get("unpublished") and is_there(*JUDGES):
        return ToDo("evaluate", "what could not be measured can be now")
    if why and known.get("unpublished"):
        return ToDo("train", f"{why}; its weights were not published")
    return ToDo("evaluate", why) if why else ToDo("nothing")


def lender(folder: Path, config: RunConfig) -> Path:
    """The folder, beside a run's own, of the run whose network it judges."""
    return folder.parent.parent / config.experiment.weights_of / f"seed{config.seed}"


def borrowed_weights(folder: Path, config: RunConfig) -> str | None:
    """The checksum of the network that a run with `weights_of` is to judge; None: not there."""
    try:
        known = record.read(lender(folder, config))
    except record.Damaged:
        return None
    return (known["files"] | known.get("unpublished", {})).get(record.WEIGHTS) if known else None


def _changes(known: dict, kind: str, config: RunConfig, dataset: DataSet) -> str:
    """What of an identity (`kind`: "trained" or "evaluated") is not as recorded; empty: nothing."""
    then, found = known[f"{kind}_by"], []
    if kind == "trained":
        what, today, code = "training", trained_by(config, dataset), training_code(config)
    else:
        what, today = "evaluation", evaluated_by(config, dataset)
        code = evaluation_code(config.experiment.data)
    if then["code"] != today["code"]:
        changed = known.get("definitions", {}).get(kind, {}).items() ^ code.items()
        names = sorted({name.removeprefix("lib.") for name, _ in changed})
        found.append(f"{what} code changed: {first_few(names)}")
    if then["configuration"] != today["configuration"]:
        differing = differences(known["config"], settings(config))
        told = ", ".join(f"{name} {what}" for name, what in differing.items())
        found.append(f"configuration changed: {told or 'pretrained weights'}")
    if then["data"] != today["data"]:
        found.append(f"data changed: {known['dataset']} {then['data'][:8]} then, "
                     f"{dataset.name} {today['data'][:8]} now")
    return "; ".join(found)


def differences(then, now, name: str = "") -> dict[str, str]:
    """The settings that differ between two nested dictionaries: name -> what was and what is."""
    if isinstance(then, dict) and isinstance(now, dict):
        found = {}
        for key in dict.fromkeys([*then, *now]):
            found |= differences(then.get(key), now.get(key), f"{name}.{key}".lstrip("."))
        return found
    same = then == now or (isinstance(now, tuple) and then == list(now))
    return {} if same else {name: f"{then} then, {now} now"}
