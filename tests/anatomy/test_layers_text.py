"""The layer table as text, word for word, on a network whose every number is worked out by hand."""

import pytest
from torch import nn

import anatomy
from anatomy.network.text import aligned, shape_text


class Small(nn.Module):
    """Two convolutions, a mean over the image, and a convolution that is never called."""

    def __init__(self):
        super().__init__()
        self.stem, self.idle = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 7, 1)
        self.wide, self.mean = nn.Conv2d(4, 4, (1, 3), padding=(0, 1)), nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.mean(self.wide(self.stem(x)))


TEXT = """\
LayerTable(Small at 8×16: 5 layers, 199 parameters, 5,248 multiply-adds)

layer  type               part  level  input   output        params  multiply-adds   share  stride        field
(all)  Small                           3×8×16  4×1×1            199          5,248  100.0%          whole image
stem   Conv2d             stem  P1     3×8×16  4×4×8            112          3,584   68.3%       2            3
idle   Conv2d             idle                 never called      35              0    0.0%
wide   Conv2d             wide  P1     4×4×8   4×4×8             52          1,664   31.7%       2        3 × 7
mean   AdaptiveAvgPool2d  mean         4×4×8   4×1×1              0              0    0.0%          whole image

part  params  of params  multiply-adds  share
stem     112      56.3%          3,584  68.3%
idle      35      17.6%              0   0.0%
wide      52      26.1%          1,664  31.7%

level   params  of params  multiply-adds   share
P1         164      82.4%          5,248  100.0%
(none)      35      17.6%              0    0.0%"""


@pytest.fixture(scope="module")
def table():
    return anatomy.layers(Small(), (8, 16))


def test_every_cell_of_the_text(table):
    assert str(table) == table.to_text(1) == table.to_text(0) == TEXT  # the uppermost of every part at any depth


def test_every_column_of_the_frame(table):
    rows = {row["path"]: row for row in table.to_df().iter_rows(named=True)}
    assert rows["wide"] == {
        "path": "wide",
        "type": "Conv2d",
        "group": "wide",
        "level": "P1",
        "depth": 1,
        "input": "4×4×8",
        "output": "4×4×8",
        "params": 52,
        "own": 52,
        "multiply_adds": 1664,
        "stride": 2.0,
        "field": 3.0,
        "turn": 0,
        "called": True,
        "leaf": True,
    }
    assert (rows["idle"]["input"], rows["idle"]["output"], rows["idle"]["field"]) == ("", "", None)
    assert (rows["idle"]["called"], rows[""]["leaf"], rows[""]["depth"]) == (False, False, 0)
    assert rows["mean"]["field"] == float("inf")


def test_shapes_lose_their_batch_and_no_other_side():
    assert shape_text(((2, 64, 80, 80), (2, 32, 80, 80)), 2) == "64×80×80 + 32×80×80"
    assert shape_text(((3, 64), (2,)), 2) == "3×64 + 2"
    assert shape_text((), 2) == ""


def test_no_rows_are_no_text():
    assert aligned([]) == ""
