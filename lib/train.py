"""Train experiments without Jupyter.

    python -m lib.train --experiment C5 --profile smoke --seed 0 --data DIR --out RUN

A run that was interrupted goes on from its last checkpoint; one that is complete, with the same
configuration, code and data, is left alone; one of which only metrics changed is evaluated again.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import suppress

from lib.networks.weights import PretrainedUnavailable
from lib.printing import whole
from lib.training.engine import TrainingDiverged
from lib.training.experiments import EXPERIMENTS
from lib.training.profiles import PROFILES
from lib.training.run import run


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser("python -m lib.train", description=__doc__.splitlines()[0])
    parser.add_argument("--experiment", required=True, nargs="+", metavar="NAME",
                        help=f"one or several of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--profile", default="smoke", help=f"one of {', '.join(PROFILES)}")
    parser.add_argument("--seed", type=whole(0, 10**18 - 1), default=0)
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    parser.add_argument("--out", help="folder of the run; default results/PROFILE/runs/...")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=whole(1, 999),
                        help="of the CPU; default: those of the profile")
    parser.add_argument("--precision", default="auto",
                        help="fp32, bf16 or auto: bf16 where the device is faster in it")
    parser.add_argument("--time-budget", type=_seconds, metavar="SECONDS",
                        help="stop cleanly after this time; the same command then goes on")
    parser.add_argument("--without-perceptual", action="store_true",
                        help="train without the VGG and EfficientNet losses; the record says so")
    parser.add_argument("--force", action="store_true",
                        help="from the first step, whatever is there")
    options = vars(parser.parse_args(arguments))
    if options["out"] == "":
        parser.error("--out is empty; name a folder")
    experiments = options.pop("experiment")
    if options["out"] and len(experiments) > 1:
        parser.error("--out is the folder of one run; give one --experiment")
    try:
        for experiment in experiments:
            run(experiment, **options)
    except (ValueError, OSError, PretrainedUnavailable) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except TrainingDiverged as problem:
        print(f"training diverged: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) < float("inf"):
            return float(text)
    raise ArgumentTypeError(f"{text!r} is no number of seconds from 0 up")


if __name__ == "__main__":
    sys.exit(main())
