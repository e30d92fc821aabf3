import base64
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from tests.training.study.studies import draw_study
from training.study.sheet import SHOWN, choose_examples, draw_sheet

STUDY = draw_study()


def test_the_rows_hold_the_surest_right_the_surest_wrong_and_the_least_sure() -> None:
    right, wrong, unsure = (row.examples for row in choose_examples(STUDY))
    answers, confidences = STUDY.probabilities.argmax(axis=1), STUDY.probabilities.max(axis=1)
    is_right = answers == STUDY.test.targets

    assert len({example.label for example in right}) == 10
    assert all(example.is_right for example in right)
    assert max(example.confidence for example in right) == confidences[is_right].max()
    assert not any(example.is_right for example in wrong)
    assert [example.confidence for example in wrong] == sorted(confidences[~is_right], reverse=True)[:SHOWN]
    assert [example.confidence for example in unsure] == sorted(confidences)[:SHOWN]


def test_an_example_shows_its_image_dark_on_white() -> None:
    example = choose_examples(STUDY)[0].examples[0]

    content = base64.b64decode(example.data_uri.removeprefix("data:image/png;base64,"))
    assert (np.asarray(Image.open(io.BytesIO(content))) == 255 - example.image).all()


def test_a_net_without_mistakes_has_an_empty_row() -> None:
    sure = replace(STUDY, probabilities=np.eye(10)[STUDY.test.targets])

    rows = choose_examples(sure)

    assert [len(row.examples) for row in rows] == [10, 0, 10]
    draw_sheet(rows).render_inline()
