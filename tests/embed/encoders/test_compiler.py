"""The compiler: what it makes is the original network, whole or not at all, and mends itself."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embed
from embed.encoders import compiler
from embed.encoders.encoder import open_encoder
from embed.encoders.manifest import read_manifest
from embed.encoders.storing import _remove_abandoned
from embed.networks import musicnn
from tests.support.encoder_models import full_windows, run_tensorflow, tone, white_noise

PIP_LINE = "pip install --no-deps musicnn==0.1.0"
REINSTALL = "pip install --force-reinstall --no-deps musicnn==0.1.0"
PREPARE = """
import sys, embed
print(embed.prepare_encoder(sys.argv[1], root=sys.argv[2]).fingerprint)
print("tensorflow" in sys.modules)
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(embed.__file__).parents[1])},
    )


def compiled_folder(root: Path) -> Path:
    (folder,) = (path for path in (root / "encoders").iterdir() if path.is_dir())
    return folder


@pytest.mark.long
def test_two_processes_may_compile_at_once(tiny: str, pair_root: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    children = [python(PREPARE, tiny, str(new)) for _ in range(2)]
    reference = embed.load_encoder(tiny, root=pair_root)
    for child in children:
        # Nothing on stderr, and no TensorFlow in the process that asked.
        assert child.communicate() == (f"{reference.fingerprint}\nFalse\n", "")
    left = {path.name for path in (new / "encoders").iterdir()}
    assert len(left) == 2  # the other tells that its name means this fingerprint
    assert left < {path.name for path in (pair_root / "encoders").iterdir()}
    assert reference.fingerprint in left
    encoder = embed.load_encoder(tiny, root=new)
    np.testing.assert_array_equal(encoder.embed(white_noise(4)), reference.embed(white_noise(4)))


@pytest.mark.long
def test_the_compiled_network_is_the_original(
    compiled: Path, tracks: list[str], tmp_path: Path
) -> None:
    encoder = embed.load_encoder("musicnn", root=compiled)
    music = np.concatenate(
        [full_windows(track, encoder.spec.grid)[0][2:5] for track in tracks[::9]]
    )
    sounds = np.stack(
        [encoder.spec.grid.cut(x)[0] for x in (tone(0, 3), tone(440, 3), white_noise(3))]
    )
    windows = np.concatenate([music, sounds.astype(np.float32)])
    np.save(tmp_path / "windows.npy", windows)
    code = (
        "import sys, numpy as np, embed\n"
        "encoder = embed.load_encoder('musicnn', root=sys.argv[1], runtime='tensorflow')\n"
        "np.save(sys.argv[3], encoder.embed_windows(np.load(sys.argv[2]))); print('null')\n"
    )
    run_tensorflow(code, str(compiled), str(tmp_path / "windows.npy"), str(tmp_path / "theirs.npy"))
    theirs = np.load(tmp_path / "theirs.npy")
    ours = encoder.embed_windows(windows)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-4 * float(np.abs(their).max()))
    manifest = read_manifest(compiled_folder(compiled))
    assert manifest is not None
    assert (manifest.runtime, manifest.warning) == ("litert", None)
    assert 0 <= manifest.max_difference <= 1e-4


def truncate(name: str, share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return damage


def flip_a_byte(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 0x40
        (folder / name).write_bytes(data)

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write_manifest_text(text: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "manifest.json").write_text(text, encoding="utf-8")

    return damage


def of_another_format(folder: Path) -> None:
    fields = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(fields | {"format": 2}), encoding="utf-8")


DAMAGES = {
    "model truncated": truncate("model.tflite", 0.5),
    "model empty": truncate("model.tflite", 0),
    "model flipped": flip_a_byte("model.tflite"),
    "model missing": remove("model.tflite"),
    "constants truncated": truncate("constants.npz", 0.9),
    "constants flipped": flip_a_byte("constants.npz"),
    "constants missing": remove("constants.npz"),
    "manifest truncated": truncate("manifest.json", 0.5),
    "manifest empty": truncate("manifest.json", 0),
    "manifest missing": remove("manifest.json"),
    "manifest a list": write_manifest_text("[]"),
    "manifest foreign": write_manifest_text('{"format": 3}'),
    "manifest of another format": of_another_format,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed(
    damage: str, root: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = embed.prepare_encoder("musicnn", root=root)
    folder = compiled_folder(root)
    assert prepared.folder == folder
    DAMAGES[damage](folder)
    assert read_manifest(folder) is None
    # As in a worker whose parent found it whole:
    with pytest.raises(embed.EncoderError, match="try again"):
        open_encoder(prepared)
    (status,) = [row for row in embed.encoder_status(root) if row.name == "musicnn"]
    assert (status.ready, status.compiled) == (True, False)
    # It can't be mended without the weights, and that is told with the remedy.
    hide_musicnn(monkeypatch)
    with pytest.raises(embed.EncoderUnavailable, match=REINSTALL):
        embed.prepare_encoder("musicnn", root=root)


@pytest.mark.long
def test_damage_is_mended(tiny: str, pair_root: Path) -> None:
    sound = embed.load_encoder(tiny, root=pair_root)
    before = sound.embed(white_noise(4))
    folder = pair_root / "encoders" / sound.fingerprint
    DAMAGES["model flipped"](folder)
    DAMAGES["constants missing"](folder)
    assert read_manifest(folder) is None
    encoder = embed.load_encoder(tiny, root=pair_root)
    assert encoder.fingerprint == sound.fingerprint
    assert read_manifest(folder) is not None
    np.testing.assert_array_equal(encoder.embed(white_noise(4)), before)


def hide_musicnn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the wheel as if it were not installed, for this process and for its children."""
    empty = Path(os.environ["SEVENSONGS_CACHE"]) / "without-musicnn"
    (empty / "musicnn").mkdir(parents=True, exist_ok=True)
    (empty / "musicnn" / "__init__.py").write_text(
        "raise RuntimeError('never import it')", encoding="ascii"
    )
    monkeypatch.syspath_prepend(str(empty))
    found = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> object:
        return None if name == "musicnn" else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def test_without_its_weights_what_is_compiled_still_works(
    root: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = embed.load_encoder("musicnn", root=root).embed(white_noise(4))
    hide_musicnn(monkeypatch)
    np.testing.assert_array_equal(
        embed.load_encoder("musicnn", root=root).embed(white_noise(4)), wanted
    )


def test_a_missing_wheel_is_told_with_the_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_musicnn(monkeypatch)
    with pytest.raises(embed.EncoderUnavailable, match="not installed") as caught:
        embed.load_encoder("musicnn", root=tmp_path)
    assert PIP_LINE in str(caught.value)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "MSD_musicnn" / name).unlink()


def of_another_release(folder: Path) -> None:
    flip_a_byte(".data-00000-of-00001")(folder / "MSD_musicnn")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without(".data-00000-of-00001"), "lacks its checkpoint"),
        (without(".index"), "lacks its checkpoint"),
        (lambda folder: shutil.rmtree(folder / "MSD_musicnn"), "lacks its checkpoint"),
        (of_another_release, "expected 8579734ee638"),
        (
            lambda folder: truncate(".index", 0.5)(folder / "MSD_musicnn"),
            "musicnn checkpoint in .* can't be read",
        ),
    ],
    ids=["data missing", "index missing", "folder missing", "another release", "index truncated"],
)
def test_a_damaged_wheel_is_told_with_the_pip_line(
    damage: Callable[[Path], object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "musicnn"
    shutil.copytree(musicnn.MSD.locate().path, package / "MSD_musicnn")
    (package / "__init__.py").write_text("raise RuntimeError('never import it')", encoding="ascii")
    monkeypatch.syspath_prepend(str(package.parent))
    assert musicnn.MSD.locate().path == package / "MSD_musicnn"
    damage(package)
    with pytest.raises(embed.EncoderUnavailable, match=message) as caught:
        embed.load_encoder("musicnn", root=tmp_path / "cache")
    assert REINSTALL in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.tflite"))


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "encoders").write_text(
        "a file where a folder should be", encoding="ascii"
    )
    with pytest.raises(embed.EncoderError, match="can't be written"):
        embed.load_encoder("musicnn", root=tmp_path / "cache")


def test_a_compiled_encoder_starts_without_tensorflow_and_quietly(compiled: Path) -> None:
    code = (
        "import sys, numpy as np, embed\n"
        "embed.load_encoder('musicnn', root=sys.argv[1]).embed(np.zeros(50000, np.float32))\n"
        "print([m for m in ('tensorflow', 'tensorflow_hub', 'librosa') if m in sys.modules])\n"
    )
    # LiteRT says "INFO: Created TensorFlow Lite XNNPACK delegate for CPU." otherwise.
    assert python(code, str(compiled)).communicate() == ("[]\n", "")


def test_errors_of_native_code_still_reach_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    from embed.native_chatter import without_chatter

    with without_chatter():
        os.write(2, b"INFO: chatter\nERROR: trouble\nI0000 00:00:1 port.cc:153] oneDNN\n")
    os.write(2, b"INFO: not ours\n")
    assert capfd.readouterr().err == "ERROR: trouble\nINFO: not ours\n"


def test_a_script_from_stdin_finds_the_package_in_its_folder(tmp_path: Path) -> None:
    # sys.path then begins with "", which the compiler's child was not told of.
    shutil.copytree(Path(embed.__file__).parent, tmp_path / "embed")
    (tmp_path / "cache").symlink_to(Path(embed.__file__).parents[1] / "cache")
    code = (
        "import embed, sys; from embed.encoders.compiler import compile_in_child; "
        "from pathlib import Path\n"
        "try: compile_in_child('hub:/nowhere', Path('x'))\n"
        "except embed.EncoderUnavailable as error: print(embed.__file__, error)\n"
    )
    unlike = ("PYTHONPATH", "PYTHONSAFEPATH")  # a user's shell has neither
    environment = {key: value for key, value in os.environ.items() if key not in unlike}
    done = subprocess.run(
        [sys.executable, "-"],
        input=code,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert done.stdout.startswith(f"{tmp_path / 'embed'}{os.sep}")
    assert "There is no SavedModel in '/nowhere'" in done.stdout


def test_what_a_killed_compiler_left_goes_after_a_day_and_not_before(tmp_path: Path) -> None:
    for name in (".part-old", ".part-young", "0123456789abcdef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.tflite").touch()
    for name in (".part-old", "0123456789abcdef"):
        os.utime(tmp_path / name, (time.time() - 90_000,) * 2)
    _remove_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".part-young", "0123456789abcdef"}


def test_a_long_compilation_says_that_it_is_at_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiler, "_SIGN_EVERY_S", 0.1)
    caplog.set_level("INFO")
    child = [sys.executable, "-c", "import time; time.sleep(1); print('done')"]
    code, out, _ = compiler._ended(child, dict(os.environ), "tiny")
    assert (code, out) == (0, b"done\n")
    assert "Still preparing the encoder tiny: 0 s so far" in caplog.messages
