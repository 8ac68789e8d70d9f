"""Drafts beside the place of a file or folder: whose they are stands in their names, so that the dead's can go."""

import hashlib
import os
import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LONGEST = 100  # characters of a name that its drafts repeat
OWNER = re.compile(r"(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-[^.]+")


@dataclass(frozen=True)
class Owner:
    """The process that writes a draft: its host (a digest), its number, and when it started (0: not known)."""

    host: str
    pid: int
    start: int

    @property
    def alive(self) -> bool:
        """Whether it may still run: True wherever that cannot be told, as for another host."""
        if self.host != _host() or os.name != "posix":
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # of another user
        return not self.start or _start(self.pid) == self.start


def this_process() -> Owner:
    """The owner of the drafts that are made here."""
    return Owner(_host(), os.getpid(), _start(os.getpid()))


def draft_prefix(path: Path) -> str:
    """How the names of this process's drafts of ``path`` begin; ``tempfile`` adds what makes them unique."""
    owner = this_process()
    return f".{path.name[:LONGEST]}-{owner.host}-{owner.pid}-{owner.start}-"


def abandoned(path: Path, suffix: str = ".tmp") -> Iterator[Path]:
    """The drafts of ``path`` beside it whose process is dead; those of living ones and of other hosts are left out."""
    start = f".{path.name[:LONGEST]}-"
    with suppress(OSError):
        for entry in list(path.parent.iterdir()):
            found = entry.name.startswith(start) and entry.name.endswith(suffix)
            owner = OWNER.fullmatch(entry.name[len(start) : -len(suffix)]) if found else None
            if owner and not Owner(owner["host"], int(owner["pid"]), int(owner["start"])).alive:
                yield entry


@cache
def _host() -> str:
    """A digest of the machine's name and, on Linux, of the space in which process numbers are counted."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _start(pid: int) -> int:
    """When a process started, in ticks since the machine did; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
