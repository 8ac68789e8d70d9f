"""What a process does while a file is opened: events of the interpreter, and memory."""

import encodings.cp437  # noqa: F401  zipfile asks for it at names that are not in ASCII
import re
import sys
from pathlib import Path

WATCHED = ("pickle.find_class", "import", "socket.", "subprocess.", "ctypes.", "os.", "shutil.", "urllib.", "http.")
QUIET = {"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr"}  # these only look
WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND
FIXED = {"model", "args", "yaml", "torch", "nn", "LeakyReLU"}  # names in texts of Ultralytics, and the allowed one


class Recorder:
    """Collects the events of interest between ``start()`` and ``stop()``; ``sys.addaudithook`` cannot be undone."""

    def __init__(self, writable: Path):
        self.events: list[str] = []
        self.usual: set[str] = set()  # what a genuine file does as well
        self.writable, self._on, self._peak = writable, False, 0
        sys.addaudithook(self._hear)

    def start(self, writable: Path) -> None:
        self.events, self.writable = [], writable
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory from now on
        self._before, self._on = memory("VmRSS"), True

    def stop(self) -> tuple[list[str], int]:
        """What was heard, and by how many bytes the memory grew at its peak."""
        self._on = False
        return [event for event in self.events if event not in self.usual], max(0, memory("VmHWM") - self._before)

    def _hear(self, event: str, args: tuple) -> None:
        if not self._on or event in QUIET:
            return
        told = _told(event, args)
        if told and not (event != "import" and self._allowed(args)):
            self.events.append(re.sub(r"\.report-\w+|/warm\d|\d+", "…", told[:200]))

    def _allowed(self, args: tuple) -> bool:
        return bool(args) and str(args[0]).startswith(str(self.writable))


def memory(name: str) -> int:
    """Bytes of this process, as Linux counts them: ``VmRSS`` now, ``VmHWM`` at the peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    raise LookupError(name)


def _told(event: str, args: tuple) -> str:
    if event == "open":
        path, _, flags = args
        return f"open for writing {path!r}" if flags & WRITING and path != "/dev/null" else ""
    if event == "exec":
        code = args[0]
        own = code.co_filename == "<string>" and set(code.co_names) <= FIXED
        return "" if own else f"exec {code.co_filename} {code.co_names}"
    return f"{event} {args}" if event.startswith(WATCHED) else ""
