"""What a family says of a head whose classes can be made others: fewer, merged, more; nothing of it must be said."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ..errors import UnsupportedModelError
from .classes import Classes
from .levels import Level


class ChangingClasses:
    """The part of ``Head`` that is about the number of classes.

    ``rows_per_class`` beyond 1: so many rows of the class convolution feed a class, whose logit is the highest of
    theirs (``head/classes.py``).
    """

    net: nn.Module
    levels: Sequence[Level]
    rows_per_class: int = 1

    def give_classes(self, classes: Classes) -> None:
        """Make these the classes of ``net``, and of every copy that ``predict()`` runs: as many as there are names.

        Modules stay the same objects; those of class convolutions get other parameters. Raises UnsupportedModelError
        where a family does not say how.
        """
        raise UnsupportedModelError(
            f"The description of {type(self.net).__name__} does not say how its classes are made others. "
            "Rows can be edited (shift, permute, zero, scale, bias). Give its head a method give_classes(classes)."
        )

    def class_stack(self, level: int, branch: str) -> nn.Sequential:
        """What a level of ``net`` has for classes alone: the layers of a tower, and last the class convolution."""
        raise UnsupportedModelError(
            f"The description of {type(self.net).__name__} does not say what its class towers are."
        )

    def class_extras(self) -> Mapping[str, Tensor]:
        """By name, what else in ``net`` has one row a class, (nc, …), such as weights of a loss; none by default."""
        return {}

    @property
    def class_towers(self) -> int:
        """How many class towers stand side by side before the class convolutions."""
        return 1

    def kept_classes(self) -> Any:
        """All that ``give_classes`` can change of ``net``, the objects, for ``put_classes_back``; None: nothing."""
        return None

    def put_classes_back(self, kept: Any) -> bool:
        """Put back what ``kept_classes`` kept, in ``net`` and in its copies; False where it is of another network."""
        return kept is None

    def class_tensors(self, level: int, branch: str) -> tuple[str, ...]:
        """Names in the ``state_dict`` of ``net`` that are class rows of a level, or are made of them."""
        path = self.levels[level].paths[branch]
        return f"{path}.weight", f"{path}.bias"

    def rows_written(self) -> None:
        """Called after class rows of ``net`` were written: what is made of them is made anew; nothing, by default."""
        return

    def as_now(self) -> Any:
        """The description of ``net`` with the classes that it has now; this one, where they are those described."""
        return self
