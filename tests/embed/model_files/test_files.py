"""What model files say of themselves, and which are refused before a runtime opens them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embed import EncoderError, EncoderUnavailable
from embed.model_files.onnx_file import onnx_outline, require_plain_onnx
from embed.model_files.outline import ModelOutline
from embed.model_files.tflite_file import require_plain_tflite, tflite_outline
from tests.support.model_files import save_onnx, save_spectrum


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_spectrum(tmp_path_factory.mktemp("onnx") / "spectrum.onnx", 4096)


@pytest.fixture(scope="module")
def lite(compiled: Path) -> Path:
    """Musicnn as it was compiled: a TensorFlow Lite file."""
    (path,) = compiled.glob("encoders/*/model.tflite")
    return path


def _branching(path: Path, inner: Any) -> Path:
    """Write a network with `inner`, a node, in both branches of an If."""
    import onnx
    from onnx import helper

    out = helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [4])
    branch = helper.make_graph([inner], "branch", [], [out])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["yes"], to=onnx.TensorProto.BOOL),
        helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch),
    ]
    domains = [inner.domain] if inner.domain else []
    return save_onnx(path, nodes, reads=("x", [4]), gives={"y": [4]}, domains=domains)


def test_an_onnx_files_outline_is_what_the_package_onnx_reads(network: Path) -> None:
    import onnx

    model = onnx.load(network)
    outline = onnx_outline(network)
    for ours, theirs in (
        (outline.inputs, model.graph.input),
        (outline.outputs, model.graph.output),
    ):
        for mine, other in zip(ours, theirs, strict=True):
            dims = other.type.tensor_type.shape.dim
            assert mine.name == other.name
            assert mine.shape == tuple(one.dim_value or None for one in dims)
            assert mine.dtype == "float32"
    assert outline.inputs[0].shape == (None, 4096)


def test_a_tensorflow_lite_files_outline_is_what_litert_reads(lite: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(lite))
    outline = tflite_outline(lite)
    require_plain_tflite(lite)
    (reads,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert [one.name for one in outline.inputs] == [reads["name"]]
    assert [one.name for one in outline.outputs] == [gives["name"]]
    assert outline.inputs[0].shape == tuple(reads["shape"])
    assert outline.outputs[0].dtype == "float32"


def test_external_data_is_refused_wherever_it_is(tmp_path: Path) -> None:
    import onnx
    from onnx import helper

    whole = onnx.load(save_spectrum(tmp_path / "whole.onnx", 4096))
    outside = tmp_path / "outside.onnx"
    onnx.save(whole, outside, save_as_external_data=True, size_threshold=0, location="weights.bin")
    with pytest.raises(EncoderError, match=r"external data.*onnx\.save"):
        require_plain_onnx(outside)
    secret = helper.make_tensor("secret", onnx.TensorProto.FLOAT, [4], bytes(16), raw=True)
    onnx.external_data_helper.set_external_data(secret, "/etc/passwd")
    secret.data_location = onnx.TensorProto.EXTERNAL
    inner = helper.make_node("Constant", [], ["z"], value=secret)
    with pytest.raises(EncoderError, match="external data"):
        require_plain_onnx(_branching(tmp_path / "branch.onnx", inner))


def test_custom_operators_are_refused_wherever_they_are(tmp_path: Path) -> None:
    from onnx import helper

    node = helper.make_node("Run", ["x"], ["y"], domain="evil")
    given: dict[str, Any] = {"reads": ("x", [4]), "gives": {"y": [4]}, "domains": ["evil"]}
    top = save_onnx(tmp_path / "top.onnx", [node], **given)
    inner = helper.make_node("Run", ["x"], ["z"], domain="evil")
    function = helper.make_function(
        "own", "Outer", ["x"], ["y"], [node], [helper.make_opsetid("evil", 1)]
    )
    outer = helper.make_node("Outer", ["x"], ["y"], domain="own")
    within = save_onnx(tmp_path / "function.onnx", [outer], **(given | {"functions": [function]}))
    for path in (top, _branching(tmp_path / "branch.onnx", inner), within):
        with pytest.raises(EncoderError, match="custom operator 'Run' of 'evil'"):
            require_plain_onnx(path)


def test_a_function_of_the_files_own_is_no_custom_operator(tmp_path: Path) -> None:
    from onnx import helper

    inside = helper.make_node("Abs", ["x"], ["y"])
    function = helper.make_function(
        "own", "Louder", ["x"], ["y"], [inside], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Louder", ["x"], ["y"], domain="own")
    path = save_onnx(
        tmp_path / "own.onnx",
        [node],
        reads=("x", [4]),
        gives={"y": [4]},
        functions=[function],
        domains=["own"],
    )
    require_plain_onnx(path)


def _made_lite(path: Path, *, custom: bool = False, external: bool = False) -> Path:
    """Write a TensorFlow Lite file of one operator."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tensors = []
    for name in (b"x", b"y"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, [1, 4], schema.TensorType.FLOAT32
        tensors.append(tensor)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ABS
    if custom:
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"FlexEvil"
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0], [1], [operator]
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT()]
    if external:
        model.externalBuffers = [schema.ExternalBufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_a_tensorflow_lite_file_may_be_refused_too(tmp_path: Path) -> None:
    require_plain_tflite(_made_lite(tmp_path / "plain.tflite"))
    with pytest.raises(EncoderError, match="custom operator 'FlexEvil'"):
        require_plain_tflite(_made_lite(tmp_path / "custom.tflite", custom=True))
    with pytest.raises(EncoderError, match="weights are in another file"):
        require_plain_tflite(_made_lite(tmp_path / "external.tflite", external=True))


Reading = tuple[Callable[[Path], ModelOutline], Callable[[Path], None]]


@pytest.mark.parametrize("kind", ["onnx", "tflite"])
def test_damaged_files_are_read_or_refused(kind: str, network: Path, tmp_path: Path) -> None:
    whole = network if kind == "onnx" else _made_lite(tmp_path / "whole.tflite")
    reading: Reading = (onnx_outline, require_plain_onnx)
    if kind == "tflite":
        reading = (tflite_outline, require_plain_tflite)
    data, path = whole.read_bytes(), tmp_path / f"damaged.{kind}"
    rng = np.random.default_rng(5)
    n_refused = 0
    for trial in range(400):
        broken = bytearray(data)
        if trial % 3 == 0:
            del broken[int(rng.integers(1, len(broken))) :]
        for at in rng.integers(0, len(broken), trial % 5):
            broken[at] = int(rng.integers(256))
        path.write_bytes(bytes(broken))
        for read in reading:
            try:
                read(path)
            except EncoderError as error:
                n_refused += 1
                if str(path) not in str(error):
                    raise AssertionError("the message names no file") from error
    assert n_refused > 100


def test_what_is_no_file_of_its_kind_is_said_to_be_none(tmp_path: Path) -> None:
    text = tmp_path / "text"
    for content in (b"<html>not found</html>", b"\0" * 64, b"\x3a\x02\x08\x08"):
        text.write_bytes(content)
        with pytest.raises(EncoderError, match="no ONNX file"):
            onnx_outline(text)
        with pytest.raises(EncoderError, match="no TensorFlow Lite file"):
            tflite_outline(text)
    text.write_bytes(b"")
    with pytest.raises(EncoderError, match="0 bytes"):
        onnx_outline(text)
    with pytest.raises(EncoderUnavailable, match="can't be read"):
        onnx_outline(tmp_path / "nowhere")
    with pytest.raises(EncoderUnavailable, match="can't be read"):
        tflite_outline(tmp_path)
