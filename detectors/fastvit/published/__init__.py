"""The detector as it was published, with its faults, each to be switched on by itself."""
