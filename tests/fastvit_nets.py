"""A FastViT of one narrow block a stage, by a name that timm and the checkpoints of its detectors know."""

from typing import Any

from timm.models import fastvit, register_model

SMALL = "fastvit_small"


@register_model
def fastvit_small(pretrained: bool = False, **kwargs: Any) -> Any:
    """The smallest published FastViT with a block a stage in place of two to four, and a sixth as wide."""
    sizes = {"layers": (1, 1, 1, 1), "embed_dims": (8, 16, 32, 64), "mlp_ratios": (2, 2, 2, 2)}
    mixers = ("repmixer", "repmixer", "repmixer", "repmixer")
    return fastvit._create_fastvit("fastvit_t8", pretrained=pretrained, **sizes, token_mixers=mixers, **kwargs)
