"""Modules of Ultralytics and torch rebuilt from what a checkpoint says of them: plain attributes and tensors alone."""

import inspect
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from ultralytics.nn import modules as blocks
from ultralytics.nn import tasks
from ultralytics.utils import IterableSimpleNamespace

from .archive import Reader, Reference
from .archive.machine import Object

DEEPEST = 24  # modules within modules
HOOKS = {name for name in vars(nn.Module()) if "hook" in name and name != "_is_full_backward_hook"}
PARTS = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_is_full_backward_hook", "training"}
UNREAD = ("ultralytics.utils.loss.", "ultralytics.utils.tal.")  # what a criterion is made of
SETTINGS = {"ultralytics.utils.IterableSimpleNamespace", "ultralytics.yolo.utils.IterableSimpleNamespace"}
GETATTR = {"builtins.getattr", "__builtin__.getattr"}
FORWARDS = {"forward": {"forward", "forward_fuse"}, "detect": {"forward"}}  # attribute: methods that it may hold
FORMER = {  # where classes of older files are now
    "ultralytics.nn.modules.block.Silence": "torch.nn.modules.linear.Identity",
    "ultralytics.nn.tasks.YOLOv10DetectionModel": "ultralytics.nn.tasks.DetectionModel",
}
LAZY = ("torch.nn.modules.lazy.", "torch.nn.modules.module.", "torch.nn.modules.rnn.")
HIDING = {"type"}  # attributes of plain data with which Ultralytics itself hides a method of torch's
REPLACED = ("criterion", "args")  # the settings are those of the checkpoint; a criterion is made when it is needed
LARGEST_SCALE = 16  # of an upsampling; larger ones would only fill the memory


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
            plain = not name.startswith(LAZY) and not kind.__name__.startswith("Lazy")
            if plain and name.startswith(("torch.nn.modules.", "ultralytics.nn.modules.", "ultralytics.nn.tasks.")):
                found[name] = kind
    found |= {f"ultralytics.nn.modules.{kind.__name__}": kind for name, kind in found.items() if ".modules." in name}
    return found | {old: found[new] for old, new in FORMER.items()}


def known(name: str) -> bool:
    """Whether a checkpoint may mention this name at all."""
    return name in module_classes() or name in SETTINGS or name in GETATTR or name.startswith(UNREAD)


class Builder:
    """Makes modules out of the objects that a program describes: no constructor, hook or method of them is called."""

    def __init__(self, archive):
        self.reader = Reader(archive, known, self._make)
        self._depth = 0

    def _make(self, given: Object):
        name = given.made_by.name
        if name in SETTINGS:
            state = self.reader.value(given.state or {})
            return IterableSimpleNamespace(**self._attributes(IterableSimpleNamespace, state))
        if name not in module_classes():
            raise self.reader.refusal(f"makes an object of {name} where plain data is needed")
        return self._module(given, module_classes()[name])

    def _module(self, given: Object, kind: type[nn.Module]) -> nn.Module:
        if given.args or given.items or given.entries or type(given.state) is not dict:
            raise self.reader.refusal(f"makes a {kind.__name__} otherwise than torch.save does")
        if self._depth > DEEPEST:
            raise self.reader.refusal(f"nests more than {DEEPEST} modules")
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        self.reader.remember(given, module)
        self._depth += 1
        state = dict(given.state)
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
        self._depth -= 1
        _check_numbers(module, self.reader.refusal)
        return module

    def _part(self, name: str, given, kind: type):
        """What a module's own fields hold, of the types that they must hold."""
        value = self.reader.value(given)
        if name in ("training", "_is_full_backward_hook"):
            return bool(value) if name == "training" else None
        wanted = {"_parameters": nn.Parameter, "_buffers": Tensor, "_modules": nn.Module}.get(name, str)
        held = list(value.values()) if isinstance(value, dict) else list(value)
        names = list(value)
        if any(not isinstance(entry, wanted | None) for entry in held) or not all(map(_is_child_name, names)):
            raise self.reader.refusal(f"has {name} of a {kind.__name__} that are no {wanted.__name__}")
        return dict(value) if isinstance(value, dict) else set(value)

    def _attributes(self, kind: type, values: dict) -> dict:
        """Plain attributes, none of which stands in the way of a method."""
        for name, value in values.items():
            there = inspect.getattr_static(kind, name, None)
            hides = (callable(there) or isinstance(there, staticmethod | classmethod)) and name not in HIDING
            if not isinstance(name, str) or not name.isidentifier() or name.startswith("__") or hides:
                raise self.reader.refusal(f"gives a {kind.__name__} the attribute {name!r}")
            if not _is_plain(value):
                raise self.reader.refusal(f"gives a {kind.__name__} something that is no plain data as {name!r}")
        return values

    def _method(self, given: Object, kind: type, name: str, call: Object) -> Callable[[nn.Module], Callable]:
        """The one kind of call that a genuine network holds: a method of its own that stands for another."""
        held, method = call.args if len(call.args) == 2 else (None, None)
        owner = module_classes().get(held.name) if isinstance(held, Reference) else kind
        mine = held is given or isinstance(held, Reference)
        if not mine or owner is None or type(method) is not str or method not in FORWARDS[name]:
            raise self.reader.refusal(f"gives a {kind.__name__} a call as {name!r}")
        found = inspect.getattr_static(owner, method, None)
        if not callable(found) and not isinstance(found, staticmethod):
            raise self.reader.refusal(f"gives a {kind.__name__} a method {method!r} that {owner.__name__} has not")
        return (lambda module: getattr(module, method)) if held is given else (lambda module: getattr(owner, method))


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
            pads = module.padding if isinstance(module.padding, tuple) else (0,)
            fits = fits and all(0 <= pad <= max(reach) for pad in pads) and min(module.stride) >= 1
        elif isinstance(module, nn.modules.batchnorm._NormBase):
            fits = module.weight is None or tuple(module.weight.shape) == (module.num_features,)
        elif isinstance(module, nn.Linear):
            fits = tuple(module.weight.shape) == (module.out_features, module.in_features)
        elif isinstance(module, nn.Upsample):
            scales = module.scale_factor if isinstance(module.scale_factor, tuple) else (module.scale_factor or 1,)
            fits = max(scales) <= LARGEST_SCALE
        else:
            fits = True
    except (AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise refusal(f"describes a {name} that is not whole ({error})") from error
    if not fits:
        sizes = {key: own[key] for key in sorted(own) if isinstance(own[key], int | float | tuple | torch.Size)}
        raise refusal(f"describes a {name} that does not fit its weights ({str(sizes)[:120]})")
