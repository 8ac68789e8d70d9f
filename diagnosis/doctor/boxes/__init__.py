"""How boxes can stand in four channels, and what explains the numbers that are found there."""
