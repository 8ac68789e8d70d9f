"""A warning names the line of the caller, and not one of our own."""

import copy

import pytest
import torch
from torch import nn

import anatomy
import surgery
from anatomy.head.mark import ATTRIBUTE, mark_of
from tests.corner_net import CornerNet
from tests.ultralytics_nets import narrow


@pytest.fixture
def net():
    made = CornerNet()
    surgery.shift_classes(made, 0, 1)
    return made


def told(caught, words: str) -> str:
    """The file of the one warning with these words."""
    (file,) = {one.filename for one in caught if words in str(one.message)}
    return file


def test_of_rows_that_something_else_wrote(net):
    with torch.no_grad():
        net.cls[0].bias += 1
    with pytest.warns(surgery.RecordWarning) as caught:
        surgery.history(net)
    assert told(caught, "The rows are not those that the recorded edits left") == __file__


def test_of_a_record_that_cannot_be_read(net):
    for ask in (surgery.history, surgery.certify):
        twin = copy.deepcopy(net)
        twin.__dict__[ATTRIBUTE] = {"record": {"edits": 5}}
        with pytest.warns(surgery.RecordWarning) as caught:
            ask(twin)
        assert told(caught, "is left out, so its history begins anew") == __file__


def test_of_what_is_no_record():
    net = nn.Identity()
    net.__dict__[ATTRIBUTE] = []
    with pytest.warns(UserWarning, match="is no record") as caught:
        mark_of(net)
    assert told(caught, "is no record") == __file__


def test_of_rows_that_do_not_fit_at_the_end_of_scratch(net):
    with pytest.warns(surgery.RecordWarning) as caught, surgery.scratch(net):
        net.cls[1] = nn.Conv2d(12, 6, 1)
    assert told(caught, "P4 (only) have another shape than before") == __file__


def test_of_a_network_that_was_replaced():
    first, second = (narrow("yolov8n", 3, bodiless=True) for _ in range(2))
    surgery.shift_classes(first, 0, 1)
    own = first.model
    with pytest.warns(surgery.RecordWarning) as caught, surgery.scratch(first):
        first.model = second.model
    assert told(caught, "given another network inside scratch") == __file__
    with pytest.warns(surgery.RecordWarning) as caught:
        assert surgery.history(first) == ()
    assert told(caught, "The record of 1 edit(s) ended") == __file__
    first.model = own
    assert len(surgery.history(first)) == 1 and anatomy.levels(first)
