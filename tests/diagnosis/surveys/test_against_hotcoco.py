"""Our counts of errors against those of hotcoco, which counts as TIDE does."""

from types import SimpleNamespace

import numpy as np
import pytest

from diagnosis.objects.missed import _match
from diagnosis.surveys.answers import errors, to_coco
from diagnosis.surveys.looking.error_kinds import error_kinds
from tests.diagnosis.surveys.frames import a_survey

NAMES = {"Cls": "classification", "Loc": "localisation", "Both": "both", "Dupe": "duplicate", "Bkg": "background"}
CAT, DOG, BIRD = range(3)


def random_boxes(rng, count):
    corners = rng.uniform(0, 300, (count, 2))
    return np.concatenate((corners, corners + rng.uniform(20, 120, (count, 2))), 1)


def random_image(rng, number, count, seen):
    """Labels of cats and dogs, none of birds; detections near them and elsewhere, of all three."""
    boxes, classes = random_boxes(rng, count), rng.integers(CAT, BIRD, count)
    near = rng.integers(0, count, seen) if count else np.zeros(0, int)
    moved = boxes[near] + rng.normal(0, 12, (len(near), 4))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 5)
    found = np.concatenate((moved, random_boxes(rng, 4)))
    labels = np.where(rng.random(len(found)) < 0.7, np.append(classes[near], [CAT] * 4), rng.integers(0, 3, len(found)))
    scores = rng.permutation(len(found)) / len(found) * 0.7 + 0.28
    return rows(number, boxes, classes, found, labels, scores)


def rows(number, boxes, classes, found, labels, scores):
    """The rows of objects and detections of an image, matched and judged as a survey does."""
    seen = SimpleNamespace(xyxy=found, class_id=labels, confidence=scores)
    by = _match(SimpleNamespace(detections=seen), boxes, classes, 0.5)
    judged = error_kinds(found, labels, boxes, classes, by, match_iou=0.5)
    objects = [
        {"number": number, "box": box, "class_id": int(class_id), "found": bool(finder >= 0)}
        for box, class_id, finder in zip(boxes, classes, by, strict=True)
    ]
    detections = [
        {
            "number": number,
            "box": found[i],
            "class_id": int(labels[i]),
            "confidence": float(scores[i]),
            "error": judged.error[i],
            "object": None if judged.object[i] < 0 else int(judged.object[i]),
        }
        for i in range(len(found))
    ]
    return objects, detections


def counted(survey, most):
    """hotcoco's counts of the files that the survey exports, with ``most`` detections a class and image."""
    hotcoco = pytest.importorskip("hotcoco")
    export = to_coco(survey)
    truth = hotcoco.COCO(export.truth)
    evaluation = hotcoco.COCOeval(truth, truth.load_res(export.results), "bbox")
    evaluation.params.max_dets = [1, 10, most]
    evaluation.evaluate()
    return evaluation.tide_errors(pos_thr=0.5, bg_thr=0.1)["counts"]


def ours(survey):
    return dict(errors(survey, "all").select("error", "count").iter_rows())


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_are_hotcoco_s(seed):
    """Conventions that differ, and how they are met.

    COCO keeps the best 100 detections of a class and image, a survey all that the detector kept: the cap is lifted.
    TIDE counts classes that have no labels, if the data set names them: our export names all. TIDE's bounds are closed
    (localisation up to and with 0.5), ours half open: no random pair overlaps by exactly that.
    """
    rng = np.random.default_rng(seed)
    images = [random_image(rng, number, count, 14) for number, count in enumerate([0, 1, 3, 6, 9, 12, 5, 2])]
    images.append(random_image(rng, len(images), 6, 160))
    survey = a_survey([row for image in images for row in image[0]], [row for image in images for row in image[1]])
    theirs, found = counted(survey, 1000), ours(survey)
    assert {name: found[name] for name in NAMES.values()} == {name: theirs[key] for key, name in NAMES.items()}
    assert found["missed"] == theirs["Miss"]
    assert min(found.values()) > 0


def test_with_coco_s_cap_hotcoco_counts_fewer():
    boxes = np.arange(120)[:, None] * 50.0 + np.array([0, 0, 20, 20])
    nothing = np.zeros((0, 4)), np.zeros(0, int)
    objects, detections = rows(0, *nothing, boxes, np.zeros(120, int), np.linspace(0.9, 0.3, 120))
    survey = a_survey(objects, detections)
    assert ours(survey)["background"] == counted(survey, 1000)["Bkg"] == 120
    assert counted(survey, 100)["Bkg"] == 100
