"""A training watched as it runs: level by level, with findings, in rows that stay."""

from .broken import BrokenBatch
from .watch import Watch, read_watch, watch

__all__ = ["BrokenBatch", "Watch", "read_watch", "watch"]
