"""What a loss owes."""

from .check import check_loss

__all__ = ["check_loss"]
