"""What a decoder makes of predictions that are known."""

from .check import check_decoder

__all__ = ["check_decoder"]
