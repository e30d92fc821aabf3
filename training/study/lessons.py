"""What a net of the study takes over from nets that were fitted before it: which images are easy, and what to answer.

Owns how often an image is drawn; who learns from whom stands in `entries`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.bundle import Bundle
from training.classifier import Classifier, Probabilities
from training.data_sets import Images, LabelledImages, TaughtImages, WeightedImages

# The surest half holds 3 % of what our net gets wrong, and is drawn a quarter as often: so the other half is seen 1.6
# times as often in the same time. (With 70 % at .3, by a net as good as ours, two passes did what took three before.)
EASY_SHARE, EASY_WEIGHT = 0.5, 0.25


def weigh_images(training: LabelledImages, probabilities: Probabilities) -> WeightedImages:
    """Images that a net is surest of are drawn less often; `probabilities` (n, labels) are that net's.

    As in InfoBatch (arXiv:2303.04947), but chosen once, and by the surest answer, not by the loss: so that what is
    drawn depends on the picture alone, and labels stay as likely as they are among pictures that look alike.
    """
    surest = probabilities.max(axis=1)
    easy = surest > np.quantile(surest, 1 - EASY_SHARE)
    return WeightedImages(training.images, training.targets, np.where(easy, EASY_WEIGHT, 1.0))


def teach_images(training: WeightedImages, bundles: Sequence[Bundle]) -> TaughtImages:
    """The images with the nets that say what is to be answered."""
    return TaughtImages(training.images, training.targets, training.weights, tuple(bundles))


def ask(bundle: Bundle, images: Images) -> Probabilities:
    """The bundle's probabilities of `images`, (n, labels)."""
    return Classifier(bundle).classify(images)
