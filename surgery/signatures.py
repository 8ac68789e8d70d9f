"""What each operation asks of an edit: its levels, classes, parameters and branches, checked in one place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from anatomy import finite_number, whole_number
from anatomy.arguments import shown

BIASES = ("silence", "keep", "zero")


def check_bias(value, what: str = "bias") -> str:
    """One of ``BIASES``; raises ValueError."""
    if not isinstance(value, str) or value not in BIASES:
        raise ValueError(f"{what} must be 'silence', 'keep' or 'zero', but {shown(value)} was given.")
    return str(value)


def check_factor(value, what: str) -> float:
    """A finite number; raises TypeError and ValueError."""
    return finite_number(value, what, "To silence a class use zero_classes.")


def _ids(value, what: str) -> list[int]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{what} must be a list of class ids, but {shown(value)} was given.")
    return [whole_number(entry, f"Every entry of {what}") for entry in value]


@dataclass(frozen=True)
class Signature:
    """What an edit of one operation holds.

    ``classes``: how many class ids, least and most (None: any number). ``parameters``: the check of each; those in
    ``optional`` can be left out.
    """

    classes: tuple[int, int | None] = (0, 0)
    parameters: Mapping[str, Callable] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


SIGNATURES = {
    "shift_classes": Signature(parameters={"k": whole_number}),
    "permute_classes": Signature(parameters={"order": _ids}),
    "swap_classes": Signature(classes=(2, 2)),
    "zero_classes": Signature(classes=(1, None), parameters={"bias": check_bias}),
    "scale_classes": Signature(classes=(1, None), parameters={"factor": check_factor}),
    "bias_classes": Signature(classes=(1, None), parameters={"delta": check_factor}),
    "mute_level": Signature(classes=(0, None), parameters={"bias": check_bias}, optional=frozenset({"bias"})),
}


def check_edit(operation, levels, classes, parameters, branches) -> None:
    """Refuse an edit that its operation cannot make on any model; ValueError, naming the field and its rule."""
    if not isinstance(operation, str) or operation not in SIGNATURES:
        told = repr(operation) if isinstance(operation, str) else shown(operation)
        raise ValueError(f"Operation {told} is unknown. There are {', '.join(SIGNATURES)}.")
    signature = SIGNATURES[operation]
    _check_names(operation, "levels", levels, (1, None))
    _check_names(operation, "classes", classes, signature.classes)
    if not isinstance(branches, list | tuple) or not all(isinstance(name, str) for name in branches):
        raise ValueError(f"{operation}: branches must be a list of names, but {shown(branches)} was given.")
    _check_parameters(operation, signature, parameters)


def _check_names(operation: str, what: str, values, counts: tuple[int, int | None]) -> None:
    """A list of indices or names, as many as the operation takes."""
    least, most = counts
    if not isinstance(values, list | tuple):
        raise ValueError(f"{operation}: {what} must be a list, [0] for one, but {shown(values)} was given.")
    for value in values:
        if not isinstance(value, str):
            _raising_value_error(whole_number, value, f"{operation}: every entry of {what} that is no name")
    if len(values) < least or (most is not None and len(values) > most):
        wanted = f"at least {least}" if most is None else f"exactly {least}" if most else "none"
        raise ValueError(f"{operation}: {what} must hold {wanted}, but {len(values)} were given.")


def _check_parameters(operation: str, signature: Signature, parameters) -> None:
    if not isinstance(parameters, Mapping):
        raise ValueError(f"{operation}: parameters must map names to values, but {shown(parameters)} was given.")
    for name in signature.parameters:
        if name not in parameters and name not in signature.optional:
            raise ValueError(f"{operation} needs the parameter {name!r}, which the edit does not give.")
    for name, value in parameters.items():
        if name not in signature.parameters:
            known = ", ".join(map(repr, signature.parameters)) or "none"
            raise ValueError(f"{operation} does not know the parameter {name!r}. It takes {known}.")
        _raising_value_error(signature.parameters[name], value, f"{operation}: {name}")


def _raising_value_error(check: Callable, value, what: str) -> None:
    try:
        check(value, what)
    except TypeError as error:
        raise ValueError(str(error)) from error
