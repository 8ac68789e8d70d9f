"""The explorer: a detector looked at, edited and restored by hand in a notebook."""
