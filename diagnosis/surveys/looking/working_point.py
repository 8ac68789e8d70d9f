"""A trace as it would be at a higher confidence: greedy selection looks upward only, so its list is a prefix."""

from dataclasses import replace

import numpy as np

from anatomy import Trace


def confident(trace: Trace, conf: float) -> Trace:
    """The trace with the detections, and the rivals of each, whose confidence is above ``conf``."""
    seen = trace.detections
    kept = seen[seen.confidence > np.float32(conf)]
    rivals = tuple(some.chosen(some.confidence > np.float32(conf)) for some in kept.suppressed)
    made = Trace(trace.head, trace.run)
    made.__dict__["detections"] = replace(kept, suppressed=rivals)  # as a trace that has travelled brings its own
    return made
