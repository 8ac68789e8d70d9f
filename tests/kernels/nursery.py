"""A process that loads what every notebook's kernel loads first, once, and forks a kernel from itself when asked.

``python tests/kernels/nursery.py`` reads a JSON value a line and answers each with one: ``{"command", "folder",
"environment"}`` starts a kernel and is answered by its process id; ``{"poll"}`` or ``{"wait"}`` with such an id, by the
code that it ended with, or null where it still runs. It ends when its input does.

What is loaded are foreign libraries that take no notice of the environment that notebooks change and that start no
threads, which a fork would lose (polars starts some: it is left to the notebooks). The project's own packages are
imported by every notebook itself.
"""

import atexit
import gc
import importlib
import json
import os
import sys

import ipykernel_launcher
import numpy
from ipykernel import kernelapp

LOADED = ("cv2", "matplotlib.pyplot", "scipy.optimize", "torch", "torch._dynamo", "torchvision")


def main() -> int:
    """Load, and serve until the input ends."""
    del sys.path[0]  # the folder of this file
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as a kernel does before pyplot is loaded
    for name in LOADED:
        importlib.import_module(name)
    if threads() != 1:
        raise RuntimeError(f"A process is forked while it has one thread alone, and this one has {threads()}.")
    gc.collect()
    gc.freeze()  # the kernels' collectors leave these pages shared
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(start(**asked) if "command" in asked else ended(**asked)), flush=True)
    return 0


def threads() -> int:
    """How many threads this process has, those of foreign libraries included."""
    return len(os.listdir("/proc/self/task"))


def start(command: list[str], folder: str, environment: dict[str, str]) -> int:
    """Fork a kernel, in its folder and with its environment; its process id."""
    process = os.fork()
    if process == 0:
        os.setsid()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment | {"JPY_PARENT_PID": str(os.getppid())})  # without whom it ends
        be_kernel(command)
    return process


def be_kernel(command: list[str]) -> None:
    """Do what ``python -m ipykernel_launcher …`` does in a process of its own, to the end of the process."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # the nursery's answers are not mixed with what a kernel's libraries print
    numpy.random.seed()  # noqa: NPY002 - as when numpy is loaded; Python's own generator does it in every fork
    sys.argv = [ipykernel_launcher.__file__, *command[command.index("ipykernel_launcher") + 1 :]]
    kernelapp.launch_new_instance(parent_handle=os.getppid())  # whom the module looked for when it was loaded
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # to take the interpreter apart takes half a second, and nobody is left to notice


def ended(poll: int = 0, wait: int = 0) -> int | None:
    """The code that a kernel ended with, the signal negative; None while it runs, which ``wait`` waits for."""
    process, status = os.waitpid(poll or wait, 0 if wait else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if process else None


if __name__ == "__main__":
    sys.exit(main())
