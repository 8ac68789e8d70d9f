"""The parameters of an edit, which nothing can change once the edit is made."""

from collections.abc import Iterator, Mapping
from typing import Any


class Parameters(Mapping[str, Any]):
    """A mapping of names to plain values that is read alone; sequences in it are tuples, mappings are as it is.

    Equal to any mapping with the same values, whether its sequences are lists or tuples; hashable; can be pickled.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping):
        if not isinstance(values, Mapping):
            raise TypeError(f"Parameters are a mapping of names to values, but {values!r} was given.")
        object.__setattr__(self, "_values", {name: frozen(value) for name, value in values.items()})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("The parameters of an edit cannot be changed. Make a new edit with others.")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._values == (other if isinstance(other, Parameters) else Parameters(other))._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return repr(self.plain())

    def __copy__(self) -> "Parameters":
        return self

    def __deepcopy__(self, memo: dict) -> "Parameters":
        return self

    def __reduce__(self) -> tuple:
        return Parameters, (self.plain(),)

    def plain(self) -> dict:
        """As a dict and lists, which JSON can hold; new ones at every call."""
        return {name: plain(value) for name, value in self._values.items()}


def frozen(value: object) -> Any:
    """The value with every list and mapping in it made unchangeable."""
    if isinstance(value, Mapping):
        return value if isinstance(value, Parameters) else Parameters(value)
    return tuple(map(frozen, value)) if isinstance(value, (list, tuple)) else value


def plain(value: object) -> Any:
    """The value with dicts and lists in place of what ``frozen`` made."""
    if isinstance(value, Parameters):
        return value.plain()
    return list(map(plain, value)) if isinstance(value, (list, tuple)) else value
