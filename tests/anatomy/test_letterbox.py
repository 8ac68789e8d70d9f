"""The map between photograph and network input, by hand and beside Ultralytics' own letterbox."""

import numpy as np
import pytest
from ultralytics.data.augment import LetterBox

from anatomy import Letterbox

# (height, width) of the original and of the input, gain (x, y), padding (left, top): worked out by hand
BY_HAND = {
    "as it is": ((64, 96), (64, 96), (1, 1), (0, 0)),
    "half, wide": ((100, 200), (64, 100), (0.5, 0.5), (0, 7)),
    "half, tall": ((200, 100), (100, 64), (0.5, 0.5), (7, 0)),
    "enlarged": ((10, 20), (32, 40), (2, 2), (0, 6)),
    "one px of padding: to the right": ((64, 95), (64, 96), (1, 1), (0, 0)),
    "one px of padding: below": ((63, 96), (64, 96), (1, 1), (0, 0)),
    "three px of padding: one left, two right": ((64, 93), (64, 96), (1, 1), (1, 0)),
    "five px of padding: two above, three below": ((59, 96), (64, 96), (1, 1), (0, 2)),
    "sides rounded apart": ((3, 101), (32, 64), (64 / 101, 2 / 3), (0, 15)),
    "never thinner than one px": ((1, 1000), (32, 64), (0.064, 1), (0, 15)),
}


@pytest.mark.parametrize(("original", "given", "gain", "pad"), BY_HAND.values(), ids=BY_HAND)
def test_gain_and_padding_by_hand(original, given, gain, pad):
    box = Letterbox.fit(original, given)
    assert box.gain == pytest.approx(gain)
    assert box.pad == pad
    assert (box.original_shape, box.input_shape) == (original, given)


def test_points_and_boxes_go_there_and_back():
    box = Letterbox((100, 50), (64, 64), (0.5, 0.25), (3, 7))
    assert box.to_input([[10, 20]]).tolist() == [[8, 12]]
    assert box.to_original([[8, 12]]).tolist() == [[10, 20]]
    assert box.to_input([10, 20, 30, 40]).tolist() == [8, 12, 18, 17]
    assert box.to_original([[[-3, -7, 61, 57]]]).tolist() == [[[-12, -56, 116, 200]]]  # nothing is clipped


@pytest.mark.parametrize("seed", range(40))
def test_the_photograph_lies_where_ultralytics_puts_it(seed):
    rng = np.random.default_rng(seed)
    original = tuple(int(side) for side in rng.integers(2, 300, 2))
    given = tuple(int(side) for side in rng.integers(1, 8, 2) * 32)
    made = LetterBox(new_shape=given, auto=False, padding_value=0)(image=np.full((*original, 3), 255, np.uint8))
    rows, cols = (np.flatnonzero(made.any((axis, 2))) for axis in (1, 0))
    corners = Letterbox.fit(original, given).to_input([0, 0, *original[::-1]])
    np.testing.assert_allclose(corners, [cols[0], rows[0], cols[-1] + 1, rows[-1] + 1], atol=1e-9)
