"""The description of a network in its checkpoint, from which a training builds it anew: it may name layers alone."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

from torch import nn
from ultralytics.nn.tasks import BaseModel

from .modules import module_classes

FETCHING = {"TorchVision"}  # its constructor fetches weights
MOST_CHANNELS, MOST_REPEATS, MOST_VALUES = 1 << 14, 100, 100_000
DEEPEST = 6


def check_yaml(yaml: Any, refusal: Callable[[str], Exception]) -> None:
    """Refuse a description that names anything but layers, or an activation that is more than one of torch's."""
    if yaml is None:
        return
    if not isinstance(yaml, dict):
        raise refusal("describes its network by no dictionary")
    _check_values(yaml, refusal)
    activation = yaml.get("activation")
    if activation and not _is_activation(activation):
        told = repr(activation)[:60] if isinstance(activation, str | bytes) else f"a {type(activation).__name__}"
        raise refusal(f"names {told} as activation")
    known = {name for name, kind in module_classes().items() if not issubclass(kind, BaseModel)}
    layers = {name.rpartition(".")[2] for name in known} - FETCHING
    layers |= {f"nn.{name}" for name in layers}
    for part in ("backbone", "head"):
        rows = yaml.get(part) or []
        if not isinstance(rows, list):
            raise refusal(f"describes the {part} of its network by no list")
        for row in rows:
            _check_row(row, layers, refusal)


def _check_row(row, layers: set[str], refusal) -> None:
    """One layer of a description: where its input comes from, how often it is repeated, its class, its arguments."""
    if not isinstance(row, list | tuple) or len(row) != 4 or not isinstance(row[3], list | tuple):
        raise refusal("describes a layer of its network otherwise than by four values")
    _, repeats, kind, arguments = row
    if type(kind) is not str or kind not in layers:
        raise refusal(f"names {kind[:60] if isinstance(kind, str) else type(kind).__name__!r} as a layer")
    if type(repeats) is not int or not 0 < repeats <= MOST_REPEATS:
        raise refusal(f"repeats a {kind} other than 1 to {MOST_REPEATS} times")
    for text in (entry for entry in arguments if isinstance(entry, str)):
        if not text.isprintable() or len(text) > 60 or "/" in text:
            raise refusal(f"gives a {kind} the argument {text[:60]!r}")


def _check_values(yaml, refusal, depth: int = 0) -> None:
    """No number that is larger than a network can need: a training would fill the memory with it."""
    entries = [*yaml, *yaml.values()] if isinstance(yaml, dict) else yaml
    for entry in entries:
        if isinstance(entry, dict | list | tuple):
            if depth > DEEPEST or len(entry) > MOST_VALUES:
                raise refusal("describes its network with more than a network can need")
            _check_values(entry, refusal, depth + 1)
        elif isinstance(entry, int | float) and not abs(entry) <= MOST_CHANNELS:
            raise refusal(f"describes its network with the number {entry}")


def _is_activation(text) -> bool:
    """Whether a text is a call of one of torch's activations with a few numbers, as in ``nn.LeakyReLU(0.1)``."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        prefix, _, name = ast.unparse(call.func).rpartition(".")
        values = [ast.literal_eval(argument) for argument in call.args]
        values += [ast.literal_eval(keyword.value) for keyword in call.keywords]
    except (SyntaxError, ValueError, AttributeError, TypeError, RecursionError, MemoryError):
        return False
    kind = getattr(nn, name, None)
    torchs = inspect.isclass(kind) and kind.__module__ == "torch.nn.modules.activation" and "Attention" not in name
    small = all(isinstance(value, bool | int | float) and abs(value) <= MOST_REPEATS for value in values)
    return type(text) is str and prefix in ("nn", "torch.nn") and torchs and small
