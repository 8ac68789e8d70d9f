"""A whole data set through one detector: every object and detection in tables, and what can be asked of them."""
