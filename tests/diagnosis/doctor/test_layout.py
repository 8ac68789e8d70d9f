"""Layouts refuse what makes no sense; outputs are read however they are stored; terms hold what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from diagnosis import TargetLayout
from diagnosis.doctor.boxes.terms import Held, declared
from diagnosis.doctor.families import FAMILIES
from diagnosis.doctor.orders import Storage
from diagnosis.doctor.storage import Misfit, arrays, order

PAIR = TargetLayout(
    classes=slice(5, 7), strides=(8,), anchors=[[(10, 20), (30, 40)]], relative=True, unit="prior", size_function="log"
)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_layout(name):
    layout = TargetLayout.of(name, classes=3)
    assert layout.class_count == 3
    assert layout.channels == (7 if layout.objectness is None else 8)
    assert len(layout.priors(0)) == layout.anchor_count


def test_changes_and_strides_of_a_family():
    layout = TargetLayout.of("retinanet", classes=2, strides=(16,), axes="HWAC")
    assert (layout.strides, layout.axes, layout.anchor_count) == ((16,), "HWAC", 9)
    assert layout.anchors[0][1] == (64, 64)  # four strides, square, second of the first octave


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"axes": "WHC"}, "axes must be one of"),
        ({"unit": "prior"}, "needs anchors"),
        ({"anchors": [[(1, 2)]]}, "for each of the 3 levels"),
        ({"strides": (8,), "anchors": [[(1, -2)]]}, "positive px"),
        ({"class_values": "ids"}, "need num_classes"),
        ({"size_function": "cube"}, "size_function must be one of"),
    ],
)
def test_layouts_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        TargetLayout(**fields)


def test_priors_and_channels_may_be_arrays():
    plain = TargetLayout((0, 1, 2, 3), classes=[5, 6], strides=(8,), unit="prior", anchors=[[(10, 13), (16, 30)]])
    given = TargetLayout(
        np.arange(4),
        classes=np.array([5, 6]),
        strides=torch.tensor([8]),
        unit="prior",
        anchors=np.array([[[10, 13], [16, 30]]]),
    )
    assert given == plain and repr(given) == repr(plain) and "array" not in repr(given)
    assert given.anchors == (((10, 13), (16, 30)),) and given.strides == (8,)


def test_an_unknown_family_is_refused_by_name():
    with pytest.raises(ValueError, match="'yolov6' was given"):
        TargetLayout.of("yolov6")


@pytest.mark.parametrize("axes", ["CHW", "HWC", "ACHW", "AHWC", "HWAC", "AC,H,W", "NC", "LNC", "BAHWC"])
def test_one_number_is_found_in_every_storage(axes):
    """Anchor 1, channel 3, row 1, column 2 of a grid of 2 x 4."""
    full = torch.zeros(2, 7, 2, 4)
    full[1, 3, 1, 2] = 5
    stored = {
        "CHW": full.reshape(14, 2, 4),
        "HWC": full.permute(2, 3, 0, 1).reshape(2, 4, 14),
        "ACHW": full,
        "AHWC": full.permute(0, 2, 3, 1),
        "HWAC": full.permute(2, 3, 0, 1),
        "AC,H,W": full.reshape(14, 2, 4),
        "NC": full.permute(2, 3, 0, 1).reshape(-1, 7),
        "LNC": full.permute(2, 3, 0, 1).reshape(-1, 7),
        "BAHWC": full.permute(0, 2, 3, 1)[None],
    }[axes]
    layout = replace(PAIR, axes=axes)
    out = stored.numpy() if axes == "NC" else [stored]
    (array,) = arrays(out, layout, (16, 32))
    dims = order(layout)
    shape = dict(zip(dims, array.shape, strict=True))
    at = Storage(dims).unravel(np.flatnonzero(array.reshape(-1)), shape, dims)
    assert {letter: at[letter].tolist() for letter in "ACHW"} == {"A": [1], "C": [3], "H": [1], "W": [2]}
    assert array.reshape(-1)[Storage(dims).ravel(at, shape, dims)] == 5


def test_a_part_that_was_viewed_apart_is_found_again():
    built = torch.zeros(2, 4, 2)  # rows, columns, the two classes
    built[1, 2, 1] = 1
    memory = torch.zeros(7, 2, 4)
    memory[5:] = built.view(2, 2, 4)
    storage, shape = Storage("AHWC", (5, 6)), {"A": 1, "C": 7, "H": 2, "W": 4}
    at = storage.unravel(np.flatnonzero(memory.numpy()), shape, "ACHW")
    assert [int(at[letter][0]) for letter in "CHW"] == [6, 1, 2]
    assert memory.numpy().reshape(-1)[storage.ravel(at, shape, "ACHW")] == 1


def test_outputs_of_another_shape_are_refused_in_words():
    with pytest.raises(Misfit, match="7 channels for each of 2 anchors"):
        arrays([torch.zeros(13, 2, 4)], PAIR, (16, 32))


def test_declared_terms_by_hand():
    """A box of 20 x 40 px about (26, 12), in cell (row 1, column 3) of stride 8, with the prior 10 x 20."""
    plain = {
        "boxes": np.array([[16.0, -8, 36, 32]]),
        "sizes": np.array([[16.0, 32]]),
        "grids": np.array([[2, 4]]),
        "here": np.array([[3.0, 1]]),
        "meant": np.array([[3.0, 1]]),
        "priors": np.array([[10.0, 20]]),
        "others": {},
        "values": np.zeros((1, 4)),
        "ground": np.zeros((1, 4)),
        "stride": 8.0,
        "strides": (8.0,),
    }
    cell = Held(**plain)

    def hold(layout):
        return [float(term.predict(cell, i)[0]) for i, term in enumerate(declared(layout, 0))]

    assert hold(PAIR) == pytest.approx([(26 - 28) / 10, 0, np.log(2), np.log(2)])
    assert hold(TargetLayout.of("yolov1", strides=(8,))) == pytest.approx(
        [2 / 8, 4 / 8, (20 / 32) ** 0.5, (40 / 16) ** 0.5]
    )
    assert hold(TargetLayout(format="ltrb", unit="stride", strides=(8,))) == pytest.approx([1.5, 2.5, 1, 2.5])
    assert hold(TargetLayout(format="xywh", unit="normalized", strides=(8,))) == pytest.approx([0.5, -0.5, 0.625, 2.5])
