"""A ConvNeXt-style detector with an ELAN PAFPN and the head of YOLOX: as described its training diverges."""

from .model import PLACES, PafpnDetector
from .training import criterion, draw_batches, half_width, learn, optimizer

__all__ = ["PLACES", "PafpnDetector", "criterion", "draw_batches", "half_width", "learn", "optimizer"]
