"""What the figure of a training is made of: its curves, their panels, the marks of findings, and the live display."""
