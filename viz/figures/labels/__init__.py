"""Labels of a set on its photographs: as written and as they are meant, single suspects, or plainly."""
