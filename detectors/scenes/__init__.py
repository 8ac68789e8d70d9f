"""Synthetic scenes: twelve classes of shapes with exact boxes, and data sets of them."""
