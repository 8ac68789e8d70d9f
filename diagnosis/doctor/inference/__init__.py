"""The layout of an encoder's targets, found from what it writes."""
