"""Figures of a survey: one question about a whole data set a file."""
