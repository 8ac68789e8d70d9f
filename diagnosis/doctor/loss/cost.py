"""What predictions cost, and which differences are worth speaking of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESOLUTION = 4e-6
"""Of a loss in single precision: what its sums may differ by rounding."""


@dataclass(frozen=True)
class Cost:
    """The loss of the truth, a difference that is worth speaking of, and what departures ``usual``ly cost."""

    least: float
    slack: float
    usual: float = 0.0

    @classmethod
    def beside(cls, least: float, others: Sequence[float]) -> "Cost":
        """A thousandth of what departures usually cost, and no less than rounding."""
        usual = float(np.median([other for other in others if np.isfinite(other)] or [0.0]))
        return cls(least, max(1e-3 * usual, RESOLUTION * abs(least), 1e-9), usual)

    def less(self, value: float, share: float = 1.0) -> bool:
        """Whether predictions cost less than the truth, by a share of what is worth speaking of."""
        return bool(np.isfinite(value)) and value < self.least - max(share * self.slack, RESOLUTION * abs(self.least))
