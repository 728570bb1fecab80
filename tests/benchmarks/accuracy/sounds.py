"""Sounds that are no music: noise, silence, a tone, speech.

They must never come out as a confident like.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accuracy.music import say
from cache import default_root
from embed import embed_library, open_embeddings

__all__ = ["embed_sounds"]

DURATION_S = 60
RATE_HZ = 44_100
_LEVELS_DB = (-40, -20, -10)  # root mean square against full scale
_VOICES = ("en-gb", "en-us+f3", "de", "fr", "es+m4", "it+f2")
_TEXTS = (
    (
        "Good evening. Here is the weather for tomorrow. In the north it will be cloudy at first, "
        "with some rain before noon; later the sky clears from the west. In the south it stays dry "
        "and warm. The wind is light and comes from the sea. Over the weekend it will be cooler, "
        "and on the hills there may be the first frost of the year."
    ),
    (
        "To bake this bread you need flour, water, salt and a little yeast. Mix everything in a "
        "large bowl, cover it and wait until the next morning. Then fold the dough a few times, "
        "let it rest for an hour, and bake it in a very hot pot for half an hour with the lid on, "
        "and a quarter of an hour without. Let it cool before you cut it."
    ),
    (
        "The train to the coast leaves from platform four in ten minutes. Passengers with bicycles "
        "use the last carriage. Please mind the step. Because of works on the line, trains do not "
        "stop at the old harbour today; a bus waits at the station before it. Tickets are valid on "
        "the bus. We are sorry for the trouble, and wish you a good journey."
    ),
)


def embed_sounds(encoder: str, root: Path | None) -> dict[str, NDArray[np.float32]]:
    """Make the sounds and embed them as a person's files would be, in a cache of their own.

    Returns
    -------
    dict of str to ndarray, shape (n, dim), float32
        Song vectors of each kind of sound.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder, own = Path(scratch) / "sounds", Path(scratch) / "cache"
        compiled = (root or Path(default_root())) / "encoders"
        if compiled.is_dir():  # compiling takes half a minute
            shutil.copytree(compiled, own / "encoders")
        folder.mkdir()
        kinds = _write_noise(folder) | _write_speech(folder)
        report = embed_library([folder], root=own, encoder=encoder)
        for failure in report.failed:
            say(f"{encoder}: {failure.path}: {failure.error}")
        songs = open_embeddings(encoder, root=own)
        found = {}
        for kind, paths in kinds.items():
            rows = [row for row, path in enumerate(songs.paths) if path in set(map(str, paths))]
            if rows:
                found[kind] = songs.matrix[rows]
    return found


def _write_noise(folder: Path) -> dict[str, list[Path]]:
    n_samples = DURATION_S * RATE_HZ
    kinds: dict[str, list[Path]] = {"white noise": [], "pink noise": []}
    for number, level_db in enumerate(_LEVELS_DB):
        white = np.random.default_rng(number).standard_normal(n_samples)
        spectrum = np.fft.rfft(white)
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))  # power falls by 3 dB an octave
        spectrum[0] = 0
        for kind, samples in (
            ("white noise", white),
            ("pink noise", np.fft.irfft(spectrum, n_samples)),
        ):
            level = 10 ** (level_db / 20) / samples.std()
            kinds[kind].append(_write(folder / f"{kind} {level_db} dB.wav", samples * level))
    kinds["digital silence"] = [_write(folder / "silence.wav", np.zeros(n_samples))]
    times_s = np.arange(n_samples) / RATE_HZ
    kinds["a tone of 440 Hz"] = [
        _write(folder / f"tone {peak}.wav", peak * np.sin(2 * np.pi * 440 * times_s))
        for peak in (0.05, 0.5)
    ]
    return kinds


def _write(path: Path, samples: NDArray[np.float64]) -> Path:
    _save(path, np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), RATE_HZ)
    return path


def _save(path: Path, frames: bytes, rate_hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(frames)


def _write_speech(folder: Path) -> dict[str, list[Path]]:
    program = shutil.which("espeak-ng")
    if program is None:
        say("without speech: there is no espeak-ng on PATH (Debian: apt-get install espeak-ng)")
        return {}
    paths = []
    for number, voice in enumerate(_VOICES):
        path = folder / f"speech {voice}.wav"
        # All texts, each voice beginning with another: more than a minute, then cut.
        text = " ".join(_TEXTS[(number + k) % len(_TEXTS)] for k in range(2 * len(_TEXTS)))
        subprocess.run(
            [program, "-v", voice, "-w", str(path), text], check=True, capture_output=True
        )
        with wave.open(str(path), "rb") as file:
            rate_hz = file.getframerate()
            frames = file.readframes(DURATION_S * rate_hz)
        _save(path, frames, rate_hz)
        paths.append(path)
    return {"speech": paths}
