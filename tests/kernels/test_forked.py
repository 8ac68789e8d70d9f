"""Kernels that are forked from the nursery are what kernels are that start alone, and know nothing of each other."""

import json

import pytest

pytestmark = pytest.mark.long

TELLS = """
import json, os, signal, sys
import matplotlib
seen = {"process": os.getpid(), "folder": os.getcwd(), "path": sys.path, "arguments": sys.argv[:1]}
seen |= {"environment": {k: v for k, v in os.environ.items() if k != "JPY_PARENT_PID"}}
seen |= {"interrupt": str(signal.getsignal(signal.SIGINT)), "main": __name__, "leads": os.getsid(0) == os.getpid()}
seen |= {"backend": matplotlib.get_backend(auto_select=False)}
seen |= {"parent": int(os.environ["JPY_PARENT_PID"]) == os.getppid(), "known": "mine" in globals()}
seen |= {"ours": [name for name in sys.modules if name.split(".")[0] in ("anatomy", "viz", "diagnosis", "tests")]}
mine = os.environ["CHANGED"] = "1"
print(json.dumps(seen))
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function that runs the cell in a kernel of a manager's, and returns what it told."""
    import nbformat  # here, as every worker collects this file, and few run it
    from nbclient import NotebookClient

    from tests.kernels.forked import python_path

    monkeypatch.setenv("PYTHONPATH", python_path())
    monkeypatch.delenv("MPLBACKEND", raising=False)

    def ask(manager, source=TELLS):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        how = {"timeout": 60, "kernel_name": "python3", "kernel_manager_class": manager}
        done = NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}, **how).execute()
        return json.loads(done.cells[0].outputs[0].text)

    return ask


def test_a_forked_kernel_is_as_one_that_starts_alone(kernels, told):
    from jupyter_client.manager import AsyncKernelManager

    first, second, alone = told(kernels), told(kernels), told(AsyncKernelManager)
    assert len({seen.pop("process") for seen in (first, second, alone)}) == 3
    assert first == second == alone
    assert alone["ours"] == [] and alone["leads"] and alone["parent"]
    assert "inline" in alone["backend"]


def test_a_kernel_that_dies_is_noticed_and_the_next_one_starts(kernels, told):
    from nbclient.exceptions import DeadKernelError

    with pytest.raises(DeadKernelError):
        told(kernels, "import os; os._exit(3)")
    assert told(kernels, "print(1)") == 1


def test_a_nursery_that_has_ended_says_so():
    from tests.kernels.forked import Nursery

    with Nursery() as nursery:
        nursery.process.kill()
        nursery.process.wait()
        with pytest.raises(RuntimeError, match="has ended, with -9"):
            nursery.ask(poll=1)
