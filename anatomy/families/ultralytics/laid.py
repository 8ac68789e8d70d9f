"""A block within which hooks lie: all of them or none."""

from abc import abstractmethod
from contextlib import ExitStack
from typing import Self


class Laid(ExitStack):
    """A block that can be entered again and again; ``_lay`` lays what ends with it."""

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._lay()
            return self
        except BaseException:  # an interruption before the block has begun, which then never ends
            self.close()
            raise

    @abstractmethod
    def _lay(self) -> None: ...
