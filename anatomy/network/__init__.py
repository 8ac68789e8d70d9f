"""A network layer by layer: shapes, cost, receptive fields, and whether two networks are the same."""
