"""Networks in files at work, each made by the test: layouts, integers, outputs, pooling, tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embed import Encoder, EncoderError, EncoderUnavailable, stored_spec
from embed.encoders.registry import encoder_spec
from embed.model_files.front_end import front_end_constants, read_parts
from tests.support.model_files import (
    name_of,
    open_here,
    save_onnx,
    save_spectrum,
    write_card,
)

N = 4096
SOUND = np.random.default_rng(2).normal(0, 0.1, (3, N)).astype(np.float32)
WAVES = "sample_rate = 16000\nparts = 1\nlevel_power = 0\n"
MEL = "[log_mel]\nn_fft = 512\nhop = 160\nmels = 16\n"
MEL_WINDOW = f"window_samples = {19 * 160 + 512}\n"


def _bands(path: Path, layout: Sequence[str], weights: NDArray[np.float32], **given: Any) -> Path:
    """Write a network from 20 frames of 16 bands, in a layout, to their mean times weights."""
    from onnx import helper

    lengths: dict[str, Any] = {"batch": "n", "channel": 1, "time": 20, "mel": 16} | given
    order = [axis for axis in ("batch", "channel", "time", "mel") if axis in layout]
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[layout.index(axis) for axis in order]),
        helper.make_node("Reshape", ["t", "shape"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["y"]),
    ]
    return save_onnx(
        path,
        nodes,
        reads=("x", [lengths[axis] for axis in layout]),
        gives={"y": ["n", weights.shape[1]]},
        weights={"shape": np.array([-1, 20, 16], dtype=np.int64), "weights": weights},
    )


@pytest.mark.parametrize(
    "layout",
    [
        ("batch", "time", "mel"),
        ("batch", "mel", "time"),
        ("batch", "channel", "mel", "time"),
        ("batch", "time", "mel", "channel"),
        ("mel", "time"),
    ],
)
def test_every_layout_gives_the_same(layout: tuple[str, ...], tmp_path: Path) -> None:
    weights = np.random.default_rng(1).normal(size=(16, 5)).astype(np.float32)
    model = _bands(tmp_path / "bands.onnx", layout, weights)
    write_card(model, WAVES + MEL_WINDOW + MEL)
    encoder = open_here(model, tmp_path)
    windows = SOUND[:, : 19 * 160 + 512]
    assert encoder.spec.model_file is not None
    card = encoder.spec.model_file.card
    mel = read_parts(windows, front_end_constants(card), card=card)[:, 0]
    wanted = mel.mean(axis=1) @ weights
    np.testing.assert_allclose(encoder.embed_windows(windows), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_parts_go_through_in_whatever_batches_the_network_reads(
    batch: int | str, tmp_path: Path
) -> None:
    model = save_spectrum(tmp_path / "waves.onnx", 1024, batch=batch)
    write_card(model, "sample_rate = 16000\nparts = 6\nhop_samples = 600\nlevel_power = 0\n")
    encoder = open_here(model, tmp_path)
    one = save_spectrum(tmp_path / "one.onnx", 1024, batch=1)
    write_card(one, f"{WAVES}window_samples = 1024\n")
    alone = open_here(one, tmp_path)
    parts = encoder.embed_parts(SOUND)
    assert parts.shape == (3, 6, 6)
    for k in range(6):
        cut = SOUND[:, 600 * k : 600 * k + 1024]
        np.testing.assert_allclose(parts[:, k], alone.embed_windows(cut), rtol=1e-5)


def _many(path: Path) -> Path:
    """Write a network of three outputs: (n, 4, 32) as it hears, (n, 32, 4), and (n, 4) scores."""
    from onnx import helper

    rng = np.random.default_rng(4)
    nodes = [
        helper.make_node("Conv", ["x", "filters"], ["heard"], strides=[128]),
        helper.make_node("Abs", ["heard"], ["channels"]),
        helper.make_node("Transpose", ["channels"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("ReduceMax", ["channels"], ["scores"], axes=[2], keepdims=0),
    ]
    return save_onnx(
        path,
        nodes,
        reads=("x", ["n", 1, N]),
        gives={"channels": ["n", 4, 32], "frames": ["n", 32, 4], "scores": ["n", 4]},
        weights={"filters": rng.normal(size=(4, 1, 128)).astype(np.float32)},
    )


def _open(model: Path, text: str, root: Path) -> Encoder:
    write_card(model, text)
    return open_here(model, root)


def test_the_rest_of_an_output_is_pooled_as_the_card_says(tmp_path: Path) -> None:
    model = _many(tmp_path / "many.onnx")

    def given(output: str) -> NDArray[np.float32]:
        return _open(model, f"{WAVES}[output]\n{output}\n", tmp_path).embed_windows(SOUND)

    frames = given('name = "frames"\npool = "none"').reshape(3, 32, 4)
    wanted = {
        'name = "frames"': frames.mean(axis=1),
        'name = "frames"\npool = "max"': frames.max(axis=1),
        'name = "frames"\npool = "first"': frames[:, 0],
        'name = "frames"\npool = "last"': frames[:, -1],
        'name = "frames"\naxis = 0': frames.mean(axis=2),
        'name = "channels"\naxis = 0': frames.mean(axis=1),
        'name = "channels"\naxis = -2\npool = "max"': frames.max(axis=1),
        'name = "scores"': frames.max(axis=1),
    }
    for output, values in wanted.items():
        np.testing.assert_allclose(given(output), values, rtol=1e-5, err_msg=output)
    with pytest.raises(EncoderError, match="no axis 2 beside the batch"):
        given('name = "frames"\naxis = 2')


def test_an_output_that_is_tags_is_scored_by_name(tmp_path: Path) -> None:
    model = _many(tmp_path / "many.onnx")
    (tmp_path / "names.txt").write_text("drums\nflute\n\nharp\nvoice\n", encoding="utf-8")
    (tmp_path / "names.csv").write_text(
        'index,display_name\n0,drums\n1,"flute, low"\n2,harp\n3,voice\n', encoding="utf-8"
    )
    outputs = '[[output]]\nname = "frames"\n[[output]]\nname = "scores"\n'
    tags = '[tags]\noutput = "scores"\nfile = "names.'
    encoder = _open(model, f'{WAVES}{outputs}{tags}txt"\n', tmp_path)
    assert encoder.tags == ("drums", "flute", "harp", "voice")
    embeddings = encoder.embed_windows(SOUND)
    assert embeddings.shape == (3, 8)
    logits = embeddings[:, 4:]
    np.testing.assert_allclose(encoder.tag_scores(embeddings), 1 / (1 + np.exp(-logits)), rtol=1e-5)
    soft = _open(model, f'{WAVES}{outputs}{tags}csv"\nactivation = "softmax"\n', tmp_path)
    assert soft.tags[1] == "flute, low"
    np.testing.assert_allclose(soft.tag_scores(embeddings).sum(axis=1), 1, rtol=1e-5)
    plain = _open(model, f'{WAVES}{outputs}{tags}csv"\nactivation = "none"\n', tmp_path)
    np.testing.assert_allclose(plain.tag_scores(embeddings), np.clip(logits, 0, 1))
    (tmp_path / "names.txt").write_text("drums\nflute\nharp\n", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"names.txt has 3 names, and the output 4"):
        _open(model, f'{WAVES}{outputs}{tags}txt"\n', tmp_path)
    with pytest.raises(EncoderUnavailable, match=r"nowhere.txt can't be read"):
        _open(model, WAVES + outputs + tags.replace("names.", 'nowhere.txt"\n'), tmp_path)


def test_integers_stand_for_what_the_card_says(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [
        helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["real"]),
        helper.make_node("Unsqueeze", ["real", "one"], ["wide"]),
        helper.make_node("Conv", ["wide", "filters"], ["heard"], strides=[8]),
        helper.make_node("Abs", ["heard"], ["level"]),
        helper.make_node("ReduceMean", ["level"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("QuantizeLinear", ["mean", "y_scale", "y_zero"], ["y"]),
    ]
    filters = np.random.default_rng(0).normal(size=(6, 1, 64)).astype(np.float32)
    weights = {
        "scale": np.float32(0.004),
        "zero": np.uint8(120),
        "one": np.array([1], dtype=np.int64),
        "filters": filters,
        "y_scale": np.float32(0.01),
        "y_zero": np.uint8(3),
    }
    model = save_onnx(
        tmp_path / "q.onnx",
        nodes,
        reads=("x", [1, N]),
        gives={"y": [1, 6]},
        weights={name: np.asarray(one) for name, one in weights.items()},
        reads_type="UINT8",
        gives_type="UINT8",
    )
    said = "[input]\nscale = 0.004\nzero_point = 120\n[output]\nscale = 0.01\nzero_point = 3\n"
    ours = _open(model, WAVES + said, tmp_path).embed_windows(SOUND)
    exact = save_spectrum(tmp_path / "exact.onnx", N)
    wanted = _open(exact, WAVES, tmp_path).embed_windows(SOUND)
    np.testing.assert_allclose(ours, wanted, atol=0.02)
    wrong = said.replace("0.004", "0.00001")
    constant = _constant(tmp_path / "constant.onnx", "UINT8")
    with pytest.raises(EncoderError, match=r"beyond what 8-bit integers of \[input\] scale 1e-05"):
        _open(constant, WAVES + wrong, tmp_path)


def _constant(path: Path, kind: str = "FLOAT") -> Path:
    """Write a network that gives the same for all sound."""
    from onnx import helper

    nodes = [
        helper.make_node("Cast", ["x"], ["real"], to=1),
        helper.make_node("Mul", ["real", "none"], ["zero"]),
        helper.make_node("ReduceMean", ["zero"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Add", ["mean", "bias"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["y"], to=1 if kind == "FLOAT" else 2),
    ]
    weights = {"none": np.array(0, np.float32), "bias": np.ones((1, 6), np.float32)}
    return save_onnx(
        path,
        nodes,
        reads=("x", [1, N]),
        gives={"y": [1, 6]},
        weights=weights,
        reads_type=kind,
        gives_type=kind,
    )


def _one_node(path: Path, *nodes: Any, **weights: Any) -> Path:
    """Write a network from (n, N) to (n, 6) that ends in some nodes, from `six`."""
    from onnx import helper

    rng = np.random.default_rng(0)
    first = helper.make_node("MatMul", ["x", "weights"], ["six"])
    arrays = {"weights": rng.normal(size=(N, 6)).astype(np.float32)}
    arrays |= {name: np.asarray(one, np.float32) for name, one in weights.items()}
    return save_onnx(
        path, [first, *nodes], reads=("x", ["n", N]), gives={"y": ["n", 6]}, weights=arrays
    )


def test_a_network_that_does_not_hear_is_found_and_the_card_suspected(tmp_path: Path) -> None:
    from onnx import helper

    node = helper.make_node
    cases: list[tuple[Path, str]] = [
        (_constant(tmp_path / "constant.onnx"), "the same for silence and noise, so it does not"),
        (
            _one_node(tmp_path / "nan.onnx", node("Log", ["six"], ["y"])),
            "gives NaN or infinity for silence",
        ),
        (
            _one_node(tmp_path / "large.onnx", node("Mul", ["six", "by"], ["y"]), by=1e7),
            "and up to 65504 is stored",
        ),
        (
            _one_node(
                tmp_path / "random.onnx",
                node("RandomNormalLike", ["six"], ["noise"]),
                node("Add", ["six", "noise"], ["y"]),
            ),
            "gives other numbers each time for silence",
        ),
    ]
    for model, said in cases:
        with pytest.raises(EncoderError, match=said) as raised:
            _open(model, WAVES, tmp_path)
        message = str(raised.value)
        assert f"{model} (its card {model}.toml)" in message
        assert "It was given numbers from" in message
        assert "at 16000 Hz" in message
    assert not list((tmp_path / "encoders").glob("[!.]*")), "nothing is left of what is refused"


def test_a_network_that_the_runtime_cant_open_or_run_is_told(tmp_path: Path) -> None:
    from onnx import helper

    unknown = _one_node(tmp_path / "unknown.onnx", helper.make_node("Nonesuch", ["six"], ["y"]))
    with pytest.raises(EncoderError, match=r"can't be opened: .*Nonesuch"):
        _open(unknown, WAVES, tmp_path)
    shape = np.array([7, 7], np.float32)
    node = helper.make_node("Add", ["six", "other"], ["y"])
    fails = _one_node(tmp_path / "fails.onnx", node, other=np.ones((3, 7)))
    with pytest.raises(EncoderError, match=r"can't be opened|fails with an input of shape"):
        _open(fails, WAVES, tmp_path)
    assert shape.size


def test_another_network_may_be_the_front_end(tmp_path: Path) -> None:
    from onnx import helper

    rng = np.random.default_rng(6)
    nodes = [
        helper.make_node("Unsqueeze", ["x", "one"], ["wide"]),
        helper.make_node("Conv", ["wide", "filters"], ["heard"], strides=[200]),
        helper.make_node("Abs", ["heard"], ["bands"]),
        helper.make_node("Transpose", ["bands"], ["y"], perm=[2, 0, 1]),
    ]
    filters = rng.normal(size=(16, 1, 200)).astype(np.float32)
    save_onnx(
        tmp_path / "front.onnx",
        nodes,
        reads=("x", ["n", "samples"]),
        gives={"y": ["time", "n", 16]},
        weights={"one": np.array([1], np.int64), "filters": filters},
    )
    weights = rng.normal(size=(16, 5)).astype(np.float32)
    model = _bands(tmp_path / "bands.onnx", ("batch", "time", "mel"), weights)
    card = (
        f"{WAVES}window_samples = 4000\n[front_end]\nfile = 'front.onnx'\nscale = 0.5\n"
        "offset = 2\n[input]\ngain = 100\nlayout = ['batch', 'time', 'mel']\n"
    )
    encoder = _open(model, card, tmp_path)
    cut = 100 * SOUND[:, :4000].reshape(3, 20, 200)
    bands = 0.5 * np.abs(cut @ filters[:, 0].T) + 2
    wanted = bands.mean(axis=1) @ weights
    np.testing.assert_allclose(encoder.embed_windows(SOUND[:, :4000]), wanted, rtol=1e-3, atol=1e-3)
    with pytest.raises(EncoderError, match=r"window_samples is wrong, or the layout"):
        _open(model, card.replace("4000", "3000"), tmp_path)
    before = encoder_spec(name_of(model)).locate().sha256
    save_onnx(
        tmp_path / "front.onnx",
        nodes,
        reads=("x", ["n", "samples"]),
        gives={"y": ["time", "n", 16]},
        weights={"one": np.array([1], np.int64), "filters": 2 * filters},
    )
    assert encoder_spec(name_of(model)).locate().sha256 != before
    (tmp_path / "front.onnx").unlink()
    with pytest.raises(EncoderUnavailable, match=r"front.onnx can't be read"):
        encoder_spec(name_of(model))


def test_songs_are_embedded_by_the_card_that_was_copied(tmp_path: Path) -> None:
    model = save_spectrum(tmp_path / "waves.onnx", N)
    encoder = _open(model, f"{WAVES}hop_samples = 2048\n", tmp_path)
    write_card(model, WAVES)
    assert encoder_spec(name_of(model)).grid.step_samples == N
    kept = stored_spec(name_of(model), encoder.fingerprint, root=tmp_path)
    assert kept.grid == encoder.spec.grid != encoder_spec(name_of(model)).grid
    assert stored_spec(name_of(model), "0" * 16, root=tmp_path).grid.step_samples == N
    model.unlink()
    with pytest.raises(EncoderUnavailable, match=r"waves.onnx can't be read"):
        encoder_spec(name_of(model))
    assert stored_spec(name_of(model), encoder.fingerprint, root=tmp_path).grid == kept.grid


def test_musicnn_as_a_tensorflow_lite_file_gives_musicnns_numbers(
    compiled: Path, tmp_path: Path
) -> None:
    """What the compiler has written is such a file; the card has musicnn's front end."""
    import shutil

    from embed import load_encoder

    (path,) = compiled.glob("encoders/*/model.tflite")
    model = tmp_path / "musicnn.tflite"
    shutil.copy(path, model)
    write_card(
        model,
        'sample_rate = 16000\n[input]\nlayout = ["batch", "time", "mel"]\n[log_mel]\nn_fft = 512\n'
        'hop = 256\nmels = 96\nlog = "log10"\ngain = 10000\nfloor = 1\n',
    )
    encoder = open_here(model, tmp_path)
    musicnn = load_encoder("musicnn", root=compiled)
    assert encoder.spec.grid.window_samples == musicnn.spec.grid.window_samples
    rng = np.random.default_rng(0)
    windows = rng.normal(0, 0.1, (2, musicnn.spec.grid.window_samples)).astype(np.float32)
    np.testing.assert_allclose(
        encoder.embed_windows(windows), musicnn.embed_windows(windows), rtol=1e-4, atol=1e-5
    )
