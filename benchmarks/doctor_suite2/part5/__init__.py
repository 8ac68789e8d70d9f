"""The fifth part, decoders and losses: its bases, and the edits that spoil them."""
