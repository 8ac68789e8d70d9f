"""Modules of Ultralytics and torch rebuilt from what a checkpoint says of them: plain attributes and tensors alone."""

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from torch import Tensor, nn
from ultralytics.nn import modules as blocks
from ultralytics.nn import tasks
from ultralytics.nn.modules import Detect, RepConv
from ultralytics.utils import IterableSimpleNamespace

from ...archive import Archive, Reader, Reference
from ...archive.machine import Object

MOST_MODULES = 10_000  # the largest of Ultralytics have 1,300
HOOKS = {name for name in vars(nn.Module()) if "hook" in name and name != "_is_full_backward_hook"}
PARTS = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_is_full_backward_hook", "training"}
UNREAD = ("ultralytics.utils.loss.", "ultralytics.utils.tal.", "torch.nn.modules.loss.")  # what a criterion is made of
SETTINGS = {"ultralytics.utils.IterableSimpleNamespace", "ultralytics.yolo.utils.IterableSimpleNamespace"}
GETATTR = {"builtins.getattr", "__builtin__.getattr"}
FORWARDS = {"forward": {"forward", "forward_fuse"}, "detect": {"forward"}}  # attribute: methods that it may hold
FORMER = {  # where classes of older files are now
    "ultralytics.nn.modules.block.Silence": "torch.nn.modules.linear.Identity",
    "ultralytics.nn.tasks.YOLOv10DetectionModel": "ultralytics.nn.tasks.DetectionModel",
}
LAYERS = ("activation", "batchnorm", "container", "conv", "dropout", "flatten", "instancenorm", "linear")
LAYERS += (
    "normalization",
    "padding",
    "pooling",
    "sparse",
    "upsampling",
)  # files of torch: they keep or scale a picture
TORCH = tuple(f"torch.nn.modules.{file}." for file in LAYERS)
HELD = {"_parameters": nn.Parameter, "_buffers": Tensor, "_modules": nn.Module}  # fields of a module: what is in them
HIDING = {"type"}  # attributes of plain data with which Ultralytics itself hides a method of torch's
REPLACED = ("criterion", "args")  # the settings are those of the checkpoint; a criterion is made when it is needed


@cache
def module_classes() -> dict[str, type[nn.Module]]:
    """The classes that a network may be made of, by full name: torch's layers, Ultralytics' blocks and networks."""
    held = [*vars(tasks).values()]
    for part in (blocks, nn.modules):
        for holder in (part, *filter(inspect.ismodule, vars(part).values())):
            held += vars(holder).values()
    found = {}
    for kind in held:
        if inspect.isclass(kind) and issubclass(kind, nn.Module):
            name = f"{kind.__module__}.{kind.__qualname__}"
            mine = name.startswith(("ultralytics.nn.modules.", "ultralytics.nn.tasks."))
            if mine or (name.startswith(TORCH) and not kind.__name__.startswith("Lazy")):
                found[name] = kind
    found |= {f"ultralytics.nn.modules.{kind.__name__}": kind for name, kind in found.items() if ".modules." in name}
    return found | {old: found[new] for old, new in FORMER.items()}


def known(name: str) -> bool:
    """Whether a checkpoint may mention this name at all."""
    return name in module_classes() or name in SETTINGS or name in GETATTR or name.startswith(UNREAD)


class Builder:
    """Makes modules out of the objects that a program describes: no constructor, hook or method of them is called."""

    def __init__(self, archive: Archive):
        self.reader = Reader(archive, known, self._make, " If you trust where it comes from, give trusted=True.")
        self._unfinished: set[int] = set()  # modules whose parts are being read, by id
        self._placed: set[int] = set()  # modules that are part of another
        self._count = 0

    def _make(self, given: Object) -> Any:
        name = given.made_by.name
        if name in SETTINGS:
            state = self.reader.value(given.state or {})
            if given.args or not isinstance(state, dict):
                raise self.reader.refusal("holds settings that are none")
            return IterableSimpleNamespace(**self._attributes(IterableSimpleNamespace, state))
        if name not in module_classes():
            raise self.reader.refusal(f"makes an object of {name} where plain data is needed")
        return self._module(given, module_classes()[name])

    def _module(self, given: Object, kind: type[nn.Module]) -> nn.Module:
        if given.args or given.items or given.entries or type(given.state) is not dict:
            raise self.reader.refusal(f"makes a {kind.__name__} otherwise than torch.save does")
        self._add(1)
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        self.reader.remember(given, module)
        self._unfinished.add(id(module))
        state = self._state(given.state, kind)
        parts = {name: self._part(name, state.pop(name), kind) for name in PARTS & set(state)}
        for name in HOOKS & set(state):
            if not _is_empty(state.pop(name)):
                raise self.reader.refusal(f"lays hooks on a {kind.__name__} ({name})")
        for name in REPLACED:
            state.pop(name, None)
        methods = {name: self._method(given, kind, name, state.pop(name)) for name in FORWARDS if _calls(state, name)}
        attributes = self._attributes(kind, {name: self.reader.value(value) for name, value in state.items()})
        module.__setstate__(vars(module) | parts | attributes)
        for name, method in methods.items():
            setattr(module, name, method(module))
        self._unfinished.remove(id(module))
        _check_numbers(module, self.reader.refusal)
        return module

    def _state(self, given: dict, kind: type) -> dict:
        """A copy of a module's state, every name of which can be the name of an attribute."""
        for name in given:
            if not isinstance(name, str) or not name.isidentifier() or name.startswith("__"):
                raise self.reader.refusal(f"gives a {kind.__name__} the attribute {name!r}")
        return dict(given)

    def _part(self, name: str, given: Any, kind: type) -> Any:
        """What a module's own fields hold, of the types that they must hold."""
        value = self.reader.value(given)
        if name in ("training", "_is_full_backward_hook"):
            return bool(value) if name == "training" else None
        wanted = HELD.get(name)
        if not isinstance(value, set if wanted is None else dict):
            raise self.reader.refusal(f"has {name} of a {kind.__name__} that are a {type(value).__name__}")
        held = value.values() if isinstance(value, dict) else ()
        if wanted is not None and any(not isinstance(entry, wanted | None) for entry in held):
            raise self.reader.refusal(f"has {name} of a {kind.__name__} that are no {wanted.__name__}")
        self._check_child_names(name, value, kind)
        if name == "_modules":
            self._place(held, kind)
        return dict(value) if isinstance(value, dict) else value

    def _check_child_names(self, name: str, children: Iterable, kind: type) -> None:
        """No part stands for a method; of a whole network its list of layers is the only part."""
        whole = issubclass(kind, tasks.BaseModel)
        for child in children:
            fits = _is_child_name(child) and not _stands_for_method(kind, child)
            if not fits or (whole and (name, child) != ("_modules", "model")):
                raise self.reader.refusal(f"names a part of a {kind.__name__} {str(child)[:60]!r}")

    def _place(self, modules: Iterable[nn.Module | None], kind: type) -> None:
        """Layers may be shared, as activations are, and lists of layers; blocks of blocks stand in one place alone."""
        for module in (entry for entry in modules if entry is not None):
            again = id(module) in self._placed
            deep = any(part is not None and part._modules for part in module._modules.values())
            if id(module) in self._unfinished or (again and deep):
                raise self.reader.refusal(f"puts a {type(module).__name__} into a {kind.__name__}, and elsewhere too")
            self._placed.add(id(module))
            if again:
                self._add(len(module._modules))

    def _add(self, count: int) -> None:
        self._count += count
        if self._count > MOST_MODULES:
            raise self.reader.refusal(f"holds more than {MOST_MODULES} modules")

    def _attributes(self, kind: type, values: dict) -> dict:
        """Plain attributes, none of which stands in the way of a method."""
        for name, value in self._state(values, kind).items():
            if _stands_for_method(kind, name) and name not in HIDING:
                raise self.reader.refusal(f"gives a {kind.__name__} the attribute {name!r}")
            if not _is_plain(value):
                raise self.reader.refusal(f"gives a {kind.__name__} something that is no plain data as {name!r}")
        return values

    def _method(self, given: Object, kind: type, name: str, call: Object) -> Callable[[nn.Module], Callable]:
        """The one kind of call that a genuine network holds: a method of its own that stands for another."""
        held, method = call.args if len(call.args) == 2 else (None, None)
        owner = module_classes().get(held.name) if isinstance(held, Reference) else kind
        mine = held is given if name == "forward" else owner is not None and issubclass(owner, Detect)
        if owner is None or not mine or type(method) is not str or method not in FORWARDS[name]:
            raise self.reader.refusal(f"gives a {kind.__name__} a call as {name!r}")
        found = inspect.getattr_static(owner, method, None)
        if not callable(found) and not isinstance(found, staticmethod):
            raise self.reader.refusal(f"gives a {kind.__name__} a method {method!r} that {owner.__name__} has not")
        return (lambda module: getattr(module, method)) if held is given else (lambda module: getattr(owner, method))


def _stands_for_method(kind: type, name: str) -> bool:
    there = inspect.getattr_static(kind, name, None)
    return callable(there) or isinstance(there, staticmethod | classmethod)


def _calls(state: dict, name: str) -> bool:
    return isinstance(state.get(name), Object) and state[name].made_by.name in GETATTR


def _is_empty(hooks) -> bool:
    if isinstance(hooks, Object):
        return not (hooks.items or hooks.entries or any(hooks.args))
    return not hooks


def _is_child_name(name) -> bool:
    return isinstance(name, str) and name != "" and "." not in name


def _is_plain(value) -> bool:
    """Numbers, texts, tensors and containers of them. The reader has bounded how deep they go."""
    if isinstance(value, list | tuple | set):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return value is None or isinstance(value, bool | int | float | str | bytes | Tensor)


def _within(pads: Iterable[int], reach: Iterable[int]) -> bool:
    """Whether a convolution pads by no more cells than its kernel reaches over, along every axis."""
    return all(0 <= pad <= side for pad, side in zip(pads, reach, strict=True))


def _check_numbers(module: nn.Module, refusal: Callable[[str], Exception]) -> None:
    """What a layer says of its sizes must fit the weights it has: a claim alone can fill the memory later."""
    name, own = type(module).__name__, vars(module)
    try:
        if isinstance(module, nn.modules.conv._ConvNd):
            first, second = module.out_channels, module.in_channels // module.groups
            if module.transposed:
                first, second = module.in_channels, module.out_channels // module.groups
            fits = tuple(module.weight.shape) == (first, second, *module.kernel_size)
            reach = [step * (side - 1) + side for step, side in zip(module.dilation, module.kernel_size, strict=True)]
            fits = fits and min(module.stride) >= 1
            fits = fits and (isinstance(module.padding, str) or _within(module.padding, reach))
            around = [side for side in reversed(reach) for _ in range(2)]  # last axis first, before and behind
            fits = fits and (module.padding_mode == "zeros" or _within(module._reversed_padding_repeated_twice, around))
        elif isinstance(module, nn.modules.batchnorm._NormBase):
            fits = module.weight is None or tuple(module.weight.shape) == (module.num_features,)
        elif isinstance(module, nn.Linear):
            fits = tuple(module.weight.shape) == (module.out_features, module.in_features)
        elif isinstance(module, nn.Embedding):
            fits = tuple(module.weight.shape) == (module.num_embeddings, module.embedding_dim)
        elif isinstance(module, RepConv) and module.bn is not None:
            fits = module.c1 == module.bn.num_features  # the length of a loop when it is fused
        else:
            fits = True
    except (AttributeError, TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
        raise refusal(f"describes a {name} that is not whole ({error})") from error
    if not fits:
        sizes = {key: own[key] for key in sorted(own) if isinstance(own[key], int | float)}
        raise refusal(f"describes a {name} that does not fit its weights ({str(sizes)[:120]})")
