"""The second third: its bases, and the edits that spoil them."""
