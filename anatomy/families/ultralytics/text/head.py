"""YOLO-World (https://arxiv.org/abs/2401.17270) and YOLOE (https://arxiv.org/abs/2503.07465) with a fixed vocabulary.

Their class stacks end in embeddings, which are compared with those of the class names: there are no class rows until
the text is folded into some. Logits, boxes and provenance are there all the same.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Any, Never

from torch import Tensor, nn

from ....errors import UnsupportedModelError
from ....head.following import Follower
from ....head.forward import Pass
from ....head.head import ClassRows
from ....head.text_fold import TextFold
from ..declared import Branch, detection_head
from ..head import UltralyticsHead
from ..layout import BRANCHES
from .ordinary import Exchange, ordinary
from .stacks import Contrasted, Filtered, folded, unfiltered
from .words import CONTRASTS, filters, is_prompt_free, text_module, words


class TextHead(UltralyticsHead):
    """The head of YOLO-World or YOLOE, which compares features with text. Its passes hold the text as ``rows``."""

    module_of = staticmethod(text_module)
    no_rows = (
        "its class scores compare features with text. surgery.fold_text(model) folds the text into one class row a "
        "class and level, equal in every logit, on which everything works, and which can be taken back."
    )

    def class_conv(self, level: int, branch: str) -> ClassRows:
        """Refused: there are no class rows."""
        raise UnsupportedModelError(f"{type(self.net).__name__} has no class rows: {self.no_rows}")

    def twins(self, level: int, branch: str) -> Iterator[ClassRows]:
        """None."""
        return iter(())

    def running_convs(self, level: int, branch: str) -> Iterator[tuple[str, ClassRows]]:
        """None."""
        return iter(())

    def classified(self, run: Pass) -> Pass:
        """The comparison with the text as it is now. Raises RuntimeError where the number of classes is another."""
        made = [self._compared(level, feature, run.branch)[0] for level, feature in enumerate(run.features)]
        if len(made[0]) != len(run.logits[0]):
            raise RuntimeError(
                f"This trace has {len(run.logits[0])} classes, the model now {len(made[0])}. Trace the image again."
            )
        return run.evolve(logits=tuple(made), rows=self._rows(run.branch))

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        """Class logits (B, nc, h, w) and raw box outputs (B, r, h, w) of the stacks of one level."""
        with self.undisturbed():
            parts: Branch = getattr(detection_head(self.running), branch)
            *towers, _ = parts["cls_head"][level]
            return self._compared(level, nn.Sequential(*towers)(x), branch), parts["box_head"][level](x)

    def targets(self, *args: Any, **more: Any) -> Never:
        """Refused: the training of these heads has text of its own."""
        raise UnsupportedModelError(f"{type(self.net).__name__} cannot be asked about its training: {self.no_rows}")

    listening = noting = targets

    def follow(self, follower: Follower) -> None:
        """None for a bare network, whose owner trains it in a loop; Ultralytics' own training is refused."""
        if self._given is not self.net:
            self.targets()

    def fold_text(self) -> TextFold:
        """By ``text/stacks.py``."""
        head, conf = self.detect, float(getattr(self.detect, "conf", 0.001))
        before, after = {}, {}
        for branch in self.branches:
            stacks, filtered = getattr(head, BRANCHES[branch]), filters(head, branch)
            for level, stack in enumerate(stacks):
                if filtered is not None:
                    before[branch, level] = Filtered(stack, filtered[level], conf)
                    after[branch, level] = unfiltered(stack, filtered[level], conf)
                    continue
                contrast, text = getattr(head, CONTRASTS[branch])[level], words(self.net)
                before[branch, level] = Contrasted(stack, contrast, text)
                after[branch, level] = folded(stack, contrast, text)
        exchange = Exchange(self.net, self.mark, ordinary(head, after))
        return TextFold(
            before=before,
            after=after,
            put=partial(exchange.put, self.net),
            take_back=partial(exchange.take_back, self.net),
        )

    def _passes(self, source: Any, predict_args: dict, *, originals: bool = True) -> Generator[Pass]:
        if is_prompt_free(self.detect):
            raise UnsupportedModelError(
                f"This {type(self.detect).__name__} is prompt-free: a filter leaves cells out before they are "
                "classified. surgery.fold_text(model) makes the filter part of its class rows; then it can be traced."
            )
        with closing(super()._passes(source, predict_args, originals=originals)) as passes:
            for pass_ in passes:
                yield pass_.evolve(rows=self._rows(pass_.branch))

    def _rows(self, branch: str) -> tuple[tuple[Tensor, None], ...]:
        """The text, (nc, embed), a level."""
        return ((words(self.net)[0].clone(), None),) * len(self.levels)

    def _compared(self, level: int, feature: Tensor, branch: str) -> Tensor:
        """What the last convolution of a class stack reads, (B, c, h, w), as class logits (B, nc, h, w)."""
        head: Any = detection_head(self.net)
        conv, contrast = getattr(head, BRANCHES[branch])[level][-1], getattr(head, CONTRASTS[branch])[level]
        text = words(self.net).to(feature).expand(len(feature), -1, -1)
        return contrast(conv(feature), text)
