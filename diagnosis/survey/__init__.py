"""A whole data set: every object and detection counted, and the answers to questions about them."""
