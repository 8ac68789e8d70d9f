"""Cases that count in no rate: found, after their third was frozen, to ask for a name that is not true."""

CORNER = (
    "The penalty for the distance to the corner is outweighed by the overlap that is lost on the way there, whatever "
    "the box: the truth still costs least, so that not_minimal would be wrong, and nothing else is to be seen."
)
VOID = {
    "losses 1: loss_distance + distance from a centre to a corner": CORNER,
    "losses 1: loss_distance + distance from a centre to a corner + predictions brought to px in place": CORNER,
}
"""Key of a case: why."""
