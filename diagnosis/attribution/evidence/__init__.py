"""Whether a map can be believed: curves, pointing, and the weights taken away."""
