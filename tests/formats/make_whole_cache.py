"""Make a whole cache as some version of the program leaves it: songs, labels, a taste and scores.

README.md beside this file says with which version, and how. It imports nothing of ours, so that
the Python of any version runs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_LIKES", "N_SOUNDS", "TASTES", "make_whole_cache", "write_sounds"]

N_SOUNDS, N_LIKES = 12, 4
_DISLIKE = N_SOUNDS - 1
TASTES = {"default": "auto", "logistic": "logistic", "dense": "dense"}
"""Names of the tastes, each with its head."""
_RATE_HZ, _SECONDS = 16000, 4


def sound(number: int) -> NDArray[np.int16]:
    """Return a mono sound at 16 kHz, shape (64000,): exact in every version of NumPy.

    The first `N_LIKES` are slow low chords; the others are beats of noise over a higher tone.
    """
    t = np.arange(_SECONDS * _RATE_HZ, dtype=np.int64)

    def tone(hz: int) -> NDArray[np.int64]:
        """Return a triangle wave, from -8192 to 8192."""
        return np.asarray(np.abs(t * hz * 32768 // _RATE_HZ % 32768 - 16384) - 8192)

    if number < N_LIKES:
        root = 110 + 11 * number
        chord = tone(root) + tone(root * 5 // 4) + tone(root * 3 // 2)
        return np.asarray(chord // 3, np.int16)
    noise = (t * t * (48271 + 2 * number) // 7 + t * 69621) % 16384 - 8192
    beat = _RATE_HZ // (2 + number % 5)
    fading = 1024 - np.minimum(t % beat * 4096 // beat, 1024)
    return np.asarray((noise * fading // 1024 + tone(400 + 70 * number) // 2) // 2, np.int16)


def write_sounds(folder: Path) -> list[Path]:
    """Write the sounds as WAV files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:02d}.wav" for number in range(N_SOUNDS)]
    for number, path in enumerate(paths):
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(_RATE_HZ)
            file.writeframes(sound(number).astype("<i2").tobytes())
    return paths


def make_whole_cache(command: str, music: Path, archive: Path) -> None:
    """Embed, train and score with a version's own command; pack its cache and what it said.

    Compiled encoders are left out: they are large, and made anew where they are missing.
    """
    sounds = [str(path) for path in write_sounds(music)]
    cache = music.parent / "cache"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [command, "--cache", str(cache), *arguments], check=True, stdout=subprocess.PIPE
        )
        return done.stdout.decode("utf-8")

    run("embed", *sounds)
    likes = [part for path in sounds[:N_LIKES] for part in ("--like", path)]
    said = {}
    for taste, head in TASTES.items():
        run("train", *likes, "--dislike", sounds[_DISLIKE], "--taste", taste, "--head", head)
        songs = json.loads(run("score", "--json", "--taste", taste))
        said[taste] = {
            Path(song["path"]).name: {"score": song["score"], "verdict": song["verdict"]}
            for song in songs
        }
    told = archive.with_name(archive.name.replace(".tar.gz", ".json"))
    told.write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    with tarfile.open(archive, "w:gz") as packed:
        for path in sorted(cache.rglob("*")):
            name = path.relative_to(cache)
            if path.is_file() and name.parts[0] != "encoders":
                packed.add(path, name)


if __name__ == "__main__":
    make_whole_cache(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
