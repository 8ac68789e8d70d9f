"""Several workers, each with a working copy of its own, over one list of jobs."""

import multiprocessing
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .nursery import Nursery

_context = multiprocessing.get_context("fork")


def share_out(jobs: Sequence, work: Callable[[Nursery, object], object], workers: int) -> Iterator:
    """``work(nursery, job)`` of every job, as the results come; an error of a worker is raised here."""
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    waiting, done = _context.Queue(), _context.Queue()
    for index in range(len(jobs)):
        waiting.put(index)
    crew = [
        _context.Process(target=_serve, args=(folder / str(number), jobs, work, waiting, done), daemon=True)
        for number in range(min(workers, len(jobs)))
    ]
    try:
        for _ in crew:
            waiting.put(None)
        for process in crew:
            process.start()
        for _ in jobs:
            result, error = done.get()
            if error:
                raise RuntimeError(f"A worker failed.\n{error}")
            yield result
    finally:
        for process in crew:
            if process.pid:
                process.terminate()
                process.join()
        shutil.rmtree(folder, ignore_errors=True)


def _serve(folder: Path, jobs: Sequence, work, waiting, done) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the child of the moment is ended as well
    try:
        folder.mkdir(parents=True)
        nursery = Nursery(folder)
        for index in iter(waiting.get, None):
            done.put((work(nursery, jobs[index]), None))
    except KeyboardInterrupt:
        return
    except Exception:
        done.put((None, traceback.format_exc()))
