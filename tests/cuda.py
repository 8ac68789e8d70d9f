"""What tests on a GPU share: the device, without which they are skipped, and arithmetic as exact as the CPU's."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

DEVICE = "cuda:0"
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@contextmanager
def full_precision() -> Iterator[None]:
    """Within the block, float32 keeps its 24 bits in convolutions and matrix products: no TF32."""
    flags = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = flags
