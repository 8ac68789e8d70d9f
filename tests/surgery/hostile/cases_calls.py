"""Files that want something to be called: methods replaced, hooks, reductions, constructors, names."""

import builtins
import os
import subprocess
from collections import OrderedDict
from types import SimpleNamespace

import torch
from torch import nn
from ultralytics.nn.modules import Conv, TorchVision
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.loss import v8DetectionLoss

from . import opcodes as ops
from .case import Case, collect, command, mark
from .networks import Call, Written, attribute, child, network, raw_module, save

CASES: list[Case] = []
case = collect("calls", CASES)
GADGET = "a key of a dictionary is a tuple"
FOREIGN = "asks for more than model classes: "


def gadget(folder):
    """Runs code when it is called: its layers are popped by a hook into a DetectionModel, which evaluates a text."""
    made = raw_module(nn.ModuleDict, _modules={(): {"activation": command(folder), "backbone": [], "head": []}})
    made._forward_pre_hooks = OrderedDict({0: Call(getattr, nn.ModuleDict, "pop")})
    vars(made)["forward"] = DetectionModel
    return made


@case("DetectionModel.float is a module whose hook and forward evaluate a text", GADGET, shell=True)
def float_runs_a_gadget(folder):
    net = raw_module(DetectionModel, float=gadget(folder), names={0: "a"})
    torch.save({"model": net}, folder / "evil.pt")
    return folder / "evil.pt"


@case("the same at .fuse of a genuine network, for the first trace", GADGET, shell=True)
def fuse_runs_a_gadget(folder):
    return attribute(folder / "evil.pt", "", fuse=gadget(folder))


def _shadow(name, where):
    def build(folder):
        return attribute(folder / "evil.pt", where, **{name: nn.Sequential()})

    build.__name__ = f"{name}_of_{where.replace('.', '_') or 'the_network'}"
    case(f".{name} of {where or 'the network'} is a module", f"the attribute {name!r}")(build)


for shadowed in (("forward", "model.0"), ("eval", ""), ("half", ""), ("_apply", "model.1"), ("train", "model.6")):
    _shadow(*shadowed)
for shadowed in (("__class__", "model.0"), ("__call__", "model.0"), ("default_act", "model.0")):
    _shadow(*shadowed)


@case("what torch calls in place of forward, as a number", "do not fit each other")
def compiled_call(folder):
    def change(net):
        first = net.model[0]
        net.model._modules["0"] = Written(type(first), state={**vars(first), "_compiled_call_impl": 1})

    return save(folder / "evil.pt", change)


@case("an attribute named like a method, of plain data", "gives a DetectionModel the attribute 'predict'")
def predict_is_a_number(folder):
    return attribute(folder / "evil.pt", "", predict=1)


def _hook(name):
    def build(folder):
        return attribute(folder / "evil.pt", "model.0", **{name: OrderedDict({0: Call(getattr, nn.ModuleDict, "pop")})})

    build.__name__ = name.strip("_")
    case(f"a hook at {name}", "lays hooks on a Conv")(build)


for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks"):
    _hook(hooks)
for hooks in ("_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"):
    _hook(hooks)


@case("a hook of a tensor", "describes torch._utils._rebuild_tensor_v2 wrongly .a tensor has hooks")
def hook_of_a_tensor(folder):
    stored = ops.storage("0", "FloatStorage", 1)
    hooks = ops.call(ops.name("collections", "OrderedDict")) + ops.number(0) + ops.name("builtins", "getattr") + b"s"
    made = ops.name("torch._utils", "_rebuild_tensor_v2")
    made = ops.call(made, stored, ops.number(0), ops.numbers(1), ops.numbers(1), b"\x89", hooks)
    return ops.archive(folder / "evil.pt", ops.entries(model=ops.EMPTY, w=made), _0=bytes(4))


def _foreign(label, function, *args):
    def build(folder):
        return save(folder / "evil.pt", extra=Call(function, *(args or (f"touch {mark(folder)}",))))

    build.__name__ = f"calls_{label}"
    case(f"an entry beside the model calls {label}", FOREIGN)(build)


_foreign("os_system", os.system)
_foreign("eval", builtins.eval, "1 + 1")
_foreign("exec", builtins.exec, "import antigravity")
_foreign("popen", subprocess.Popen, ("touch", "ran"))
_foreign("import", builtins.__import__, "antigravity")
_foreign("torch_load", torch.load, "other.pt")
_foreign("hub", torch.hub.load_state_dict_from_url, "http://localhost:9/weights.pt")
_foreign("open", builtins.open, "ran", "w")


@case("a chain of getattr through allowed classes", "makes an object of (builtins|__builtin__).getattr")
def chain_of_getattr(folder):
    return save(folder / "evil.pt", extra=Call(getattr, Call(getattr, Conv, "forward"), "__globals__"))


@case("a chain of getattr as forward", "gives a Conv a call as 'forward'")
def forward_of_another(folder):
    return attribute(folder / "evil.pt", "model.0", forward=Call(getattr, nn.ModuleDict, "forward"))


@case("forward is another method of the module itself", "gives a Conv a call as 'forward'")
def forward_is_train(folder):
    def change(net):
        first = net.model[0]
        vars(first)["forward"] = Call(getattr, first, "train")

    return save(folder / "evil.pt", change)


@case("a constructor that evaluates: DetectionModel(description)", "makes a DetectionModel otherwise")
def constructor_of_a_network(folder):
    description = {"activation": command(folder), "backbone": [], "head": []}
    return save(folder / "evil.pt", lambda net: Written(DetectionModel, description))


@case("a constructor that fetches: TorchVision('resnet18', 'DEFAULT')", "makes a TorchVision otherwise")
def constructor_that_fetches(folder):
    return save(folder / "evil.pt", lambda net: Written(TorchVision, "resnet18", "DEFAULT"))


@case("a constructor that allocates: Conv(100000, 100000)", "makes a Conv otherwise")
def constructor_that_allocates(folder):
    return child(folder / "evil.pt", "model", "7", Written(Conv, 100_000, 100_000))


@case("a class of torch that is no layer of pictures", FOREIGN + "torch.nn.modules.linear.LazyLinear")
def lazy_layer(folder):
    return child(folder / "evil.pt", "model", "7", nn.LazyLinear(4))


@case("a genuine criterion of a training, which is left out", "")
def criterion(folder):
    made = v8DetectionLoss.__new__(v8DetectionLoss)
    vars(made).update(hyp=SimpleNamespace(), device=Call(getattr, nn.ModuleDict, "pop"))
    made.hyp = {"box": 1}
    return attribute(folder / "evil.pt", "", criterion=made)


@case("a Sequential as criterion", "")
def sequential_as_criterion(folder):
    return attribute(folder / "evil.pt", "", criterion=nn.Sequential(nn.Identity()))


@case("a child of the network named criterion", "names a part of a DetectionModel 'criterion'")
def child_as_criterion(folder):
    return child(folder / "evil.pt", "", "criterion", nn.Identity())


@case("a child of the network named module, where class names are looked for", "names a part of a DetectionModel 'mod")
def child_as_module(folder):
    return child(folder / "evil.pt", "", "module", nn.Identity())


@case("a child named like a method", "names a part of a Conv 'forward'")
def child_as_forward(folder):
    return child(folder / "evil.pt", "model.0", "forward", nn.Identity())


@case("a child that is no module", "has _modules of a Conv that are no Module")
def child_is_a_text(folder):
    return child(folder / "evil.pt", "model.0", "act", command(folder))


@case("children that are a number", "has _modules of a Conv that are a int")
def children_are_a_number(folder):
    return attribute(folder / "evil.pt", "model.0", _modules=5)


@case("an attribute whose name is a number", "gives a Conv the attribute 5")
def attribute_named_by_a_number(folder):
    return save(folder / "evil.pt", lambda net: vars(net.model[0]).update({5: 5}))


@case("a part named inplace, which opening would set", "")
def child_as_inplace(folder):
    return child(folder / "evil.pt", "model.0", "inplace", nn.Identity())


@case("the entry modelopt, at which Ultralytics installs a package", "needs the package modelopt")
def modelopt(folder):
    return save(folder / "evil.pt", modelopt={"ranges": {}})


@case("a network that is none: a Sequential", "holds no Ultralytics model that can be opened, but Sequential")
def no_network(folder):
    return save(folder / "evil.pt", lambda net: nn.Sequential(nn.Identity()))


@case("a network without layers", "holds a network without layers")
def no_layers(folder):
    return save(folder / "evil.pt", lambda net: raw_module(DetectionModel))


@case("a foreign class by a dotted name", FOREIGN + "os.path.os.system")
def dotted_name(folder):
    evil = ops.call(ops.text("os") + ops.text("path.os.system") + b"\x93", ops.text(f"touch {mark(folder)}"))
    return ops.archive(folder / "evil.pt", ops.entries(model=evil))


@case("a dotted name below an allowed module", FOREIGN + "torch.nn.modules.conv.torch.load")
def dotted_name_below_torch(folder):
    evil = ops.call(ops.text("torch.nn.modules.conv") + ops.text("torch.load") + b"\x93", ops.text("x"))
    return ops.archive(folder / "evil.pt", ops.entries(model=evil))


@case("the network of a checkpoint is a name", "uses the name ultralytics.nn.tasks.DetectionModel as a value")
def model_is_a_name(folder):
    return ops.archive(folder / "evil.pt", ops.entries(model=ops.name("ultralytics.nn.tasks", "DetectionModel")))


def genuine(folder):
    """The network as it is; not a case."""
    torch.save({"model": network().half()}, folder / "genuine.pt")
    return folder / "genuine.pt"
