"""How good the images are that a method makes: every number of both papers' tables begins here."""

from dataclasses import dataclass, field, replace

import numpy as np

from lib.data.enhancement import EnhancementData
from lib.data.pairs import TranslationData
from lib.evaluation.inference import Method
from lib.metrics import evaluate
from lib.metrics.feature_distance import kernel_distance, vgg16_features
from lib.metrics.lpips import lpips
from lib.networks.weights import PretrainedUnavailable


@dataclass(frozen=True)
class Evaluation:
    """What a method made of the N test images, and how good each one is.

    `inputs` (N, H, W), or RGB (N, H, W, 3); `outputs`, `references` (N, H, W): bytes. `metrics`:
    name -> (N,) values; `of_all`: name -> what is measured of the images as a set; `why`: what
    could not be measured, and why.
    """

    names: tuple[str, ...]
    inputs: np.ndarray
    outputs: np.ndarray
    references: np.ndarray
    metrics: dict[str, np.ndarray]
    of_all: dict[str, float] = field(default_factory=dict)
    why: str = ""

    def beside(self, name: str, other: "Evaluation") -> "Evaluation":
        """With another's metrics of the same images as well: "PSNR" of it as "NAME PSNR"."""
        metrics = {f"{name} {metric}": values for metric, values in other.metrics.items()}
        of_all = {f"{name} {metric}": value for metric, value in other.of_all.items()}
        return replace(self, metrics=self.metrics | metrics, of_all=self.of_all | of_all)

    def means(self) -> dict[str, float]:
        """Each metric's mean over the images, and what is measured of all of them."""
        return {name: float(np.mean(values)) for name, values in self.metrics.items()} | self.of_all


def judge(
    method: Method, data: EnhancementData | TranslationData,
    shown: TranslationData | None = None, learned: bool = True,
) -> Evaluation:
    """The test images of `data` by a method, with `lib.metrics.METRICS` of each.

    Unless not `learned` also LPIPS (AlexNet) of each image, and of translations the kernel distance
    (VGG-16) of the set, lower being better; where their weights cannot be had, `why` says so.
    `shown`: the pairs at the size at which all methods are compared, where the method takes a
    larger one.
    """
    enhances, measured = isinstance(data, EnhancementData), "LPIPS"
    if enhances:
        names, inputs, references = data.test.names, data.test.degraded, data.test.reference
        outputs = method(inputs)
    else:
        shown, measured = shown or data, "LPIPS and kernel distance"
        test = shown.split["test"]
        names = tuple(shown.names[i] for i in test)
        inputs, references = shown.visible[test], shown.infrared[test]
        outputs = method(data.visible[data.split["test"]])
    metrics, of_all, why = evaluate(outputs, references), {}, ""
    try:
        if learned:
            metrics["LPIPS"] = lpips(outputs, references)
        if learned and not enhances:
            features = vgg16_features(outputs), vgg16_features(references)
            of_all["kernel distance"] = kernel_distance(*features, paired=True)
    except PretrainedUnavailable as problem:
        why = f"{measured}: {problem}"
    return Evaluation(names, inputs, outputs, references, metrics, of_all, why)
