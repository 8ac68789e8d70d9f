"""How the classes of an Ultralytics head are read and made others, in the network and in what predictors run of it."""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn
from ultralytics.nn.autobackend import check_class_names

from ...head.classes import Classes
from ...head.head import Head
from ...head.mark import Mark
from . import class_parts
from .declared import DetectHead, Network, detection_head, last_conv
from .layout import BRANCHES
from .runners import holders, network_of, predictors


class ClassTable(Head):
    """The part of ``UltralyticsHead`` that is about the number of classes."""

    net: Network
    detect: DetectHead
    mark: Mark
    _given: Any

    @property
    def rows_per_class(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]  # it changes with surgery
        """How many rows of the class convolutions feed one class."""
        return class_parts.rows_per_class(self.detect)

    @property
    def class_towers(self) -> int:
        """How many class towers stand side by side."""
        return class_parts.towers(next(stack for _, stack in class_parts.stacks(self.net)))

    def class_stack(self, level: int, branch: str) -> nn.Sequential:
        """The class stack of a level, its convolution of rows included."""
        return getattr(detection_head(self.net), BRANCHES[branch])[level]

    def class_extras(self) -> Mapping[str, Tensor]:
        """Weights of the classification loss, and the semantic maps that YOLO26 trains its masks with."""
        return class_parts.extras(self.net)

    def give_classes(self, classes: Classes) -> None:
        """In the network, and in every copy that a predictor runs; ``names``, ``nc``, ``no`` and the yaml agree."""
        self.settle()
        class_parts.give(self.net, classes)
        self._mirror(classes)

    def kept_classes(self) -> class_parts.Kept:
        """The very objects of the network that have to do with its classes."""
        return class_parts.kept(self.net)

    def put_classes_back(self, kept: Any) -> bool:
        """The very objects; what predictors run gets the same numbers."""
        if not isinstance(kept, class_parts.Kept) or kept.net() is not self.net:
            return False
        self.settle()
        class_parts.put_back(self.net, kept)
        self._mirror(self._standing())
        return True

    def class_tensors(self, level: int, branch: str) -> tuple[str, ...]:
        """Of several rows a class also those from which a training begins."""
        names = super().class_tensors(level, branch)
        if self.rows_per_class == 1:
            return names
        return (*names, *(f"{name.rpartition('.0.')[0]}.{name.rpartition('.')[2]}" for name in names))

    def rows_written(self) -> None:
        """Of several rows a class: those from which a training begins are made of them anew."""
        if self.rows_per_class > 1:
            class_parts.begin_trainings_at(self.net)

    def as_now(self) -> Head:
        """Described anew where the network, which must be the same, was given other names."""
        same = self.net.names is self._named or self.replaced
        return self if same else type(self)(self._given)  # pyright: ignore[reportCallIssue]

    _named: Any  # the names of the network as they were when it was described

    def _standing(self) -> Classes:
        """The classes that the network has."""
        net = self.net
        rows = {}
        for place, stack in class_parts.stacks(net):
            conv = last_conv(stack)
            rows[place] = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
        return Classes(
            names=tuple(check_class_names(net.names).values()),  # a list, where `set_classes` gave them
            rows=rows,
            rows_per_class=self.rows_per_class,
            extras=self.class_extras(),
            towers=self.class_towers,
            beside=_LastTowers(self),
        )

    def _mirror(self, classes: Classes) -> None:
        for runner, by_hand in list(self.mark.runners.items()):
            if {place for place, _ in class_parts.stacks(runner)} <= set(classes.rows):
                class_parts.give(runner, classes)
            else:
                self._let_go(runner, by_hand)
        for predictor in predictors(self.net, self.mark, self._predictor()):
            if predictor.model is not None:
                backend = getattr(predictor.model, "_orig_mod", predictor.model).backend
                backend.names = check_class_names(self.net.names)

    def _let_go(self, runner: nn.Module, by_hand: bool) -> None:
        """Leave a copy that has a branch which ``fuse()`` has taken from the network since: the next one is made anew.

        One that was made by hand stays as it is, and certificates say that it runs other rows.
        """
        self.mark.runners.pop(runner)
        for holder in holders(self.mark, self.net):
            if network_of(holder.predictor) is runner:
                holder.predictor = None
        if by_hand:
            self.mark.unclear.add(runner)

    def _predictor(self) -> Any:
        raise NotImplementedError


class _LastTowers:
    """What stands beside in a network whose towers do, as if it were another head's."""

    def __init__(self, head: ClassTable):
        self._head = head

    def class_stack(self, level: int, branch: str) -> nn.Sequential:
        """The tower that was put beside last, as a stack without rows."""
        first = next(self._head.class_stack(level, branch).children())
        return nn.Sequential(*cast(nn.Sequential, first.cv2).children(), nn.Identity())


class FixedClasses:
    """Put before ``UltralyticsHead``: class scores come from elsewhere, and the classes stay those that they are."""

    rows_per_class = 1
    class_towers = Head.class_towers
    class_stack, class_extras, give_classes = Head.class_stack, Head.class_extras, Head.give_classes
    kept_classes, put_classes_back = Head.kept_classes, Head.put_classes_back
    class_tensors, rows_written = Head.class_tensors, Head.rows_written
