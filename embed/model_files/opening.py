"""Open the networks of model files; in worker processes, and once in the process that checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.errors import EncoderError, EncoderUnavailable
from embed.native_chatter import without_chatter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Call", "open_network"]

Call = Callable[["NDArray[Any]"], "list[NDArray[Any]]"]
"""From the array that a network reads to the outputs that were asked for."""


def open_network(kind: str, path: Path, outputs: Sequence[str] | None = None) -> Call:
    """Open a network for one thread: every worker has a core of its own.

    Parameters
    ----------
    kind : {'onnx', 'tflite'}
    path : path
    outputs : sequence of str, optional
        Their names, in the order in which they are given back; default: the first alone.

    Returns
    -------
    callable
        Raises EncoderError where the network fails.

    Raises
    ------
    EncoderUnavailable
        If the runtime is not installed.
    EncoderError
        If the runtime can't open the file.
    """
    opened = _open_onnx if kind == "onnx" else _open_tflite
    try:
        call = opened(path, outputs)
    except EncoderError:
        raise
    except Exception as error:  # the runtimes have no error class in common
        raise EncoderError(f"The network can't be opened: {_reason(error)}") from error

    def run(values: NDArray[Any]) -> list[NDArray[Any]]:
        try:
            return call(values)
        except Exception as error:
            raise EncoderError(
                f"The network fails with an input of shape {values.shape}: {_reason(error)}"
            ) from error

    return run


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


def _open_onnx(path: Path, outputs: Sequence[str] | None) -> Call:
    try:
        import onnxruntime
    except ImportError as error:
        raise EncoderUnavailable(
            f"onnx: needs ONNX Runtime ({error}): pip install 'sevensongs[onnx]', or with uv: uv "
            "sync --extra onnx."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised
    with without_chatter():
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    (input_,) = session.get_inputs()
    names = [session.get_outputs()[0].name] if outputs is None else list(outputs)
    return lambda values: [np.asarray(one) for one in session.run(names, {input_.name: values})]


def _open_tflite(path: Path, outputs: Sequence[str] | None) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    with without_chatter():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
    (input_,) = interpreter.get_input_details()
    details = interpreter.get_output_details()
    places = {one["name"]: one["index"] for one in details}
    wanted = [details[0]["index"]] if outputs is None else [places[name] for name in outputs]
    shape: tuple[int, ...] | None = None

    def call(values: NDArray[Any]) -> list[NDArray[Any]]:
        nonlocal shape
        if values.shape != shape:
            with without_chatter():
                interpreter.resize_tensor_input(input_["index"], values.shape, strict=True)
                interpreter.allocate_tensors()
            shape = values.shape
        interpreter.set_tensor(input_["index"], values)
        interpreter.invoke()
        return [np.array(interpreter.get_tensor(index)) for index in wanted]

    return call
