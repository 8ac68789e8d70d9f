"""What a comparison of two networks, and a certificate, say of numbers that are made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from ultralytics import YOLO

import anatomy
import surgery
from anatomy.network.equivalence import Changes, Difference, Equivalence
from anatomy.tracing.matching import by_anchor, by_overlap
from surgery.certificate import Certificate, RowCheck
from tests.surgery.hostile.networks import network
from tests.ultralytics_nets import small


def row(path: str, largest: float, scale: float = 1.0, kind: str = "Conv2d") -> Difference:
    return Difference(path=path, type=kind, turn=0, shape=(1, 2, 3), largest=largest, scale=scale)


def found(*rows, outputs=(), tolerance=0.1, **more) -> Equivalence:
    return Equivalence(("A", "B"), (1, 3, 4, 6), tolerance, tuple(rows), tuple(outputs), **more)


def test_where_a_difference_begins_and_which_is_the_largest():
    small_, large, out = row("a", 0.1), row("b", 5.0, 10.0), row("out", 0.3, kind="")
    made = found(small_, large, outputs=[out])
    assert made.begins is large and made.largest is large and not made.equal and not made and not made.identical
    assert found(small_, outputs=[out]).begins is out and found(small_, outputs=[out]).largest is out
    assert found(large, outputs=[row("out", 0.1)]).equal  # outputs decide
    assert found(row("a", 0.0), outputs=[row("out", 0.0)]).identical
    assert not found(row("a", 1e-9), outputs=[row("out", 0.0)]).identical
    assert found(row("a", 0.0), outputs=[row("out", 0.1)]).begins is None
    assert [row("x", 0.0, 0.0).relative, row("x", 2.0, 0.0).relative, row("x", 2.0, 8.0).relative] == [0, np.inf, 0.25]
    assert str(large) == "b (Conv2d): 5 on values up to 10" and str(out) == "out: 0.3 on values up to 1"


def test_a_comparison_told_in_words_and_as_a_frame():
    traces = {"before": SimpleNamespace(branch="one2many"), "after": SimpleNamespace(branch="one2one")}
    made = found(row("a", 0.05), row("b", 0.45), outputs=[row("out", 0.2, 0.5, "")], **traces)
    assert str(made) == (
        "A and B are different (input 1×3×4×6)\n"
        "compared: layers 2, outputs 1; tolerance 0.1, relative\n"
        "largest difference: b (Conv2d): 0.45 on values up to 1\n"
        "begins: b (Conv2d): 0.45 on values up to 1\n"
        "branches: one2many predicts before, one2one after\n"
        "\n"
        "output  shape  differs by  on values up to\n"
        "out     1×2×3  0.2         0.5"
    )
    same = found(row("a", 0.0), outputs=[row("out", 0.0)], **{**traces, "after": traces["before"]})
    assert str(same).startswith("A and B are the same, bit for bit (input") and "branches" not in str(same)
    assert "begins: nowhere" in str(found(outputs=[row("out", 0.1)])) and "are equal" in str(
        found(outputs=[row("o", 0.1)])
    )
    frame = made.to_df()
    assert frame["path"].to_list() == ["a", "b", "out"] and frame["relative"].to_list() == [0.05, 0.45, 0.4]
    assert frame.row(2) == ("out", "", 0, "1×2×3", 0.2, 0.5, 0.4)


class Some(SimpleNamespace):
    """Detections of which these fields are known."""

    def __len__(self):
        return len(self.confidence)


def test_what_became_of_detections_is_counted_and_measured():
    box = np.array([0.0, 0, 10, 10])
    old = Some(confidence=np.array([0.9, 0.5, 0.3]), xyxy=np.stack([box, box, box]))
    new = Some(
        confidence=np.array([0.7, 0.75, 0.1, 0.2]), xyxy=np.stack([np.array([0.0, 0, 10, 14]), box - 1, box, box])
    )
    joined = SimpleNamespace(
        before=np.array([0, 1, 2, -1, -1]),
        after=np.array([1, 0, -1, 2, 3]),
        status=("confidence", "class", "gone", "new", "new"),
    )
    made = Changes.between(SimpleNamespace(detections=old), SimpleNamespace(detections=new), joined)
    assert (made.before, made.after, made.same, made.reclassified, made.gone, made.new) == (3, 4, 1, 1, 1, 2)
    assert made.changed == 4 and made.confidence == pytest.approx(0.2) and made.box == 4
    assert str(made) == (
        "3 before, 4 after; changed: 1 class, 1 gone, 2 new; confidence moves by up to 0.2, an edge by up to 4 px"
    )
    none = SimpleNamespace(before=np.array([-1]), after=np.array([0]), status=("new",))
    made = Changes.between(SimpleNamespace(detections=old), SimpleNamespace(detections=new), none)
    assert (made.same, made.confidence, made.box) == (0, 0, 0)


def test_detections_of_one_anchor_are_joined_by_class_first():
    def at(*pairs):
        return SimpleNamespace(anchor=np.array([a for a, _ in pairs]), class_name=tuple(str(c) for _, c in pairs))

    old, new = at((5, 0), (5, 1), (5, 2), (7, 0), (9, 9)), at((7, 3), (5, 2), (5, 4), (5, 0), (8, 9))
    assert by_anchor(old, new) == {0: 3, 2: 1, 1: 2, 3: 0}
    assert by_anchor(old, at((6, 0))) == {}


def test_of_equal_overlaps_the_first_pair_is_joined():
    box = [0.0, 0, 10, 10]
    two = SimpleNamespace(xyxy=np.array([box, box]), class_name=("a", "a"))
    assert by_overlap(two, two, 1.0) == {0: 0, 1: 1}
    other = SimpleNamespace(xyxy=np.array([box, [0, 0, 10, 8]]), class_name=("b", "a"))
    assert by_overlap(two, other, 0.5) == {0: 1, 1: 0} and by_overlap(two, other, 0.9) == {0: 0}


CHECK = RowCheck("one2many", 0, "P3", "model.22.cv3.0.2", changed=(1, 2, 3, 4, 5), equal=(0,))


def test_a_certificate_in_words():
    names = dict(enumerate("abcdef"))
    plain = Certificate((), True, None, "0123456789abcdef0123", names)
    assert (plain.untouched, plain.edits, plain.ended, plain.behind, plain.precision) == (None, 0, 0, (), None)
    assert str(plain) == (
        "class rows, bit for bit, NOT COMPARED: there is no record of an original (give against=path) "
        "(sha256 0123456789abcdef…)\n"
        "other weights: not compared (give against=path); predict() runs these rows: yes"
    )
    full = Certificate(
        rows=(CHECK, RowCheck("one2one", 1, "P4", "x", changed=(), equal=tuple(range(6)), drifted=(3,))),
        in_step=False,
        elsewhere=("a", "b"),
        digest="0" * 64,
        names=names,
        original="file",
        behind=("P3 runs others", "another"),
        edits=2,
        ended=3,
        precision="precision: told",
    )
    assert full.untouched is False and str(full).split("\n")[1:] == [
        "  one2many  P3  model.22.cv3.0.2           5 changed (b, c, d, e…), 1 equal",
        "  one2one   P4  x                          none changed, 6 equal, 1 not as the edits left them",
        "other weights: 2 tensors differ; predict() runs these rows: NO: P3 runs others; another",
        "the record of 3 edit(s) ended when the network was replaced",
        "the record of 2 edit(s) does not explain the rows: something else wrote some",
        "precision: told",
    ]
    same = Certificate((RowCheck("b", 0, "P3", "x", (), (0,)),), True, (), "0" * 64, names, original="record")
    assert same.untouched is True and "against the rows before the first edit" in str(same)
    assert "0 tensors differ" in str(same) and "does not explain" not in str(same) and "ended" not in str(same)
    assert Certificate((), True, ("a",), "", names, original="file").untouched is False
    four = Certificate((RowCheck("b", 0, "P3", "x", (0, 1, 2, 3), ()),), True, (), "", names, original="file")
    assert "4 changed (a, b, c, d), 0 equal" in str(four)


def test_what_enters_an_ultralytics_network():
    net = network()
    assert anatomy.describe(net).tensor_multiple == 32  # though its strides are 4 and 8
    for yaml, channels in ((None, 3), ({}, 3), ({"channels": 5}, 5)):
        net.yaml = yaml
        assert anatomy.describe(net).channels == channels
    net.model[-1].stride = torch.tensor([32.0, 64.0])
    assert anatomy.describe(net).tensor_multiple == 64


def test_a_network_is_merged_in_silence(picture, capfd):
    model = small("yolov8n", picture, 5, bodiless=True)
    capfd.readouterr()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in anatomy.fused(model).modules())
    assert capfd.readouterr() == ("", "")


def test_a_predictor_of_a_network_with_fewer_levels_is_told_and_let_go(picture):
    more, fewer = small("yolov8n-p6", picture, 5, bodiless=True), small("yolov8n", picture, 5, bodiless=True)
    fewer.predict(picture, imgsz=64, verbose=False)
    more.predictor = fewer.predictor
    head = anatomy.describe(more)
    told = surgery.certify(more).behind
    three = ", ".join(f"{level.name} (one2many)" for level in head.levels[:3])
    assert len(head.levels) == 4 and [text.partition(" runs other rows at ")[2] for text in told] == [three]
    assert head.settle() == 1 and more.predictor is None and head.settle() == 0
    assert isinstance(more, YOLO) and surgery.certify(more).in_step
