"""RT-DETR: a decoder of queries, each of which begins at a cell that the encoder chose."""
