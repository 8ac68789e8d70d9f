"""Edges along boxes: what lies on them scores high, whatever its size, contrast and place; chance scores 0."""

import numpy as np
import pytest

from diagnosis.labels.edges import FLOOR, EdgeField, EdgeFits


def _plate(box, width=200, height=100, dark=0, bright=255) -> np.ndarray:
    image = np.full((height, width, 3), dark, np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = bright
    return image


@pytest.fixture(scope="module")
def noise() -> EdgeField:
    rng = np.random.default_rng(3)
    return EdgeField(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8))


def test_a_box_on_edges_scores_one_and_each_side_by_itself():
    field = EdgeField(_plate((50, 30, 150, 70)))
    moved = [[50, 30, 150, 70], [60, 30, 160, 70], [50, 40, 150, 80]]
    found = field.side_scores(np.array(moved))
    assert found[0].tolist() == [1, 1, 1, 1]
    assert (found[1, [0, 2]] < 0.1).all() and found[1, [1, 3]].tolist() == [1, 1]  # left and right are off
    assert (found[2, [1, 3]] < 0.1).all() and found[2, [0, 2]].tolist() == [1, 1]
    assert field.scores(np.array(moved)).tolist() == pytest.approx(found.mean(-1).tolist())


@pytest.mark.parametrize("bright", [255, 128, 60])
@pytest.mark.parametrize("box", [(50, 30, 150, 70), (10, 10, 50, 50), (140, 20, 190, 95)])
def test_contrast_and_place_do_not_matter(box, bright):
    assert EdgeField(_plate(box, bright=bright)).scores(np.array([box])).item() == pytest.approx(1, abs=0.01)


def test_chance_is_nought_whatever_the_size(noise):
    rng = np.random.default_rng(5)
    for size in (30, 60, 120):
        corner = rng.uniform(5, (315 - size, 235 - size), (400, 2))
        scores = noise.scores(np.concatenate((corner, corner + size), 1))
        assert abs(scores.mean()) < 4 * scores.std() / 20
    flat = EdgeField(np.full((100, 200), 90, np.uint8))
    assert flat.scores(np.array([[50, 30, 150, 70]])).tolist() == [0]


def test_the_frame_is_an_edge_and_beyond_it_is_the_floor():
    field = EdgeField(_plate((0, 30, 80, 70)))
    assert field.side_scores(np.array([[0, 30, 80, 70]])).min() > 0.7
    out = np.array([[-20, 30, 60, 70], [300, 0, 400, 50], [80, 30, 40, 70], [np.nan] * 4, [0, 0, np.inf, 9]])
    assert field.side_scores(out)[0, 0] == FLOOR
    assert (field.scores(out)[1:] == FLOOR).all()


def test_many_readings_at_once_are_each_as_alone_and_large_images_are_shrunk():
    big = EdgeField(_plate((500, 300, 1500, 700), 2000, 1000))
    boxes = np.array([[[500, 300, 1500, 700], [0, 0, 300, 300]], [[600, 400, 1600, 800], [510, 300, 1510, 700]]])
    scores = big.scores(boxes)
    assert scores.shape == (2, 2) and big.scores(np.zeros((3, 0, 4))).shape == (3, 0)
    assert scores[1].tolist() == big.scores(boxes[1]).tolist()
    assert scores.argmax() == 0 and scores[0, 0] > 0.9
    assert max(big._across.shape) == 640 and big.size == (2000, 1000)


def test_what_is_no_image_or_no_box_is_refused(noise):
    with pytest.raises(ValueError, match=r"\(H, W\) or \(H, W, 3\) uint8, but float64 \(4, 4\) was given"):
        EdgeField(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"Boxes are \(…, n, 4\) xyxy px, but the shape is \(4,\)"):
        noise.scores(np.zeros(4))


def test_means_and_errors_by_hand():
    """Two images of one and three boxes: shares ¼ and ¾."""
    fits = EdgeFits.of([np.array([[0.2], [0.6]]), np.array([[0.1, 0.2, 0.3], [0.4, 0.4, 0.4]]), np.zeros((2, 0))])
    assert len(fits) == 2 and fits.mean.tolist() == pytest.approx([0.2, 0.45])
    found = fits.against(0)
    assert found.gain.tolist() == pytest.approx([0, 0.25])  # ¼ · 0.4 + ¾ · 0.2
    error = (0.25**2 * 0.15**2 + 0.75**2 * 0.05**2) ** 0.5 * 2**0.5
    assert found.se.tolist() == pytest.approx([0, error])
    assert found.t.tolist() == pytest.approx([0, 0.25 / error])
    with pytest.raises(ValueError, match="at least two images with boxes, but there are 0"):
        EdgeFits.of([np.zeros((2, 0))]).against()


def test_chance_of_many_readings_is_heeded():
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(40):
        fits = rng.normal(0, 0.2, (32, 60))
        alarms += EdgeFits(fits, np.full(32, 3)).against(0).better.any()
    assert alarms <= 2  # 0.2 are due
    fits[:, 7] += 0.3
    found = EdgeFits(fits, np.full(32, 3)).against(0)
    assert found.better[7] and found.better.sum() == 1
    assert not EdgeFits(fits, np.full(32, 3)).against(7).better.any()
