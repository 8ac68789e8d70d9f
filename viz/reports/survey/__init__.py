"""The page of a survey: its verdict in words, figures, tables, and the photographs behind each number."""
