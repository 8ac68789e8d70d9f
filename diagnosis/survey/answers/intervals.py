"""How sure a share is that was counted on so many."""

from polars import Expr

NORMAL = 1.959963984540054  # the normal distribution's quantile for 95 %


def wilson(hits: Expr, count: Expr) -> tuple[Expr, Expr]:
    """The lower and upper end of Wilson's 95 % interval of a share, clipped to 0 and 1 (Wilson 1927, JASA 22:209)."""
    square = NORMAL**2
    share = hits / count
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL * (share * (1 - share) / count + square / (4 * count**2)).sqrt() / (1 + square / count)
    return (middle - half).clip(0, 1), (middle + half).clip(0, 1)
