"""Whether two networks are one up to their heads: the same modules with the same numbers, bit for bit."""

from collections.abc import Iterator

from torch import Tensor, nn

from anatomy import Head

from ..bits import identical

PLAIN = (bool, int, float, str, type(None))
SILENT = {"training", "inplace", "np"}  # attributes that say nothing of what a module computes, or only count


def first_difference(head: Head, other: Head) -> str | None:
    """The first layer outside of their heads in which two networks differ, and in what; None: there is none."""
    ours, theirs = _body(head), _body(other)
    for (path, mine), (their_path, its) in zip(ours, theirs, strict=False):
        if path != their_path:
            return f"{path}, where the other has {their_path}"
        told = module_difference(mine, its)
        if told is not None:
            return f"{path}: {told}"
    if len(ours) != len(theirs):
        longer = ours if len(ours) > len(theirs) else theirs
        return f"{longer[min(len(ours), len(theirs))][0]}, which one of the two alone has"
    return None


def equal_parts(mine: nn.Module, its: nn.Module) -> bool:
    """Whether two parts of networks are the same in all their modules."""
    ours, theirs = list(mine.named_modules()), list(its.named_modules())
    if [path for path, _ in ours] != [path for path, _ in theirs]:
        return False
    return all(module_difference(a, b) is None for (_, a), (_, b) in zip(ours, theirs, strict=True))


def module_difference(mine: nn.Module, its: nn.Module) -> str | None:
    """In what two modules themselves differ, what lies within them left out; None: in nothing."""
    if type(mine) is not type(its):
        return f"a {type(mine).__name__}, where the other has a {type(its).__name__}"
    for name, value in _settings(mine).items():
        there = _settings(its).get(name)
        if there != value:
            return f"{name} is {value!r} here and {there!r} there"
    ours, theirs = dict(_numbers(mine)), dict(_numbers(its))
    for name in sorted(set(ours) | set(theirs)):
        if name not in ours or name not in theirs:
            return f"one of the two alone has a {name}"
        if ours[name].shape != theirs[name].shape:
            return f"{name} is {tuple(ours[name].shape)} here and {tuple(theirs[name].shape)} there"
        if not identical(ours[name], theirs[name]):
            return f"the numbers of {name} differ"
    return None


def _body(head: Head) -> list[tuple[str, nn.Module]]:
    """Every module that is no part of the head, by path, in the network's order."""
    parts = head.parts()
    found = []
    for path, module in head.net.named_modules():
        names = path.split(".")
        above = [".".join(names[:depth]) for depth in range(len(names), 0, -1)]
        part = next((parts[name] for name in above if name in parts), None)
        if part is not None and not part.startswith("head"):
            found.append((path, module))
    return found


def _settings(module: nn.Module) -> dict:
    """What a module says of itself in plain numbers and texts, such as strides and where its input comes from."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in SILENT and _is_plain(value)
    }


def _is_plain(value: object) -> bool:
    return all(map(_is_plain, value)) if isinstance(value, list | tuple) else isinstance(value, PLAIN)


def _numbers(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)
