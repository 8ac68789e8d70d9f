"""What a report can hold: the kinds of figures, and the formats that they are written in."""

KINDS = ("detections", "heatmaps", "anchor_grid", "distribution", "features", "attribution")
FORMATS = ("png", "pdf", "svg")
