"""What a card says, what it may leave out, and how it is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from embed import EncoderError, EncoderUnavailable, encoder_spec
from embed.model_files.card import Card, LogMel
from embed.model_files.card_reading import EXAMPLE_CARD, read_card
from embed.model_files.model_file import card_from_json, card_to_json
from tests.support.model_files import Shape, name_of, save_onnx, write_card

MEL = "[log_mel]\nn_fft = 512\nhop = 160\nmels = 64\n"


def _model(
    path: Path, shape: Shape, gives: dict[str, Shape] | None = None, kind: str = "FLOAT"
) -> Path:
    """Write a file of these shapes; it is not run."""
    from onnx import helper

    outputs = gives or {"y": ["n", 8]}
    nodes = [helper.make_node("Identity", ["x"], [name]) for name in outputs]
    return save_onnx(path, nodes, reads=("x", shape), gives=outputs, reads_type=kind)


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    return _model(tmp_path / "waves.onnx", ["n", "samples"])


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    return _model(tmp_path / "patches.onnx", ["n", 1, 96, 64])


def _card(model: Path, text: str) -> Card:
    write_card(model, text)
    return read_card("onnx", model)


def test_the_example_is_a_card(patches: Path) -> None:
    model = _model(patches.with_name("named.onnx"), ["n", 96, 64], {"embeddings": ["n", 8]})
    card = _card(model, EXAMPLE_CARD)
    assert card.rate_hz == 16000
    assert (card.window_samples, card.hop_samples, card.parts) == (15712, 7680, 6)
    assert card.log_mel is not None
    assert (card.log_mel.scale_kind, card.log_mel.norm, card.log_mel.power) == ("htk", "none", 1)
    assert card.input.layout == ("batch", "time", "mel")
    assert card_from_json(card_to_json(card)) == card


def test_lengths_are_said_in_samples_or_seconds(waves: Path) -> None:
    seconds = _card(waves, "sample_rate = 44100\nwindow_s = 1.5\nhop_s = 0.75\n")
    samples = _card(waves, "sample_rate = 44100\nwindow_samples = 66150\nhop_samples = 33075\n")
    assert seconds == samples
    assert (seconds.window_samples, seconds.hop_samples, seconds.parts) == (66150, 33075, 4)
    grid = encoder_spec(name_of(waves)).grid
    assert (grid.rate_hz, grid.n_parts, grid.step_samples) == (44100, 4, 4 * 33075)
    assert grid.window_samples == 3 * 33075 + 66150


def test_the_files_shape_says_what_the_card_leaves_out(tmp_path: Path, patches: Path) -> None:
    card = _card(patches, f"sample_rate = 16000\n{MEL}")
    assert card.window_samples == 95 * 160 + 512
    assert card.hop_samples == card.window_samples
    assert card.input.layout == ("batch", "channel", "time", "mel")
    assert [one.name for one in card.outputs] == ["y"]
    shapes: list[tuple[Shape, tuple[str, ...]]] = [
        ([48000], ("time",)),
        ([1, 48000], ("batch", "time")),
        (["n", 1, 48000], ("batch", "channel", "time")),
        (["n", 48000, 1], ("batch", "time", "channel")),
    ]
    for k, (shape, layout) in enumerate(shapes):
        card = _card(_model(tmp_path / f"{k}.onnx", shape), "sample_rate = 48000\n")
        assert (card.input.layout, card.window_samples) == (layout, 48000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sample_rate is missing"),
        ("sample_rate = 16000\n", "window_samples .or window_s. is missing"),
        ("sample_rate = 16000.5\nwindow_s = 1\n", "sample_rate is 16000.5; it must be a whole"),
        ("sample_rate = 16\nwindow_s = 10\n", "sample_rate must be from 1000 to 768000"),
        ("sample_rate = 16000\nwindow_s = 600\n", "window_samples must be from 16 to 960000"),
        ("sample_rate = 16000\nwindow_s = nan\n", "window_s is nan"),
        ("sample_rate = 16000\nwindow_s = 1\nwindow_samples = 16000\n", "say the same"),
        ("sample_rate = 16000\nwindow_s = 1\nhop_samples = 0\n", "hop_samples must be above 0"),
        ("sample_rate = 16000\nwindow_s = 1\nhop_samples = 1\n", "hop_samples must be from a 64th"),
        ("sample_rate = 16000\nwindow_s = 1\nparts = 99\n", "parts must be from 1 to 64"),
        ("sample_rate = 16000\nwindow_s = 1\nwidnow = 3\n", "'widnow' is unknown; there are"),
        ("sample_rate = 16000\nwindow_s = 1\n[input]\ngian = 2\n", r"\[input\] 'gian' is unknown"),
        ("sample_rate = 16000\nwindow_s = 1\ninput = 3\n", r"\[input\] must be a table"),
        ("sample_rate = 16000\nwindow_s = 1\n[input]\nscale = 0.1\n", "scale is for integers"),
        ("sample_rate = 16000\nwindow_s = 1\n[input]\nlayout = ['time']\n", "layout has 1 axes"),
        (
            "sample_rate = 16000\nwindow_s = 1\n[input]\nlayout = ['batch', 'mel']\n",
            "there is no front end",
        ),
        ("sample_rate = 16000\nwindow_s = 1\n[output]\nname = 'z'\n", "name is 'z': it says which"),
        ("sample_rate = 16000\nwindow_s = 1\n[output]\npool = 'sum'\n", "pool is 'sum'; there are"),
        ("sample_rate = 16000\nwindow_s = 1\n[tags]\nfile = '../x'\n", "a file beside the card"),
        (
            "sample_rate = 16000\nwindow_s = 1\n[tags]\nfile = 'x'\noutput = 'z'\n",
            "output is 'z', which is not in",
        ),
        ("sample_rate = 16000\nwindow_s = 1\n[front_end]\nscale = 2\n", "file is missing"),
        ("sample_rate = ", "Invalid value"),
        ("x = " + "[" * 5000, "wrong: "),
    ],
    ids=range(23),
)
def test_a_wrong_card_is_refused_with_what_is_wrong(waves: Path, text: str, said: str) -> None:
    with pytest.raises(EncoderError, match=said) as raised:
        _card(waves, text)
    assert f"The card {waves}.toml is wrong" in str(raised.value)


@pytest.mark.parametrize(
    ("mel", "said"),
    [
        ("n_fft = 512\nhop = 160\n", "mels is missing"),
        ("n_fft = 512\nhop = 160\nmels = 64\nfloor = 0\n", "logarithm of silence"),
        (
            "n_fft = 512\nhop = 160\nmels = 64\nmel = 'bark'\n",
            "mel is 'bark'; there are slaney, htk",
        ),
        ("n_fft = 512\nhop = 160\nmels = 64\nfmax = 9000\n", "half of the sample rate, 8000"),
        ("n_fft = 512\nhop = 160\nmels = 64\nwindow = 900\n", "at most n_fft, 512"),
        ("n_fft = 512\nhop = 160\nmels = 64\npower = 3\n", "power must be 1 or 2"),
        ("n_fft = 512\nhop = 160\nmels = 64\nscale = 0\n", "scale must not be 0"),
        ("n_fft = 512\nhop = 160\nmels = 64\ntop_db = 80\n", "top_db goes with"),
        ("n_fft = 512\nhop = 160\nmels = 64\ncenter = 1\n", "it must be true or false"),
        ("n_fft = 512\nhop = 160\nmels = 128\n", "which is not STFT frames of 128 mel bands"),
    ],
    ids=range(10),
)
def test_a_wrong_front_end_is_refused(patches: Path, mel: str, said: str) -> None:
    with pytest.raises(EncoderError, match=said):
        _card(patches, f"sample_rate = 16000\n[log_mel]\n{mel}")


def test_a_window_of_other_frames_than_the_network_reads_is_told(patches: Path) -> None:
    with pytest.raises(
        EncoderError, match="not 95 STFT frames of 64 mel bands; window_samples = 15712 gives 96"
    ):
        _card(patches, f"sample_rate = 16000\nwindow_samples = 15600\n{MEL}")


def test_a_layout_that_may_be_two_is_asked_for(tmp_path: Path) -> None:
    square = _model(tmp_path / "square.onnx", ["n", 64, 64])
    text = f"sample_rate = 16000\nwindow_samples = {63 * 160 + 512}\n"
    with pytest.raises(EncoderError, match=r'"batch", "time", "mel".* or .*"batch", "mel", "time"'):
        _card(square, text + MEL)
    card = _card(square, f'{text}[input]\nlayout = ["batch", "mel", "time"]\n{MEL}')
    assert card.input.layout == ("batch", "mel", "time")


def test_of_several_outputs_the_embedding_is_asked_for(tmp_path: Path) -> None:
    gives: dict[str, Shape] = {"scores": ["n", 50], "embedding": ["n", 8]}
    model = _model(tmp_path / "two.onnx", ["n", 16000], gives)
    with pytest.raises(EncoderError, match=r"name is missing.*scores \(\?, 50\).*embedding"):
        _card(model, "sample_rate = 16000\n")
    text = 'sample_rate = 16000\n[[output]]\nname = "embedding"\n[[output]]\nname = "scores"\n'
    assert [one.name for one in _card(model, text).outputs] == ["embedding", "scores"]
    with pytest.raises(EncoderError, match=r"\[tags\] output is missing"):
        _card(model, f"{text}[tags]\nfile = 'names.txt'\n")


def test_integers_must_be_told_what_they_stand_for(tmp_path: Path) -> None:
    model = _model(tmp_path / "q.onnx", [1, 16000], kind="UINT8")
    with pytest.raises(EncoderError, match=r"\[input\] scale and zero_point are missing"):
        _card(model, "sample_rate = 16000\n")
    card = _card(model, "sample_rate = 16000\n[input]\nscale = 0.01\nzero_point = 128\n")
    assert (card.input.scale, card.input.zero_point) == (0.01, 128)


def test_a_network_without_a_card_is_told_by_its_shapes_or_refused(
    tmp_path: Path, waves: Path
) -> None:
    gives: dict[str, Shape] = {"note": ["n", 172, 88], "contour": ["n", 172, 264]}
    known = read_card("onnx", _model(tmp_path / "known.onnx", ["n", 43844, 1], gives))
    assert (known.rate_hz, known.window_samples) == (22050, 43844)
    assert [one.name for one in known.outputs] == ["contour"]
    assert "has no card; its shapes are basic-pitch's" in known.told[0]
    with pytest.raises(EncoderError, match="no network that is known here") as raised:
        read_card("onnx", waves)
    message = str(raised.value)
    assert f"Write {waves}.toml, such as" in message
    assert raised.value.__notes__ == [EXAMPLE_CARD]
    assert "reads x (?, ?) of float32" in message


def test_the_fingerprint_covers_file_and_card_but_not_their_words(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.onnx", [1, 16000])
    name, text = name_of(model), "sample_rate = 16000\n"

    def fingerprint() -> str:
        spec = encoder_spec(name)
        return spec.fingerprint(spec.locate())

    write_card(model, text)
    first = fingerprint()
    write_card(model, f'# A comment.\n{text}credit = "somebody"\nlicence = "MIT"\n')
    assert fingerprint() == first
    assert encoder_spec(name).credit == "somebody; MIT"
    write_card(model, f"{text}[input]\ngain = 2\n")
    assert fingerprint() != first
    write_card(model, f"{text}level_power = 0\n")
    assert fingerprint() != first
    write_card(model, text)
    assert fingerprint() == first
    _model(model, [1, 16000], {"z": ["n", 8]})
    assert fingerprint() != first


def test_to_look_one_up_imports_no_runtime(patches: Path) -> None:
    write_card(patches, f"sample_rate = 16000\n{MEL}")
    code = (
        "import embed, json, sys; embed.encoder_spec(sys.argv[1]); "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    command = [sys.executable, "-c", code, name_of(patches)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heavy = {"onnxruntime", "onnx", "ai_edge_litert", "librosa", "scipy", "tensorflow"}
    assert not heavy & set(json.loads(done.stdout))


def test_a_card_that_cant_be_read_is_unavailable(waves: Path) -> None:
    waves.with_name(f"{waves.name}.toml").mkdir()
    with pytest.raises(EncoderUnavailable, match=r"The card .* can't be read"):
        read_card("onnx", waves)


def test_a_log_mel_knows_its_defaults() -> None:
    assert LogMel(n_fft=512, hop=160, mels=64).log == "ln"
