"""Which predictors run a copy of a network, and which objects hold it, on stand-ins of a few lines each."""

import copy
import threading
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from anatomy.families.ultralytics.runners import (
    Kinds,
    holders,
    holds,
    network_of,
    predictors,
    runners,
    same_rows,
    strange,
)
from anatomy.head.mark import Mark


class Net(nn.Module):
    """A network whose last layer has class and box convolutions on two levels, and a second branch."""

    def __init__(self, *lists: str):
        super().__init__()
        last = nn.Module()
        for name in lists or ("cv3", "cv2", "one2one_cv3"):
            setattr(last, name, nn.ModuleList(nn.Sequential(nn.Identity(), nn.Conv2d(2, 3, 1)) for _ in range(2)))
        self.model = nn.Sequential(nn.Identity(), last)


class Holder(nn.Module):
    """As a YOLO object: a network and a predictor."""

    def __init__(self, net=None, predictor=None):
        super().__init__()
        self.model = net
        self.__dict__["predictor"] = predictor


class Predictor:
    """As Ultralytics' own: its network lies two steps down, or one more where it was compiled."""

    def __init__(self, net=None, compiled: bool = False):
        whole = SimpleNamespace(backend=SimpleNamespace(model=net))
        self.model = SimpleNamespace(_orig_mod=whole) if compiled else whole


def test_the_network_that_a_predictor_runs():
    net = Net()
    assert network_of(Predictor(net)) is network_of(Predictor(net, compiled=True)) is net
    for none in (Predictor("file.onnx"), Predictor(), SimpleNamespace(model=None), SimpleNamespace(), None):
        assert network_of(none) is None


@pytest.mark.parametrize("change", ["weight", "bias"])
@pytest.mark.parametrize(("name", "level"), [("cv3", 0), ("cv3", 1), ("cv2", 1), ("one2one_cv3", 1)])
def test_a_copy_is_known_by_every_class_and_box_row(change, name, level):
    net = Net()
    twin = copy.deepcopy(net)
    assert same_rows(net, twin) and same_rows(net, copy.deepcopy(net).half())
    with torch.no_grad():
        getattr(getattr(twin.model[-1], name)[level][-1], change).flatten()[-1] += 1
    assert not same_rows(net, twin)


def test_rows_agree_as_far_as_both_networks_have_them():
    net = Net()
    fused = copy.deepcopy(net)
    fused.model[-1].one2one_cv3 = None
    fewer = copy.deepcopy(net)
    fewer.model[-1].cv3 = fewer.model[-1].cv3[:1]
    assert same_rows(net, fused) and same_rows(fused, net) and same_rows(net, fewer)
    assert not same_rows(net, Net("other")) and not same_rows(Net("other"), Net("other"))
    assert not same_rows(net, nn.Identity()) and not same_rows(nn.Identity(), net)
    empty = copy.deepcopy(net)
    empty.model = nn.Sequential()
    assert not same_rows(net, empty)
    for last in (nn.Conv2d(2, 4, 1), nn.Conv2d(2, 3, 1, bias=False)):
        other = copy.deepcopy(net)
        other.model[-1].cv3[0][-1] = last
        assert not same_rows(net, other)
    with torch.no_grad():
        net.model[-1].cv3[0][-1].weight[0, 0] = torch.nan
    assert same_rows(net, copy.deepcopy(net))


def test_holders_are_those_that_hold_it_now():
    net, other = Net(), Net()
    mine, former = Holder(net), Holder(other)
    mark = Mark()
    mark.holders.update([mine, former])
    assert holds(mine, net) and not holds(former, net) and not holds(SimpleNamespace(model=net), net)
    assert list(holders(mark, net)) == [mine]


def test_who_runs_what_in_place_of_a_network():
    net, copied, alien, unclear, bare, hand = (Net() for _ in range(6))
    mark = Mark()
    mark.runners[copied] = mark.runners[bare] = False
    mark.runners[hand] = True
    mark.unclear.add(unclear)
    own, by_hand = Predictor(bare), Predictor(hand)
    mark.predictors.add(by_hand)
    objects = [Holder(net, Predictor(copied)), Holder(net, Predictor(alien)), Holder(net), Holder(net, Predictor(net))]
    mark.holders.update(objects)
    assert [strange(Predictor(one), net, mark) for one in (net, copied, alien, None)] == [False, False, True, False]
    found = {id(running): who for who, running in runners(net, mark, own)}
    assert found == {
        id(copied): "a YOLO object",
        id(alien): "a YOLO object, of another network or of this one before it changed",
        id(bare): "the predictor of the bare network",
        id(hand): "a predictor made by hand",
        id(unclear): "a predictor made by hand, of this network or of another with the same rows",
    }
    assert len(list(runners(net, mark, None))) == len(list(runners(net, mark, Predictor(alien)))) == 4
    wanted = {id(entry) for entry in (own, by_hand, objects[0].predictor, objects[3].predictor)}
    known = predictors(net, mark, own)
    assert {id(entry) for entry in known} == wanted and len(known) == 4
    assert len(predictors(net, mark, objects[0].predictor)) == 3 and len(predictors(net, mark, None)) == 3


class SetsUp(Predictor):
    """Notes whom a copy would be made for while it is set up."""

    def setup_model(self):
        self.maker = Kinds(holder=Holder, predictor=SetsUp).maker()


def predict(self, predictor):
    """As that of a YOLO object, by its name and the module that it stands in."""
    predictor.setup_model()


def test_a_copy_is_made_for_the_object_that_predicts_or_for_the_predictor_itself():
    holder, predictor = Holder(), SetsUp()
    predict(holder, predictor)
    assert predictor.maker is holder
    alone = SetsUp()
    alone.setup_model()
    assert alone.maker is alone
    shallow = SetsUp()
    thread = threading.Thread(target=shallow.setup_model)  # its frames end before four were looked at
    thread.start()
    thread.join()
    assert shallow.maker is shallow
    deep = SetsUp()
    wrapped = deep.setup_model
    for _ in range(4):
        wrapped = lambda inner=wrapped: inner()  # noqa: E731
    predict(holder, SimpleNamespace(setup_model=wrapped))
    assert deep.maker is deep  # no more than three calls may stand between
    assert Kinds(holder=Holder, predictor=SetsUp).maker() is None
