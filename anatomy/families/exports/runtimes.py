"""What runs an exported file: onnxruntime, torch for TorchScript, OpenVINO. Each takes an input and gives tensors."""

import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import torch

from ...errors import CheckpointError

Values = Mapping[str, np.ndarray]


class Runtime(Protocol):
    """``run``: an input (B, C, H, W) to tensors by name; to the outputs, named "0", "1" …, where they have none."""

    def run(self, frame: np.ndarray) -> Values:
        """What the file makes of an input."""
        ...


class OnnxRuntime:
    """A session of onnxruntime on the CPU, with the threads that torch has; it gives the tensors asked for."""

    def __init__(self, content: bytes, image: str, wanted: Sequence[str], path: object):
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common class but Exception
            raise CheckpointError(
                f"onnxruntime {onnxruntime.__version__} cannot run {str(path)!r}: {first_line(error)}. "
                "Export with an older opset (opset=17), or update onnxruntime."
            ) from error
        self._image, self._wanted = image, list(dict.fromkeys(wanted))
        self._dtype = DTYPES[next(entry.type for entry in self._session.get_inputs() if entry.name == image)]

    def run(self, frame: np.ndarray) -> Values:
        """The tensors asked for, by name."""
        found = self._session.run(self._wanted, {self._image: frame.astype(self._dtype)})
        return {name: np.asarray(value) for name, value in zip(self._wanted, found, strict=True)}


class OnnxOutputs:
    """The outputs of an ONNX file alone; its session is made anew where it was copied or pickled."""

    def __init__(self, content: bytes, image: str, outputs: Sequence[str], path: object):
        self._settings = content, image, tuple(outputs), path
        self._session: OnnxRuntime | None = None

    def __getstate__(self) -> dict:
        return {**vars(self), "_session": None}

    def prepare(self) -> OnnxRuntime:
        """The session; CheckpointError where onnxruntime cannot make one."""
        self._session = self._session or OnnxRuntime(*self._settings)
        return self._session

    def run(self, frame: np.ndarray) -> Values:
        """The outputs, by name."""
        return self.prepare().run(frame)


DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
DTYPES |= {"tensor(uint8)": np.uint8}


class TorchScriptRuntime:
    """A TorchScript program; it gives its outputs alone."""

    def __init__(self, program: Any):
        self._program = program
        held = next((value for value in program.parameters() if value.is_floating_point()), None)
        self._dtype = torch.float32 if held is None else held.dtype

    def __reduce__(self) -> tuple:
        """A program is pickled as its archive."""
        archive = BytesIO()
        torch.jit.save(self._program, archive)
        return _program, (archive.getvalue(),)

    def run(self, frame: np.ndarray) -> Values:
        """The outputs, by their place."""
        with torch.inference_mode():
            found = self._program(torch.from_numpy(frame).to(self._dtype))
        parts = found if isinstance(found, list | tuple) else [found]
        return {str(place): part.float().numpy() for place, part in enumerate(parts)}


def _program(archive: bytes) -> TorchScriptRuntime:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return TorchScriptRuntime(torch.jit.load(BytesIO(archive), map_location="cpu").eval())


class OpenVinoRuntime:
    """A compiled OpenVINO model on the CPU; it gives its outputs alone."""

    def __init__(self, compiled: Any):
        self._compiled = compiled

    def run(self, frame: np.ndarray) -> Values:
        """The outputs, by their place."""
        found = self._compiled(frame)
        return {str(place): np.asarray(found[place]) for place in range(len(self._compiled.outputs))}


def first_line(error: BaseException) -> str:
    """The beginning of what an error says."""
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
