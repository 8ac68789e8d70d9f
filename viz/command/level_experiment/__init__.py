"""The level experiment: what is looked at, what is done to it, and how that is told."""
