"""Words of a declaration that do not change."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def declare(**words: Any) -> Mapping[str, Any]:
    return MappingProxyType(words)
