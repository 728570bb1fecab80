"""A song in three words, and the tables that show them.

The tests go without music, by the real encoder's tags.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import embed
from cache import Catalog, EmbeddingStore, Entry, FileRecord
from classify import LabelledSongs, Taste, fit_taste
from classify.cli.app import app
from classify.explanation.tag_words import TagWords, words_for
from classify.taste.names import taste_path
from embed.encoders.encoder_tags import OwnTags

N_SONGS, N_LIKES = 30, 4


def digest_of(number: int) -> str:
    return blake2b(str(number).encode(), digest_size=16).hexdigest()


@pytest.fixture(scope="module")
def library(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Thirty songs of two kinds, of which the first ten are alike and four of them liked."""
    folder = tmp_path_factory.mktemp("words")
    root = folder / "cache"
    shutil.copytree(compiled / "encoders", root / "encoders")
    prepared = embed.prepare_encoder("musicnn", root=root)
    rng = np.random.default_rng(1)
    kinds = rng.gamma(2.0, 0.4, (2, 2 * prepared.dim))
    which = np.r_[np.zeros(10, int), np.ones(N_SONGS - 10, int)]
    vectors = (kinds[which] * rng.lognormal(0, 0.5, (N_SONGS, 2 * prepared.dim))).astype(np.float32)
    paths = [str(folder / f"song {number}.mp3") for number in range(N_SONGS)]
    entries, rows = [], []
    for number, path in enumerate(paths):
        Path(path).touch()
        status = os.stat(path)
        entries.append(
            Entry(
                digest=digest_of(number),
                n_windows=12,
                duration_s=60.0,
                coverage=0.6,
                starts_s=np.zeros(1, np.float32),
                frames=vectors[number : number + 1, : prepared.dim].astype(np.float16),
                vector=vectors[number],
            )
        )
        rows.append(
            FileRecord(
                path=path,
                size_bytes=status.st_size,
                mtime_ns=status.st_mtime_ns,
                digest=digest_of(number),
                duration_s=60.0,
                artist="\x1b[31mA" if number == 0 else None,
                title="風の\nとおり道" if number == 0 else None,
            )
        )
    EmbeddingStore(root, encoder="musicnn", fingerprint=prepared.fingerprint, dim=prepared.dim).put(
        entries
    )
    Catalog(root).put(rows)

    def songs(numbers: Sequence[int]) -> LabelledSongs:
        names = tuple(map(digest_of, numbers))
        return LabelledSongs(digests=names, vectors=vectors[list(numbers)], groups=names)

    fit_taste(
        likes=songs(range(N_LIKES)),
        unlabelled=songs(range(N_LIKES, N_SONGS)),
        encoder="musicnn",
        fingerprint=prepared.fingerprint,
    ).save(taste_path("default", root=root))
    return root, paths


def tags_of(names: Sequence[str], liked: Sequence[float]) -> TagWords:
    n = len(names)
    spec = embed.encoder_spec("musicnn")
    return TagWords(
        own=OwnTags(names=tuple(names), _spec=spec, _constants={}),
        start=0,
        dim=1,
        usual=np.zeros(n),
        spread=np.ones(n),
        liked=np.array(liked),
    )


def test_words_are_what_a_song_has_more_of_and_the_likes_have_too() -> None:
    tags = tags_of(["jazz", "folk", "metal", "pop"], [1.0, 2.0, -1.0, 1.0])
    assert tags.words(np.array([2.0, 2.0, 3.0, -1.0])) == ("folk", "jazz")
    assert tags.words(np.array([2.0, 2.0, 3.0, -1.0]), disliked=True) == ("metal",)
    assert tags.words(np.zeros(4)) == (), "an ordinary song has none"


def test_three_words_at_most_and_each_of_its_own_kind() -> None:
    tags = tags_of(
        ["electro", "Electronic", "hard rock", "rock", "soul", "80s"], [6, 5, 4, 3, 2, 1]
    )
    assert tags.words(np.ones(6)) == ("electro", "hard rock", "soul")


def test_the_tags_are_those_of_the_encoder(compiled: Path) -> None:
    encoder = embed.load_encoder("musicnn", root=compiled)
    own = OwnTags.of("musicnn", encoder.fingerprint, root=compiled)
    assert own is not None
    assert own.names == encoder.tags
    embeddings = np.random.default_rng(0).gamma(2.0, 1.0, (5, encoder.dim)).astype(np.float32)
    np.testing.assert_array_equal(own.scores(embeddings), encoder.tag_scores(embeddings))


def test_an_encoder_without_tags_or_not_compiled_has_none(compiled: Path, tmp_path: Path) -> None:
    fingerprint = embed.prepare_encoder("musicnn", root=compiled).fingerprint
    assert OwnTags.of("musicnn", fingerprint, root=tmp_path) is None
    assert OwnTags.of("vggish", fingerprint, root=compiled) is None
    assert OwnTags.of("hub:/nowhere", fingerprint, root=compiled) is None


def test_liked_and_disliked_songs_get_different_words(library: tuple[Path, list[str]]) -> None:
    root, paths = library
    taste = Taste.load(taste_path("default", root=root))
    asked = [*paths[4:10], *paths[20:26], str(root / "no song.mp3")]
    words = words_for(asked, ["like"] * 6 + ["dislike"] * 7, taste, root=root)
    assert [len(some) <= 3 for some in words] == [True] * 13
    assert words[-1] == ()
    liked, disliked = (
        {word for some in words[part] for word in some} for part in (slice(6), slice(6, 12))
    )
    assert liked
    assert disliked
    assert not liked & disliked


def in_a_terminal(root: Path, columns: int, *arguments: str, **environment: str) -> str:
    """Run the command on a pseudo-terminal."""
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    left_out = ("COLUMNS", "NO_COLOR", "TERM")
    known = {key: value for key, value in os.environ.items() if key not in left_out}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "classify.cli", "--cache", str(root), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=known | {"TERM": "xterm", "PYTHONUTF8": "1"} | environment,
        check=False,
    )
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that nobody writes there any more
            break
        if not part:
            break
        said += part
    os.close(ours)
    return said.decode("utf-8").replace("\r\n", "\n")


def songs_of(text: str) -> list[str]:
    """Leave out the headings of the verdicts and what stands between them."""
    return [line for line in text.splitlines() if "█" in line or "░" in line or line[:1].isdigit()]


def test_a_terminal_gets_bars_words_and_harmless_names(library: tuple[Path, list[str]]) -> None:
    root, _ = library
    text = in_a_terminal(root, 100, "score", "--labelled", "--top", "8", NO_COLOR="1")
    lines = songs_of(text)
    assert len(lines) == 8
    assert [line.split()[0] for line in lines] == [str(rank) for rank in range(1, 9)]
    assert all("█" in line for line in lines[:N_LIKES])
    assert "\x1b" not in text
    assert "\ufffd[31mA - 風の とおり道" in text
    assert "," in lines[0], "there are words"


def test_colours_where_they_are_wanted(library: tuple[Path, list[str]]) -> None:
    root, _ = library
    first, second = songs_of(in_a_terminal(root, 100, "score", "--top", "2"))
    for line in (first, second):
        painted, _, plain = line.partition("\x1b[1;36m")[2].partition("\x1b[0m")
        assert painted.split()[-1] == "likely"
        assert "\x1b" not in plain
    assert "\x1b" not in in_a_terminal(root, 100, "score", "--top", "2", TERM="dumb")


def test_a_pipe_gets_the_plain_table(library: tuple[Path, list[str]]) -> None:
    root, _ = library
    result = CliRunner().invoke(app, ["--cache", str(root), "score", "--top", "3"])
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["rank", "score", "verdict", "song"]
    assert len(lines) == 4
    assert "█" not in result.stdout


def test_a_damaged_encoder_costs_the_words_and_not_the_table(
    library: tuple[Path, list[str]], tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    shutil.copytree(library[0], root)
    for file in (root / "encoders").rglob("constants.npz"):
        file.write_bytes(b"nonsense")
    lines = songs_of(in_a_terminal(root, 100, "score", "--top", "3", NO_COLOR="1"))
    assert len(lines) == 3
    assert all("█" in line for line in lines)
