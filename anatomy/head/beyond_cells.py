"""What a head says whose class logits are no convolution over a map of cells: of queries, of proposals, of text."""

from abc import ABC

from torch import Tensor, nn

from ..errors import UnsupportedModelError
from .forward import Pass
from .text_fold import TextFold


class BeyondCells(ABC):
    """The part of ``Head`` that most heads leave as it is.

    ``no_rows``: why there are no class rows to read or edit, and what to do about it; empty where there are.
    ``chooses``: the network chooses the cells that it classifies; all others have no class logits (``Pass.chosen``).
    """

    net: nn.Module
    no_rows: str = ""
    chooses: bool = False

    def classified(self, run: Pass) -> Pass | None:
        """The pass with the class logits that the rows as they are now make, and these rows.

        None, unless overridden: the class convolution of each level reads its ``features``, cell by cell.
        """
        return None

    def level_shares(self, run: Pass) -> Tensor | None:
        """Of each detection the share of each level in the attention of each decoder layer, (n, layers, levels).

        None, unless overridden: no decoder looks at several levels.
        """
        return None

    def fold_text(self) -> TextFold:
        """How the text that class scores are compared with becomes class rows; nothing is changed yet.

        Raises UnsupportedModelError for a head that compares nothing with text.
        """
        raise UnsupportedModelError(f"{type(self.net).__name__} has class rows of its own: there is no text to fold.")

    @property
    def text_fold(self) -> TextFold | None:
        """The fold by which ``net`` came to this head, in this process; None where there was none."""
        return None
