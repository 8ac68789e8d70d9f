"""Kernels that are forked from a nursery, as nbclient asks for them: a process, its provisioner, its manager."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

ROOT = Path(__file__).parents[2]


def python_path() -> str:
    """The project's packages, and what was at hand before."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


class Nursery:
    """The nursery's process, from outside; a context that ends it."""

    def __enter__(self) -> "Nursery":
        env = os.environ | {"PYTHONPATH": python_path()}
        env.pop("MPLBACKEND", None)
        command = [sys.executable, str(Path(__file__).with_name("nursery.py"))]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        return self

    def __exit__(self, *raised) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def ask(self, **asked):
        """The answer to one question."""
        if self.process.poll() is None:
            self.process.stdin.write(json.dumps(asked) + "\n")
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The nursery of kernels has ended, with {self.process.wait()}.")
        return json.loads(answer)


class ForkedProcess:
    """A kernel's process: what a provisioner asks of a ``Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, nursery: Nursery, command: list[str], cwd: str, env: dict[str, str]) -> None:
        self.nursery = nursery
        self.pid = nursery.ask(command=command, folder=str(cwd), environment=env)
        self.returncode = None

    def poll(self) -> int | None:
        """The code that it ended with; None while it runs."""
        if self.returncode is None:
            self.returncode = self.nursery.ask(poll=self.pid)
        return self.returncode

    def wait(self) -> int:
        """The code that it ended with, once it has."""
        if self.returncode is None:
            self.returncode = self.nursery.ask(wait=self.pid)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To this process alone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """At once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class ForkingProvisioner(LocalProvisioner):
    """As for kernels on this machine, but for where their process comes from."""

    nursery: Nursery

    async def launch_kernel(self, cmd, **kwargs):
        """Fork a kernel that runs ``cmd``."""
        self.process = ForkedProcess(self.nursery, cmd, kwargs["cwd"], kwargs["env"])
        self.pid = self.pgid = self.process.pid  # it leads a session
        self.cwd = kwargs["cwd"]
        return self.connection_info


class ForkingManager(AsyncKernelManager):
    """A manager of a Python kernel that is forked from its nursery."""

    nursery: Nursery

    def __init__(self, **traits) -> None:
        super().__init__(**traits)
        self.provisioner = ForkingProvisioner(kernel_spec=self.kernel_spec, parent=self)
        self.provisioner.nursery = self.nursery


def managers(nursery: Nursery) -> type[ForkingManager]:
    """The class of managers whose kernels are forked from this nursery."""
    return type("ForkingManager", (ForkingManager,), {"nursery": nursery})
