"""Prove the suite itself, without the doctor.

Correct decoders give back what was written by hand; correct losses are least at the truth, finite without objects and
take images in any order; correct grids lie on their images as declared; every fault changes what can be seen, also
beside the other fault of its pair; no form of a fault stands in two parts, and no pair can be told by one name. Of the
losses of the fourth part and of later ones it is proven as well that a fault is what five of its names say
(``verify_claims``).
``python -m benchmarks.doctor_suite2.verify`` (``--shard``, ``--kind`` as in ``run``; without, all parts).
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import torch
from tqdm import tqdm

import diagnosis

from . import verify_decoders, verify_grids, verify_losses
from .cases import KINDS, Case
from .later import LATER, cases
from .parts import FOURTH
from .planting import Fault
from .run import THIRDS, fingerprint, thirds
from .verify_claims import claims
from .verify_decoders import same
from .void import VOID

PARTS = (*THIRDS, FOURTH, *LATER)
PROOFS: dict[str, ModuleType] = {"decoders": verify_decoders, "losses": verify_losses, "grids": verify_grids}


def complaints(kind: str, third: int) -> Iterator[str]:
    """What is wrong with the cases of a kind in a third."""
    proof, known = PROOFS[kind], {}

    def seen(case: Case, faults: tuple[Fault, ...]) -> Any:
        found = replace(case, faults=faults)
        if found.key not in known:
            known[found.key] = proof.seen(found)
        return known[found.key]

    for case in tqdm(cases(kind, third), f"{kind} {third}"):
        if kind != "grids":
            case.make().layout(diagnosis.TargetLayout)  # which refuses what cannot be
        for words in proof.wrong(case) if case.group == "correct" else ():
            yield f"{case.key}: {words}"
        for words in raised(case, seen(case, case.faults)):
            yield f"{case.key}: {words}"
        for one in case.faults:
            others = tuple(other for other in case.faults if other is not one)
            if same(seen(case, case.faults), seen(case, others)):
                yield f"{case.key}: {one.form} changes nothing"
        if (kind, case.group) == ("losses", "single") and third in (FOURTH, *LATER):
            yield from claims(case)


def raised(case: Case, told: Sequence[Any]) -> Iterator[str]:
    """Exceptions where no fault of the case is to raise any; a slip in an edit would look like one."""
    codes = frozenset[str]().union(*(one.codes for one in case.faults))
    if not codes & {"raises", "wrong_output"}:
        yield from {words for words in told if isinstance(words, str)}


def repeated() -> Iterator[str]:
    """Forms that stand more than once in the suite."""
    for kind in KINDS:
        forms = [case.faults[0].form for part in PARTS for case in cases(kind, part) if case.group == "single"]
        yield from (f"{kind}: {form} stands twice" for form in set(forms) if forms.count(form) > 1)


def misnamed() -> Iterator[str]:
    """Names that the doctor does not have, pairs whose faults could be told by one name, void cases that are none."""
    every = [case for kind in KINDS for part in PARTS for case in cases(kind, part)]
    yield from (f"{key} is void, and no case" for key in set(VOID) - {case.key for case in every})
    for case in every:
        for one in case.faults:
            yield from (f"{case.key}: there is no code {code}" for code in one.codes - set(diagnosis.CODES))
        if case.group == "pair" and case.faults[0].codes & case.faults[1].codes:
            yield f"{case.key}: both faults have a name in common"


def amounts() -> str:
    """How many cases there are."""
    rows = ["| kind | third | correct | single | pairs |", "|---|---|---|---|---|"]
    for kind in KINDS:
        for third in PARTS:
            groups = [case.group for case in cases(kind, third)]
            counted = " | ".join(str(groups.count(group)) for group in ("correct", "single", "pair"))
            rows.append(f"| {kind} | {third} | {counted} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="*", choices=KINDS, default=KINDS)
    parser.add_argument("--shard", default="1/1")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = [*repeated(), *misnamed()]
    for kind in options.kind:
        for third in PARTS if options.shard == "1/1" else thirds(options.shard):
            found += complaints(kind, third)
    print(amounts(), "", *(found or ["Nothing is wrong."]), f"suite {fingerprint()}", sep="\n")


if __name__ == "__main__":
    main()
