"""Modules rebuilt from a checkpoint: what their sizes must be, what they may hold, and which classes there are."""

import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from ultralytics.nn.modules import Conv, Detect, RepConv
from ultralytics.nn.tasks import DetectionModel

from anatomy.archive.machine import Object, Reference
from anatomy.families.ultralytics import modules
from anatomy.families.ultralytics.modules import Builder, _check_numbers, known, module_classes


def changed(module: nn.Module, **values) -> nn.Module:
    vars(module).update(values)
    return module


def wide(**values) -> nn.Module:
    """A convolution of a kernel of 3 × 5 cells, the second axis dilated: they reach 5 and 2 * 4 + 5 cells."""
    return changed(nn.Conv2d(4, 6, (3, 5), padding=(1, 2), dilation=(1, 2), groups=2), **values)


def repconv(**values) -> nn.Module:
    return changed(RepConv(4, 4, 3, bn=True), **values)


@pytest.mark.parametrize(
    "module",
    [
        wide(),
        wide(padding=(5, 13)),
        wide(padding=(0, 0)),
        nn.Conv2d(4, 6, 3, padding="same"),
        nn.Conv2d(4, 6, (3, 5), padding=(1, 2), padding_mode="reflect"),
        nn.Conv2d(4, 6, (3, 4), padding="same", padding_mode="circular"),
        nn.Conv2d(4, 6, 3, padding="valid", padding_mode="replicate"),
        nn.ConvTranspose2d(4, 6, (3, 5), groups=2),
        nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, affine=False),
        nn.Linear(3, 5),
        repconv(),
        RepConv(4, 8, 3),
        nn.Identity(),
    ],
    ids=lambda module: str(module).partition("\n")[0],
)
def test_genuine_layers_fit_their_weights(module):
    _check_numbers(module, ValueError)


@pytest.mark.parametrize(
    "module",
    [
        wide(out_channels=5),
        wide(in_channels=8),
        wide(groups=1),
        wide(kernel_size=(5, 3)),
        wide(stride=(1, 0)),
        wide(stride=(0, 1)),
        wide(padding=(6, 0)),
        wide(padding=(0, 14)),
        wide(padding=(-1, 0)),
        *(
            changed(
                nn.Conv2d(4, 6, (3, 5), padding=(1, 2), padding_mode="reflect"),
                _reversed_padding_repeated_twice=pads,
            )
            for pads in ([10, 2, 1, 1], [2, 10, 1, 1], [2, 2, 6, 1], [2, 2, 1, 6], [-1, 2, 1, 1])
        ),
        changed(nn.ConvTranspose2d(4, 6, 3, groups=2), in_channels=6),
        changed(nn.ConvTranspose2d(4, 6, 3, groups=2), out_channels=8),
        changed(nn.BatchNorm2d(4), num_features=5),
        changed(nn.Linear(3, 5), in_features=4),
        changed(nn.Linear(3, 5), out_features=4),
        changed(nn.Embedding(3, 5), num_embeddings=4),
        repconv(c1=5),
    ],
    ids=lambda module: str(module).partition("\n")[0],
)
def test_layers_that_claim_other_sizes_than_they_have(module):
    with pytest.raises(ValueError, match=rf"^describes a {type(module).__name__} that does not fit its weights \(\{{"):
        _check_numbers(module, ValueError)


def test_what_does_not_fit_and_what_is_not_whole_is_told():
    told = "describes a Linear that does not fit its weights ({'in_features': 4, 'out_features': 5, 'training': True})"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        _check_numbers(changed(nn.Linear(3, 5), in_features=4), ValueError)
    for values in ({"padding": None}, {"groups": 0}, {"stride": ()}, {"dilation": (1,)}):
        with pytest.raises(ValueError, match=r"^describes a Conv2d that is not whole \(.+\)$"):
            _check_numbers(wide(**values), ValueError)


def test_the_classes_of_which_a_network_is_made():
    classes = module_classes()
    assert classes["torch.nn.modules.conv.Conv2d"] is nn.Conv2d
    assert classes["ultralytics.nn.modules.Conv"] is classes["ultralytics.nn.modules.conv.Conv"] is Conv
    assert classes["ultralytics.nn.modules.block.Silence"] is nn.Identity
    assert classes["ultralytics.nn.tasks.YOLOv10DetectionModel"] is DetectionModel
    for name in ("conv.LazyConv2d", "rnn.LSTM", "loss.MSELoss", "fold.Unfold"):
        assert f"torch.nn.modules.{name}" not in classes
    assert all(issubclass(kind, nn.Module) for kind in classes.values())
    for name in ("builtins.getattr", "ultralytics.utils.IterableSimpleNamespace", "ultralytics.utils.loss.any"):
        assert known(name) and name not in classes
    for name in ("os.system", "ultralytics.utils.other", "builtins.eval"):
        assert not known(name)
    assert {"_forward_hooks", "_backward_pre_hooks", "_state_dict_hooks"} <= modules.HOOKS
    assert "_is_full_backward_hook" not in modules.HOOKS and "training" not in modules.HOOKS


@pytest.fixture
def builder():
    made = Builder(SimpleNamespace(path="x.pt", size=0, pickle=b""))
    made.reader.refusal = ValueError
    return made


def test_ten_thousand_modules_and_no_more(builder):
    builder._add(9_999)
    builder._add(1)
    with pytest.raises(ValueError, match="holds more than 10000 modules"):
        builder._add(1)


def test_layers_and_lists_of_layers_may_stand_in_several_places_and_blocks_of_blocks_in_one(builder):
    leaf, layers, block = (
        nn.SiLU(),
        nn.ModuleList([nn.Identity(), nn.Identity()]),
        nn.Sequential(nn.Sequential(nn.SiLU())),
    )
    builder._place([leaf, None, layers, block], nn.Sequential)
    assert builder._count == 0
    builder._place([leaf, layers], Conv)
    assert builder._count == 2  # what the list holds is there once more
    with pytest.raises(ValueError, match=r"^puts a Sequential into a Conv, and elsewhere too$"):
        builder._place([block], Conv)
    builder._unfinished.add(id(fresh := nn.Identity()))
    with pytest.raises(ValueError, match=r"^puts a Identity into a Conv, and elsewhere too$"):
        builder._place([fresh], Conv)
    halves = nn.Sequential(nn.Identity(), nn.Sequential(nn.SiLU()))  # deep by one of its parts
    builder._place([halves], Conv)
    with pytest.raises(ValueError, match="elsewhere too"):
        builder._place([halves], Conv)


def test_names_of_parts(builder):
    builder._check_child_names("_modules", ["0", "cv1", "act"], Conv)
    builder._check_child_names("_modules", ["model"], DetectionModel)
    for kind, name, child in (
        (Conv, "_modules", "a.b"),
        (Conv, "_modules", ""),
        (Conv, "_modules", 5),
        (Conv, "_modules", "forward"),
        (DetectionModel, "_modules", "other"),
        (DetectionModel, "_buffers", "model"),
    ):
        with pytest.raises(ValueError, match=f"^names a part of a {kind.__name__} {str(child)!r}$"):
            builder._check_child_names(name, [child], kind)
    with pytest.raises(ValueError, match="'" + "y" * 60 + "'$"):
        builder._check_child_names("_modules", ["y" * 61 + "."], Conv)


def test_what_is_plain_data_and_what_are_no_hooks():
    plain = [None, True, 1, 1.5, "a", b"a", torch.zeros(1), [1, (2, {3})], {"a": {1: [2]}}]
    assert all(map(modules._is_plain, plain))
    odd = object()
    assert not any(map(modules._is_plain, [odd, [odd], (1, odd), {odd}, {"a": odd}, {odd: 1}, {"a": [odd]}, len]))
    hooks = Reference("collections.OrderedDict")
    assert modules._is_empty(Object(hooks, ())) and modules._is_empty(Object(hooks, ([],))) and modules._is_empty({})
    for full in (Object(hooks, ([1],)), Object(hooks, (), None, [(1, 2)]), Object(hooks, (), None, [], [1]), {1: 2}):
        assert not modules._is_empty(full)


def test_attributes_that_stand_for_methods(builder):
    assert builder._attributes(Conv, {"type": "Conv", "i": 1}) == {"type": "Conv", "i": 1}
    for name in ("forward", "default_act", "__class__", "5", "train"):
        with pytest.raises(ValueError, match=f"^gives a Conv the attribute {name!r}$"):
            builder._attributes(Conv, {name: 1})
    with pytest.raises(ValueError, match=r"^gives a Conv something that is no plain data as 'i'$"):
        builder._attributes(Conv, {"i": object()})
    call = Object(Reference("builtins.getattr"), ())
    assert modules._calls({"forward": call}, "forward")
    assert not modules._calls({"forward": Object(Reference("os.system"), ())}, "forward")
    assert not modules._calls({"forward": 5}, "forward") and not modules._calls({}, "forward")


def test_calls_that_a_network_may_hold(builder):
    def asked(kind, name, *args):
        given = Object(Reference("x"), ())
        args = [given if arg is None else arg for arg in args]
        return builder._method(given, kind, name, Object(Reference("builtins.getattr"), tuple(args)))

    def name_of(kind) -> Reference:
        return Reference(f"{kind.__module__}.{kind.__qualname__}")

    module = Conv(2, 2)
    assert asked(Conv, "forward", None, "forward_fuse")(module) == module.forward_fuse
    assert asked(Conv, "detect", name_of(Detect), "forward")(module) is Detect.forward
    for name, *args in (
        ("forward", None, "train"),
        ("forward", None),
        ("forward", None, "forward", 5),
        ("forward", name_of(Conv), "forward"),
        ("forward", None, 5),
        ("detect", None, "forward"),
        ("detect", name_of(Conv), "forward"),
        ("detect", name_of(Detect), "forward_fuse"),
        ("detect", Reference("a.B"), "forward"),
    ):
        with pytest.raises(ValueError, match=f"^gives a Conv a call as {name!r}$"):
            asked(Conv, name, *args)
    with pytest.raises(ValueError, match=r"^gives a Detect a method 'forward_fuse' that Detect has not$"):
        asked(Detect, "forward", None, "forward_fuse")
