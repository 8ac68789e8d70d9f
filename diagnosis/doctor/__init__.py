"""The doctor: black-box checks of target encoders, decoders and losses, which name the cause of what is wrong."""

from .decoder import check_decoder
from .inference.infer import InferredLayout, infer_layout
from .layout import TargetLayout
from .loss import check_loss
from .targets.check import check_targets

__all__ = ["InferredLayout", "TargetLayout", "check_decoder", "check_loss", "check_targets", "infer_layout"]
