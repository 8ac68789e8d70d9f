"""A trace as it would be at a higher confidence: greedy selection looks upward only, so its list is a prefix."""

from dataclasses import fields

import numpy as np

from anatomy import Detections, Trace


def confident(trace: Trace, conf: float) -> Trace:
    """The trace with the detections, and the rivals of each, whose confidence is above ``conf``."""
    seen = trace.detections
    keep = np.flatnonzero(seen.confidence > np.float32(conf))
    kept = {}
    for field in fields(Detections):
        values = getattr(seen, field.name)
        kept[field.name] = tuple(values[i] for i in keep) if isinstance(values, tuple) else values[keep]
    rivals = kept["suppressed"]
    kept["suppressed"] = tuple(some.chosen(some.confidence > np.float32(conf)) for some in rivals)
    made = Trace(trace.head, trace.run)
    made.__dict__["detections"] = Detections(**kept)  # as a trace that has travelled brings its own
    return made
