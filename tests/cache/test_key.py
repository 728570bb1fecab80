"""Names of recordings and encoders: the same everywhere, and different where they must be."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache import DIGEST_BYTES, audio_hash, default_root, encoder_fingerprint, is_uri, local_root
from cache.key import is_digest, is_fingerprint
from cache.root import join

if TYPE_CHECKING:
    from pathlib import Path

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)


def digest_of(packets: list[bytes], codec: str = "mp3", rate_hz: int = 44100, n: int = 2) -> str:
    running = audio_hash(codec=codec, rate_hz=rate_hz, n_channels=n)
    for packet in packets:
        running.update(packet)
    return running.hexdigest()


@given(st.binary(), st.lists(st.integers(0, 100)))
def test_packet_boundaries_do_not_matter(audio: bytes, cuts: list[int]) -> None:
    at = sorted({0, len(audio), *(c for c in cuts if c < len(audio))})
    packets = [audio[a:b] for a, b in itertools.pairwise(at)]
    assert digest_of(packets) == digest_of([audio])
    assert is_digest(digest_of(packets))


def test_digest_is_the_same_in_every_version() -> None:
    # Fixed for ever: another value here would orphan every cache in the world.
    assert digest_of([b"seven", b" songs"]) == "3d4654d83db8ef1e5c1ed9dc50d7c6b3"
    assert len(bytes.fromhex(digest_of([]))) == DIGEST_BYTES


def test_codec_rate_and_channels_are_part_of_the_name() -> None:
    names = {
        digest_of([b"x"]),
        digest_of([b"x"], codec="aac"),
        digest_of([b"x"], rate_hz=48000),
        digest_of([b"x"], n=1),
        digest_of([b"x"], codec="mp", rate_hz=344100),
    }
    assert len(names) == 5


@pytest.mark.parametrize("wrong", [{"codec": ""}, {"codec": "a\0b"}, {"rate_hz": 0}, {"n": 0}])
def test_impossible_streams_are_refused(wrong: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        digest_of([], **wrong)  # type: ignore[arg-type]


@given(st.dictionaries(st.text(), scalars, min_size=1))
def test_fingerprint_does_not_depend_on_order(params: dict[str, str | float | None]) -> None:
    turned = dict(reversed(params.items()))
    assert encoder_fingerprint(params) == encoder_fingerprint(turned)
    assert is_fingerprint(encoder_fingerprint(params))


def test_fingerprint_is_the_same_in_every_version() -> None:
    assert encoder_fingerprint({"weights": "abc", "hop": 256, "rate": 16e3}) == "7d0cd3b84f5ba000"


def test_every_parameter_moves_the_fingerprint() -> None:
    base: dict[str, str | int | float] = {"weights": "abc", "hop": 256, "fmin": 0.0}
    others: list[dict[str, str | int | float]] = [
        {**base, "weights": "abd"},
        {**base, "hop": 257},
        {**base, "hop": 256.0},
        {**base, "hop": "256"},
        {**base, "fmin": 1e-9},
        {**base, "more": 1},
    ]
    names = {encoder_fingerprint(p) for p in [base, *others]}
    assert len(names) == 1 + len(others)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_fingerprint_refuses_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match=r"fmax is .*must be finite"):
        encoder_fingerprint({"fmax": value})


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", np.float32(1), object()])
def test_fingerprint_refuses_what_is_no_scalar(value: object) -> None:
    with pytest.raises(TypeError, match="mel is a"):
        encoder_fingerprint({"mel": value})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="empty"):
        encoder_fingerprint({})


def test_root_is_what_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVENSONGS_CACHE", "/somewhere/else")
    assert str(default_root()) == "/somewhere/else"
    monkeypatch.setenv("SEVENSONGS_CACHE", "s3://bucket/songs")
    assert default_root() == "s3://bucket/songs"
    monkeypatch.setenv("SEVENSONGS_CACHE", "")
    assert str(default_root()).endswith("sevensongs")


def test_a_uri_is_told_from_a_folder() -> None:
    assert is_uri("s3://bucket/songs")
    assert not is_uri("/music/s3://odd")
    assert not is_uri("C:\\music")
    assert join("s3://bucket/songs/", "a", "b") == "s3://bucket/songs/a/b"


def test_what_must_be_local_is_local_even_for_an_object_store(tmp_path: Path) -> None:
    assert local_root(tmp_path) == tmp_path
    assert local_root("s3://bucket/songs").name == "sevensongs"


def test_importing_the_cache_imports_neither_lance_nor_arrow() -> None:
    code = (
        "import sys, cache; cache.EmbeddingStore('/nowhere', encoder='e', fingerprint='0' * 16,"
        " dim=1).held(); cache.Catalog('/nowhere').load();"
        "print([m for m in ('lance', 'pyarrow', 'embed', 'classify') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
