"""SavedModels: VGGish's path, models of every shape of output, and hubs and folders that fail."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import logging
import os
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from waiting import LONG_S

import embed
from tests.support.encoder_models import as_published, heard_parts, run_tensorflow, white_noise

# Every model hears a waveform (n,) and gives 128 numbers for each 0.96 s, by VGGish's framing: 96
# STFT frames of 400 samples every 160. Its weights are a fixed random projection of the log
# spectrogram.
MAKE_MODELS = """
import sys, numpy as np, tensorflow as tf

folder, waveform_file = sys.argv[1:]
waveforms = [tf.TensorSpec([None], tf.float32)]

class Model(tf.Module):
    def __init__(self, output, seed=0):
        super().__init__()
        random = np.random.default_rng(seed)
        self.projection = tf.Variable(random.normal(size=(257, 128)).astype(np.float32))
        self.output = output

    def embeddings(self, waveform):
        spectrum = tf.abs(tf.signal.stft(waveform, 400, 160, 512))
        frames = tf.signal.frame(tf.math.log(spectrum + 0.01), 96, 96, axis=0)  # (m, 96, 257)
        return tf.reduce_mean(frames, axis=1) @ self.projection

class Callable(Model):
    @tf.function(input_signature=waveforms)
    def __call__(self, waveform):
        return self.output(self.embeddings(waveform))

class Signed(Model):
    @tf.function(input_signature=waveforms)
    def serve(self, waveform):
        return {"output_0": self.embeddings(waveform)}

class TwoDimensional(Model):
    @tf.function(input_signature=[tf.TensorSpec([None, None, 64], tf.float32)])
    def __call__(self, spectrogram):
        return tf.reduce_mean(spectrogram, axis=0)

def through_text(e):
    # LiteRT has no built-in operators on strings
    largest = tf.reduce_max(e)
    return e * tf.strings.to_number(tf.strings.as_string(largest)) / largest

outputs = {
    "plain": lambda e: e,
    "dict": lambda e: {"scores": e[:, :3], "my_embeddings": e, "spectrogram": e[:, :5]},
    "dict_of_one": lambda e: {"whatever": e},
    "tuple": lambda e: (e[:, :3], e, e[:, :5]),
    "pair": lambda e: (e, e[:, :3]),
    "one_vector": lambda e: tf.reduce_mean(e, axis=0),
    "text": through_text,
    "unnamed": lambda e: {"left": e, "right": e},
    "strings": lambda e: tf.strings.as_string(e),
    "integers": lambda e: tf.cast(e, tf.int32),
    "scalar": lambda e: tf.reduce_mean(e),
    "any_width": lambda e: tf.boolean_mask(e[0], e[0] > 0)[tf.newaxis],
    "not_finite": lambda e: e / 0.0,
}
for name, output in outputs.items():
    tf.saved_model.save(Callable(output), f"{folder}/{name}")
signed = Signed(None)
tf.saved_model.save(signed, f"{folder}/signature", signatures={"serving_default": signed.serve})
tf.saved_model.save(TwoDimensional(None), f"{folder}/not_a_waveform")
tf.saved_model.save(tf.Module(), f"{folder}/nothing")
plain = Callable(outputs["plain"])
np.save(f"{folder}/expected.npy", plain(np.load(waveform_file)).numpy())
print("null")
"""
COMPILE_MODELS = """
import json, sys
from pathlib import Path
from embed import EmbedError, encoder_spec
from embed.encoders.compiler import compile_encoder

into, *models = sys.argv[1:]
answers = {}
for model in models:
    try:
        answers[model] = compile_encoder(encoder_spec(f"hub:{model}"), Path(into))
    except EmbedError as error:
        answers[model] = [type(error).__name__, str(error)]
print(json.dumps(answers))
"""
GOOD = ("plain", "dict", "dict_of_one", "tuple", "pair", "one_vector", "signature")
BAD = {
    "unnamed": "none is named an embedding",
    "strings": "string",
    "integers": "int32",
    "scalar": "without a fixed width",
    "any_width": "without a fixed width",
    "not_finite": "NaN or infinity",
    "not_a_waveform": "does not map a window of 48000 samples",
    "nothing": "no signature",
}
WAVEFORM = white_noise(10)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    np.save(folder / "waveform.npy", WAVEFORM)
    run_tensorflow(MAKE_MODELS, str(folder), str(folder / "waveform.npy"))
    return folder


@pytest.fixture(scope="module")
def expected(models: Path) -> NDArray[np.float32]:
    """What the plain model gives in TensorFlow for `WAVEFORM`: (10, 128)."""
    numbers: NDArray[np.float32] = np.load(models / "expected.npy")
    assert numbers.shape == (10, 128)
    return numbers


@pytest.fixture(scope="module")
def hub_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for this file's encoders."""
    return tmp_path_factory.mktemp("hub-cache")


@pytest.fixture(scope="module")
def answers(models: Path, hub_root: Path) -> dict[str, Any]:
    """What the compiler says of each model: its fingerprint, or the kind and text of an error."""
    names = (*GOOD, *BAD, "text")
    result = compiled_each([str(models / name) for name in names], hub_root)
    return dict(zip(names, result, strict=True))


def compiled_each(models: list[str], root: Path) -> list[Any]:
    """Compile several in one process, since TensorFlow takes long to start; return what it says."""
    answers = run_tensorflow(COMPILE_MODELS, str(root / "encoders"), *models)
    return [answers[model] for model in models]


@pytest.mark.long
@pytest.mark.parametrize("name", GOOD)
def test_models_of_every_kind_of_output(
    name: str, models: Path, hub_root: Path, answers: dict[str, Any], expected: NDArray[np.float32]
) -> None:
    encoder = as_published(embed.load_encoder(f"hub:{models / name}", root=hub_root))
    assert encoder.fingerprint == answers[name]
    assert _manifest(hub_root, answers[name])["runtime"] == "litert"
    assert (encoder.dim, encoder.tags) == (128, ())
    frames = encoder.embed(WAVEFORM)
    assert frames.shape == (3, 128)  # 3 s each, the mean of what the model gives of them
    np.testing.assert_allclose(
        frames[0], expected[:3].mean(axis=0), atol=1e-4 * float(np.abs(expected).max())
    )


def _manifest(root: Path, fingerprint: str) -> dict[str, Any]:
    text = (root / "encoders" / fingerprint / "manifest.json").read_text(encoding="utf-8")
    fields: dict[str, Any] = json.loads(text)
    return fields


@pytest.mark.long
@pytest.mark.parametrize("name", BAD)
def test_a_model_without_embeddings_is_refused(name: str, answers: dict[str, Any]) -> None:
    kind, message = answers[name]
    assert kind == "EncoderError"
    assert BAD[name] in message
    assert "in user code" not in message  # TensorFlow's way of showing a traceback
    assert "\n" not in message


@pytest.mark.long
def test_a_model_that_does_not_convert_runs_on_tensorflow_with_a_warning(
    models: Path,
    hub_root: Path,
    answers: dict[str, Any],
    expected: NDArray[np.float32],
    tracks: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = f"hub:{models / 'text'}"
    assert _manifest(hub_root, answers["text"])["runtime"] == "tensorflow"
    with caplog.at_level(logging.WARNING, logger="sevensongs"):
        prepared = embed.prepare_encoder(name, root=hub_root)
    assert (prepared.runtime, prepared.dim) == ("tensorflow", 128)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "runs on TensorFlow" in record.getMessage()
    assert "does not convert" in record.getMessage()
    # TensorFlow works in the worker, and is quiet there.
    done = sevensongs(hub_root, "embed", "--json", "--workers", "1", "--encoder", name, tracks[0])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["embedded"], report["fingerprint"]) == (1, answers["text"])
    assert [line for line in done.stderr.splitlines() if not line.startswith("sevensongs: ")] == []
    assert "runs on TensorFlow" in done.stderr


def sevensongs(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "classify.cli", "--cache", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(embed.__file__).parents[1])},
    )


# --- VGGish


VGGISH = "https://tfhub.dev/google/vggish/1"


def cached_as(handle: str, hub_cache: Path) -> Path:
    """Return where tensorflow_hub would keep a model."""
    return hub_cache / hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def vggish_root(models: Path, hub_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which `vggish` has been compiled, from where tensorflow_hub would have put it."""
    hub_cache = tmp_path_factory.mktemp("tfhub-vggish")
    cached_as(VGGISH, hub_cache).symlink_to(models / "plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFHUB_CACHE_DIR", str(hub_cache))
        embed.prepare_encoder("vggish", root=hub_root)
        (status,) = [row for row in embed.encoder_status(hub_root) if row.name == "vggish"]
        assert (status.ready, status.compiled) == (True, True)
    return hub_root


@pytest.mark.long
def test_vggish_from_the_cache_of_tensorflow_hub(
    vggish_root: Path,
    models: Path,
    expected: NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The same weights in a folder of one's own are the same encoder, and compiled already.
    (tmp_path / "vggish").symlink_to(models / "plain")
    monkeypatch.setenv("SEVENSONGS_MODELS", str(tmp_path))
    with caplog.at_level(logging.INFO, logger="sevensongs"):
        encoder = as_published(embed.load_encoder("vggish", root=vggish_root))
    assert caplog.records == []
    assert encoder.dim == 128
    grid = encoder.spec.grid
    windows = grid.cut(WAVEFORM)
    parts = [grid.parts_heard(i, len(WAVEFORM)) for i in range(len(windows))]
    # 0.96 s each without overlap, the same as the model gives for the whole waveform.
    examples = heard_parts(encoder, windows, parts)
    np.testing.assert_allclose(examples, expected, atol=1e-4 * float(np.abs(expected).max()))
    frames = encoder.embed(WAVEFORM)
    assert frames.shape == (4, 128)
    np.testing.assert_allclose(frames[-1], examples[9:].mean(axis=0), rtol=1e-5)


@pytest.mark.long
def test_vggish_embeds_a_library(
    vggish_root: Path,
    models: Path,
    tracks: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "vggish").symlink_to(models / "plain")
    monkeypatch.setenv("SEVENSONGS_MODELS", str(tmp_path))
    report = embed.embed_library(tracks[:2], root=vggish_root, encoder="vggish", workers=1)
    assert (report.embedded, report.failed, report.encoder) == (2, (), "vggish")


@pytest.mark.long
def test_a_model_that_is_not_vggish_is_refused(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vggish").symlink_to(models / "one_vector")
    monkeypatch.setenv("SEVENSONGS_MODELS", str(tmp_path))
    with pytest.raises(
        embed.EncoderError, match="does not map a window of 46320 samples to embeddings"
    ):
        embed.load_encoder("vggish", root=tmp_path / "cache")


# --- Hubs that fail


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub on this machine; what it does depends on the path."""

    archives: ClassVar[dict[str, bytes]] = {}  # by kind; whatever it is, "good" for the others
    released = threading.Event()
    n_asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        Hub.n_asked[kind] += 1
        archive = self.archives.get(kind, self.archives["good"])
        if kind in ("403", "404"):
            self.send_error(int(kind))
        elif kind == "hangs":
            self.released.wait(LONG_S)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(archive)))
            self.end_headers()
            if kind == "breaks":
                self.wfile.write(archive[: len(archive) // 2])
            elif kind == "page":
                self.wfile.write(b"<html>Log in first</html>".ljust(len(archive)))
            else:
                self.wfile.write(archive)

    def log_message(self, *arguments: object) -> None:
        pass


def archive_of(folder: Path, leave_out: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            if not (leave_out and leave_out in path.name):
                archive.add(path, f"./{path.relative_to(folder)}", recursive=False)
    return stream.getvalue()


@pytest.fixture(scope="module")
def hub(models: Path) -> Iterator[str]:
    """The address of a hub on this machine."""
    Hub.archives["good"] = archive_of(models / "plain")
    for missing in INCOMPLETE:
        Hub.archives[f"without-{missing}"] = archive_of(models / "plain", leave_out=missing)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Hub.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of tensorflow_hub."""
    use_hub_cache(monkeypatch, tmp_path / "tfhub")
    monkeypatch.setenv("SEVENSONGS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "tfhub"


def use_hub_cache(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("TFHUB_CACHE_DIR", str(folder))
    patch.setenv("SEVENSONGS_HUB_TIMEOUT_S", "2")
    patch.setenv("NO_PROXY", "127.0.0.1")
    patch.setenv("no_proxy", "127.0.0.1")


@dataclass(frozen=True)
class Failures:
    """What the compiler says of models that a hub does not give.

    `said` is by kind; `hub_cache` is left as it was after all of them.
    """

    hub: str
    hub_cache: Path
    said: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def failures(hub: str, tmp_path_factory: pytest.TempPathFactory) -> Failures:
    folder = tmp_path_factory.mktemp("failing-hubs")
    kinds = (*FAILING, *(f"without-{missing}" for missing in INCOMPLETE))
    with pytest.MonkeyPatch.context() as patch:
        use_hub_cache(patch, folder / "tfhub")
        said = compiled_each([f"{hub}/{kind}/1" for kind in kinds], folder)
    answers = {kind: tuple(one) for kind, one in zip(kinds, said, strict=True)}
    return Failures(hub, folder / "tfhub", answers)


FAILING = {
    "403": "403",
    "404": "404",
    "hangs": "timed out",
    "breaks": "not appear to be a valid module",
    "page": "not appear to be a valid module",
}
INCOMPLETE = ("saved_model.pb", "variables.data")


@pytest.mark.long
@pytest.mark.parametrize("kind", FAILING)
def test_a_hub_that_fails_is_an_error_with_a_remedy(kind: str, failures: Failures) -> None:
    error, message = failures.said[kind]
    handle = f"{failures.hub}/{kind}/1"
    assert error == "EncoderUnavailable"
    assert message.startswith(f"TF Hub did not give {handle}: ")
    assert FAILING[kind] in message
    assert "unpack its SavedModel anywhere and use --encoder hub:FOLDER" in message
    assert "\n" not in message
    assert Hub.n_asked[kind] < 10, "each time with a time limit"
    # It leaves nothing that the next attempt would take for the model.
    assert not cached_as(handle, failures.hub_cache).exists()


@pytest.mark.long
def test_the_command_tells_it_in_one_line(
    hub: str, hub_cache: Path, tmp_path: Path, tracks: list[str]
) -> None:
    done = sevensongs(tmp_path / "cache", "embed", "--encoder", f"hub:{hub}/403/1", tracks[0])
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    # A slow machine is told now and then that the work goes on.
    lines = [one for one in done.stderr.splitlines() if not one.startswith("sevensongs: Still ")]
    assert len(lines) == 2
    assert lines[0].startswith("sevensongs: Preparing the encoder hub:")
    assert lines[1].startswith("sevensongs: TF Hub did not give")


@pytest.mark.long
def test_a_hub_that_works_is_asked_once(
    hub: str, hub_cache: Path, tmp_path: Path, expected: NDArray[np.float32]
) -> None:
    name = f"hub:{hub}/good/1"
    folder = cached_as(f"{hub}/good/1", hub_cache)
    folder.mkdir(parents=True)  # empty, as a download leaves it that never began
    # The lock of a download that was killed; tensorflow_hub waits twice ten minutes for it.
    folder.with_name(f"{folder.name}.lock").write_text(
        "elsewhere.1.0123456789abcdef", encoding="ascii"
    )
    encoder = as_published(embed.load_encoder(name, root=tmp_path / "cache"))
    np.testing.assert_allclose(
        encoder.embed(WAVEFORM)[0], expected[:3].mean(axis=0), rtol=1e-3, atol=1e-3
    )
    assert (folder / "saved_model.pb").is_file()
    n_asked = Hub.n_asked["good"]
    online = embed.encoder_spec(name)
    assert online.fingerprint(online.locate()) == encoder.fingerprint
    # Compiled, it needs neither hub nor weights; and it does not matter by which name it is asked
    # for.
    hub_cache.rename(tmp_path / "gone")
    assert embed.load_encoder(name, root=tmp_path / "cache").fingerprint == encoder.fingerprint
    local = embed.encoder_spec(f"hub:{tmp_path / 'gone' / folder.name}")
    assert local.fingerprint(local.locate()) == encoder.fingerprint
    assert Hub.n_asked["good"] == n_asked


@pytest.mark.long
@pytest.mark.parametrize("missing", INCOMPLETE)
def test_an_archive_without_all_files_is_told_of(missing: str, failures: Failures) -> None:
    kind = f"without-{missing}"
    error, message = failures.said[kind]
    assert error == "EncoderUnavailable"
    assert "Remove that folder" in message
    assert str(cached_as(f"{failures.hub}/{kind}/1", failures.hub_cache)) in message


@pytest.mark.parametrize("name", ["yamnet", "vggish"])
@pytest.mark.parametrize("missing", ["saved_model.pb", "variables"])
def test_a_half_empty_folder_is_told_of_without_asking_the_hub(
    name: str, missing: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = f"https://tfhub.dev/google/{name}/1"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    folder = cached_as(handle, tmp_path)
    folder.mkdir()
    for part in ("saved_model.pb", "variables"):
        if part != missing:
            (folder / part).symlink_to(models / "plain" / part)
    with pytest.raises(embed.EncoderUnavailable) as caught:
        embed.load_encoder(name, root=tmp_path / "cache")
    assert f"The SavedModel in {folder} is incomplete: {missing}" in str(caught.value)
    assert "Remove that folder and try again" in str(caught.value)


@pytest.mark.parametrize("content", ["none", "file", "empty", "no graph"])
def test_a_folder_without_a_model_is_told_of(content: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    if content == "file":
        path.write_bytes(b"not a folder")
    elif content != "none":
        path.mkdir()
        if content == "no graph":
            (path / "readme").touch()
    with pytest.raises(embed.EncoderUnavailable, match=r"saved_model\.pb"):
        embed.load_encoder(f"hub:{path}", root=tmp_path / "cache")


@pytest.mark.long
def test_a_damaged_graph_is_told_of(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(
        (models / "plain" / "saved_model.pb").read_bytes()[:-100]
    )
    (folder / "variables").symlink_to(models / "plain" / "variables")
    with pytest.raises(embed.EncoderUnavailable, match="can't load the SavedModel"):
        embed.load_encoder(f"hub:{folder}", root=tmp_path / "cache")


def test_folders_inside_assets_are_part_of_the_model(models: Path, tmp_path: Path) -> None:
    # They raised IsADirectoryError.
    folder = tmp_path / "model"
    (folder / "assets" / "inner").mkdir(parents=True)
    for part in ("saved_model.pb", "variables"):
        (folder / part).symlink_to(models / "plain" / part)
    spec = embed.encoder_spec(f"hub:{folder}")
    empty = spec.fingerprint(spec.locate())
    (folder / "assets" / "inner" / "classes.csv").write_text("a,b\n", encoding="ascii")
    assert spec.fingerprint(spec.locate()) != empty
