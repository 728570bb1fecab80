"""Every operation in LiteRT and in TensorFlow against NumPy, which computes it plainly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from embed.encoders.runtime import open_litert
from embed.graphs import operations as of
from embed.graphs.graph import Describe, GraphTensor, relu, trace
from embed.graphs.in_numpy import in_numpy
from embed.graphs.litert_file import litert_file
from tests.support.encoder_models import run_tensorflow

SHAPE = (1, 9, 8, 5)
"""An image: of one input, rows, columns, channels."""


def numbers(*shape: int) -> NDArray[np.float32]:
    random = np.random.default_rng(len(shape) + sum(shape))
    return random.normal(size=shape).astype(np.float32)


def of_matrices(x: GraphTensor) -> GraphTensor:
    product = of.batch_matmul(of.reshape(x, (-1, 8, 5)), numbers(9, 5, 3))  # nine images of a row
    return of.batch_matmul(numbers(1, 4, 72), of.reshape(product, (1, 72, 3)))


def by_stride(padding: of.Padding, stride: int) -> Describe:
    return lambda x: of.depthwise_conv_2d(x, numbers(4, 1, 5), stride=stride, padding=padding)


NETWORKS: dict[str, Describe] = {
    "sum of two": lambda x: x + x * numbers(5),
    "sum, rectified": lambda x: relu(x + numbers(8, 5)),
    "difference": lambda x: x - 2.0 * x,
    "difference from a constant": lambda x: x - numbers(5),
    "maximum": lambda x: of.maximum(x, x * -1),
    "absolute": of.absolute,
    "convolution": lambda x: of.conv_2d(x, numbers(3, 4, 5, 7)),
    "convolution, rectified": lambda x: relu(of.conv_2d(x, numbers(3, 3, 5, 7), numbers(7))),
    "convolution inside": lambda x: of.conv_2d(
        x, numbers(2, 3, 5, 7), strides=(2, 3), padding="VALID"
    ),
    "depthwise": by_stride("SAME", 1),
    "depthwise by 4": by_stride("SAME", 4),
    "depthwise inside": by_stride("VALID", 2),
    "pooling": lambda x: of.max_pool_2d(x, (3, 2), (2, 2)),
    "dense": lambda x: of.dense(x, numbers(5, 6)),
    "mean": lambda x: of.reduce_mean(x, [1, 2]),
    "largest": lambda x: of.reduce_max(x, [2]),
    "another shape": lambda x: of.reshape(x, (-1, 72, 5)),
    "another order": lambda x: of.transpose(x, (0, 3, 1, 2)),
    "zeros around": lambda x: of.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))),
    "part": lambda x: of.cut(x, 1, 2, 7),
    "some channels": lambda x: of.take(x, np.array([4, 0, 0]), axis=3),
    "side by side": lambda x: of.concatenate([x, of.cut(x, 3, 1, 3)], axis=3),
    "constant channels": lambda x: of.append_constants(x, numbers(2)),
    "one on the other": lambda x: of.stack([x, of.absolute(x)], axis=4),
}
IN_TENSORFLOW = """
import json
import numpy as np
from embed.graphs.in_numpy import in_numpy
from embed.graphs.in_tensorflow import in_tensorflow
from tests.embed.graphs.test_operations import NETWORKS, SHAPE, numbers
batch = numbers(3, *SHAPE[1:])
answers = {}
for name, network in NETWORKS.items():
    theirs = np.concatenate([in_numpy(network, one[np.newaxis]) for one in batch])
    ours = in_tensorflow(network, SHAPE)(batch).numpy()
    assert ours.shape == theirs.shape, name
    answers[name] = float(np.abs(ours - theirs).max())
print(json.dumps(answers))
"""


def in_litert(network: Describe, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What LiteRT makes of an input; all numbers in one row."""
    return open_litert(litert_file(network, x.shape), x.shape)(x).reshape(-1)


@pytest.mark.parametrize("name", NETWORKS)
def test_litert_computes_what_numpy_does(name: str) -> None:
    x = numbers(*SHAPE)
    plain = in_numpy(NETWORKS[name], x)
    assert plain.shape == trace(NETWORKS[name], SHAPE).output.shape
    assert np.ptp(plain) > 0.2
    np.testing.assert_allclose(in_litert(NETWORKS[name], x), plain.reshape(-1), atol=1e-5)


def test_products_of_many_matrices_are_those_of_numpy() -> None:
    x = numbers(*SHAPE)
    theirs = numbers(1, 4, 72) @ (x[0] @ numbers(9, 5, 3)).reshape(1, 72, 3)
    np.testing.assert_allclose(in_numpy(of_matrices, x), theirs, atol=1e-4)
    np.testing.assert_allclose(in_litert(of_matrices, x), theirs.reshape(-1), atol=1e-4)


@pytest.mark.long
def test_tensorflow_computes_several_inputs_as_numpy_does_one() -> None:
    differences = run_tensorflow(IN_TENSORFLOW)
    assert differences.keys() == NETWORKS.keys()
    assert max(differences.values()) < 1e-5


def test_what_the_output_does_not_need_is_left_out_and_order_is_kept() -> None:
    def network(x: GraphTensor) -> GraphTensor:
        late = x + numbers(5)
        of.absolute(late)
        early = of.absolute(x)
        return of.maximum(relu(late), early)

    graph = trace(network, SHAPE)
    kinds = [operation.kind for _, operation in graph.made]
    assert kinds == ["ABS", "ADD", "MAXIMUM"]  # the rectified sum came after
    assert trace(lambda x: x * np.ones(5), SHAPE).made == ()


def test_only_what_has_a_rectifier_of_its_own_is_rectified() -> None:
    with pytest.raises(ValueError, match="a sum or a convolution"):
        trace(lambda x: relu(of.absolute(x)), SHAPE)


def constants(network: Callable[[GraphTensor], GraphTensor]) -> list[bytes]:
    """The constants in a network's file, which begin at multiples of 16 bytes."""
    file = litert_file(network, SHAPE)
    model = schema.Model.GetRootAs(file)
    found = []
    for i in range(model.BuffersLength()):
        buffer = model.Buffers(i)
        if not buffer.DataIsNone():
            data = buffer.DataAsNumpy()
            start = np.frombuffer(file, np.uint8).ctypes.data
            assert (data.ctypes.data - start) % 16 == 0
            found.append(data.tobytes())
    return found


def test_equal_constants_are_written_once() -> None:
    assert constants(lambda x: x + numbers(5) + numbers(5)) == [numbers(5).tobytes()]
    assert len(constants(lambda x: x + numbers(5) + numbers(5) * 2)) == 2


def test_a_file_says_who_made_it() -> None:
    file = litert_file(of.absolute, SHAPE)
    assert file[4:8] == b"TFL3"
    assert schema.Model.GetRootAs(file).Description() == b"Seven Songs"


def test_an_option_that_the_schema_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of, "_UNDILATED", {"dilation": 1})
    with pytest.raises(AttributeError, match="Conv2DOptions has no dilation"):
        litert_file(NETWORKS["convolution"], SHAPE)
