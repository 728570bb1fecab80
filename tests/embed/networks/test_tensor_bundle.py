"""Checkpoints of TensorFlow against its own reader, and what only looks like one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from embed.networks import musicnn, vgg
from embed.networks.tensor_bundle import _crc32c, read_tensor_bundle
from tests.support.encoder_models import run_tensorflow

CHECKPOINTS = (musicnn.MSD, musicnn.MTT, vgg.MSD, vgg.MTT)
COMPARE = """
import json, sys
import numpy as np
from pathlib import Path
from tensorflow.python.training import py_checkpoint_reader
from embed.networks.tensor_bundle import read_tensor_bundle
answers = {}
for folder in sys.argv[1:]:
    ours = read_tensor_bundle(Path(folder), "", lambda name: True)
    reader = py_checkpoint_reader.NewCheckpointReader(f"{folder}/")
    theirs = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    assert ours.keys() == theirs.keys()
    for name, numbers in theirs.items():
        assert ours[name].dtype == numbers.dtype and ours[name].shape == numbers.shape, name
        assert np.array_equal(ours[name], numbers), name
    answers[folder] = len(ours)
print(json.dumps(answers))
"""


@pytest.mark.long
def test_every_tensor_is_what_tensorflow_reads() -> None:
    counts = run_tensorflow(COMPARE, *(str(one.locate().path) for one in CHECKPOINTS))
    assert min(counts.values()) > 50


def test_only_what_is_wanted_is_read() -> None:
    folder = musicnn.MSD.locate().path
    read = read_tensor_bundle(folder, "", lambda name: name.startswith("dense/"))
    assert {name: one.shape for name, one in read.items() if "Adam" not in name} == {
        "dense/bias": (200,),
        "dense/kernel": (1506, 200),
    }


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda index: index[:at] + bytes([index[at] ^ 1]) + index[at + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "half": lambda index: index[: len(index) // 2],
    "no end": lambda index: index[:-1],
    "a name": flipped(10),
    "a place": flipped(2000),
    "a checksum": flipped(4900 - 48),
    "the footer": flipped(-1 + 4948),
    "where the index is": flipped(4948 - 45),
    "too much": lambda index: bytes(10_000_001 - len(index)) + index,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_refused(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(musicnn.MSD.locate().path, folder)
    index = folder / ".index"
    index.write_bytes(DAMAGES[damage](index.read_bytes()))
    with pytest.raises(ValueError, match="index"):
        read_tensor_bundle(folder, "", lambda _: True)


def test_numbers_that_end_too_soon_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(musicnn.MSD.locate().path, folder)
    numbers = folder / ".data-00000-of-00001"
    numbers.write_bytes(numbers.read_bytes()[:1_000_000])
    with pytest.raises(ValueError, match="the tensor"):
        read_tensor_bundle(folder, "", lambda _: True)
    with pytest.raises(OSError, match="other"):
        read_tensor_bundle(folder, "other", lambda _: True)


def test_every_byte_of_the_index_is_guarded(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(musicnn.MSD.locate().path, folder)
    index = folder / ".index"
    whole = index.read_bytes()
    sound = read_tensor_bundle(folder, "", lambda _: True)
    for at in range(0, len(whole), 61):
        index.write_bytes(flipped(at)(whole))
        try:
            read = read_tensor_bundle(folder, "", lambda _: True)
        except ValueError:
            continue
        # In the footer, which has no checksum, some bytes say nothing.
        assert at >= len(whole) - 48
        for name, numbers in sound.items():
            np.testing.assert_array_equal(read[name], numbers)


def test_the_checksum_is_castagnolis() -> None:
    assert _crc32c(b"123456789") == 0xE3069283
