"""What every figure is drawn with: style, colours, the photograph, labels, heat."""
