"""The name of a map of ids that was found, not looked up."""

from collections.abc import Mapping

Found = Mapping[int, tuple[tuple[int, ...], float]]
"""{id: the classes that it means, and the log likelihood that this brings}."""
NOTHING: tuple[tuple[int, ...], float] = ((), 0.0)
BEYOND_TWO = 8.0  # log likelihood that a third class must bring before it is more than an exchange of two
SPEAKS = 5.0  # and that another map of one of the two must bring
PAIR = 2  # classes of an option that is one class and another
NEARLY_ALL = 0.85  # of the log likelihood, from which one shift explains a map


def named_by(found: Found) -> tuple[str, int, set[int]]:
    """The code, a shift's number, and the ids that are meant otherwise: the simplest that explains nearly all.

    An exchange of two classes; one or more classes written as one; ids shifted; ids in no order.
    """
    strongest = max(found, key=lambda written: found[written][1], default=None)
    if strongest is None:
        return "", 0, set()
    option, _ = found[strongest]
    another = option[-1]
    if len(option) > PAIR:
        return "classes_merged", 0, {strongest}
    if _only_two(found, strongest):
        code = "classes_merged" if len(option) > 1 else "classes_swapped"
        return code, 0, {strongest, another}
    shifts: dict[int, float] = {}
    for written, (classes, worth) in found.items():
        by = written - classes[-1]
        shifts[by] = shifts.get(by, 0.0) + worth
    shift, worth = max(shifts.items(), key=lambda entry: entry[1])
    if len(found) > PAIR and worth >= NEARLY_ALL * sum(shifts.values()):
        return "ids_shifted", shift, set(found)
    return "ids_permuted", 0, set(found)


def _only_two(found: Found, strongest: int) -> bool:
    """Whether the strongest entry and its way back explain nearly all."""
    option, value = found[strongest]
    others = sum(worth for written, (_, worth) in found.items() if written not in (strongest, option[-1]))
    back, worth = found.get(option[-1], NOTHING)
    contradicted = strongest not in back and worth >= SPEAKS
    return not contradicted and others < max(BEYOND_TWO, (value + worth) / 2)
