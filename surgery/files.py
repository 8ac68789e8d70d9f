"""Files that are written whole or not at all, as checkpoints and recipes are."""

from anatomy.archive import write_whole

__all__ = ["write_whole"]
