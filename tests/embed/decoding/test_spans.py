"""Formats, and spans of a recording against its full decode.

What is broken is in test_container.py.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from embed import ENCODERS, AudioError, Span, probe, read_spans
from embed.encoders.windows import NativeCut, choose_windows
from tests.support.audio_files import KINDS, Kind, Signal, decode_whole, music

# By how many samples a decoder may start late or early: bare AAC says nothing of its encoder's
# delay, and FFmpeg's WMA decoder keeps its first block to itself.
DELAYS = {"adts": 1024, "wma": -2048}
# AAC's perceptual noise substitution draws noise from the decoder's state, so that a span decoded
# alone has other noise in the same bands than the whole file has; without it AAC is exact, as "aac"
# and "adts" show.
NOISY = {"aac-pns"}
TOLERANCES = {"opus": 1e-5, "aac": 1e-5, "adts": 1e-5}


def _whole(path: Path) -> NDArray[np.float32]:
    info = probe(str(path))
    (samples,) = read_spans(info, [Span(start=0, stop=info.n_samples)])
    return samples


def _lag(heard: NDArray[np.float32], source: NDArray[np.float32]) -> tuple[int, float]:
    """Return by how many samples `heard` is late, and how alike the two are then."""
    n = min(len(heard), len(source))
    heard, source = heard[:n], source[:n]
    size = 1 << (2 * n).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(source, size))
    correlation = np.fft.irfft(product, size)
    best = int(np.argmax(correlation))
    norm = float(np.sqrt(np.square(heard).sum() * np.square(source).sum()))
    return (best if best < size // 2 else best - size), float(correlation[best]) / norm


def _cases() -> list[tuple[str, int, int]]:
    """Every kind at every rate in stereo (or its only layout).

    Its other channel counts are at one rate.
    """
    cases = []
    for kind in KINDS.values():
        main = 2 if 2 in kind.channels else kind.channels[0]
        cases += [(kind.name, rate_hz, main) for rate_hz in kind.rates_hz]
        cases += [(kind.name, 48000, n) for n in kind.channels if n != main]
    return cases


@pytest.mark.parametrize(("name", "rate_hz", "n_channels"), _cases())
def test_the_waveform_is_the_mean_of_the_channels_at_the_right_times(
    tmp_path: Path, name: str, rate_hz: int, n_channels: int
) -> None:
    kind = KINDS[name]
    source = music(3, rate_hz, n_channels)
    path = kind.write(tmp_path / f"a{kind.suffix}", source, rate_hz)
    info = probe(str(path))
    mono = source.mean(axis=0)
    if kind.codec == "libopus":
        assert info.rate_hz == 48000
        mono = soxr.resample(mono, rate_hz, 48000) if rate_hz != 48000 else mono
    assert info.rate_hz == (48000 if kind.codec == "libopus" else rate_hz)
    assert info.n_channels == n_channels
    assert info.warning is None
    assert abs(info.n_samples - len(mono)) <= kind.packet_samples
    heard = _whole(path)
    assert heard.shape == (info.n_samples,)
    if kind.lossless:
        np.testing.assert_allclose(heard[: len(mono)], mono, atol=kind.lossless, rtol=0)
        assert not heard[len(mono) :].any()
        return
    expected = 0
    if name in DELAYS:
        expected = (
            DELAYS[name] if rate_hz >= 32000 or name == "adts" else int(np.sign(DELAYS[name]))
        )
    lag, likeness = _lag(heard, mono)
    # WMA's blocks are shorter at low rates
    assert lag == expected or (name == "wma" and -2048 <= lag <= 0)
    # 128 kbit/s over six channels leave little of uncorrelated noise, but at the right place
    assert likeness > (0.6 if n_channels > 2 or rate_hz == 96000 else 0.9)


@pytest.fixture(scope="session")
def half_minute() -> Signal:
    return music(30, 44100)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, half_minute: Signal) -> dict[str, Path]:
    """Half a minute of stereo music in every kind; not to be written to."""
    folder = tmp_path_factory.mktemp("kinds")
    paths = {}
    for kind in KINDS.values():
        rate_hz = 48000 if kind.codec == "libopus" else 44100
        path = folder / f"{kind.name}{kind.suffix}"
        source = half_minute if rate_hz == 44100 else music(30, 48000)
        paths[kind.name] = kind.write(path, source, rate_hz)
    return paths


def _spans_at(rate_hz: int, *starts_s: float) -> list[Span]:
    return [Span(start=round(s * rate_hz), stop=round((s + 3) * rate_hz)) for s in starts_s]


def _snr_db(heard: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    noise = np.square(heard - reference).sum() + 1e-20
    return float(10 * np.log10(np.square(reference).sum() / noise))


@lru_cache(maxsize=1)  # the tests of one file come one after another
def _reference(path: Path) -> tuple[NDArray[np.float32], int]:
    """Decode a file whole, and five seconds of silence behind it; return the rate too."""
    samples, rate_hz = decode_whole(path)
    return np.concatenate([samples, np.zeros(5 * rate_hz, dtype=np.float32)]), rate_hz


def _compare(name: str, spans: list[Span], path: Path) -> None:
    reference, rate_hz = _reference(path)
    info = probe(str(path))
    assert info.rate_hz == rate_hz
    cut = list(read_spans(info, spans))
    assert [len(samples) for samples in cut] == [span.stop - span.start for span in spans]
    for samples, span in zip(cut, spans, strict=True):
        low = max(0, -span.start)
        assert not samples[:low].any()
        expected = reference[span.start + low : span.stop]
        if name in NOISY:
            if not expected.any():
                assert not samples.any()
                continue
            assert _lag(samples[low:], expected)[0] == 0
            assert _snr_db(samples[low:], expected) > 15
        else:
            np.testing.assert_allclose(
                samples[low:], expected, atol=TOLERANCES.get(name, 0.0), rtol=0
            )


SPANS_S = {
    "scan": (1.3, 4.7, 9.1, 13.0, 17.9, 22.2, 25.1),
    "early": (0.01,),
    "late": (21.234,),
    "near the end": (26.9,),
    "from before the start": (-0.5, 12.0),
    "past the end": (12.0, 28.5, 31.0),
    "overlapping": (5.0, 5.5, 6.5, 9.4, 9.5),
}


@pytest.mark.parametrize("where", list(SPANS_S))
@pytest.mark.parametrize("name", list(KINDS))
def test_spans_hold_the_samples_of_a_full_decode(
    files: dict[str, Path], name: str, where: str
) -> None:
    rate_hz = 48000 if name == "opus" else 44100
    _compare(name, _spans_at(rate_hz, *SPANS_S[where]), files[name])


@pytest.mark.parametrize("track", [0, 9])
def test_spans_of_real_music_hold_the_samples_of_a_full_decode(
    tracks: list[str], track: int
) -> None:
    _compare("opus", _spans_at(48000, 0.0, 2.4, 13.3, 26.5), Path(tracks[track]))


@pytest.mark.parametrize("bit_rate", [8_000, 320_000])
def test_the_reservoir_of_an_mp3_is_heard_before_a_span(tmp_path: Path, bit_rate: int) -> None:
    rate_hz = 8000 if bit_rate == 8_000 else 44100
    kind = Kind(name="mp3", suffix=".mp3", codec="libmp3lame", bit_rate=bit_rate)
    path = kind.write(tmp_path / "a.mp3", music(20, rate_hz, 1), rate_hz)
    _compare("mp3", _spans_at(rate_hz, 3.3, 11.7, 15.2), path)


@pytest.mark.parametrize("name", list(KINDS))
def test_scanned_windows_are_among_the_full_ones(files: dict[str, Path], name: str) -> None:
    info = probe(str(files[name]))
    cut = NativeCut(grid=ENCODERS["musicnn"].grid, native_hz=info.rate_hz, n_native=info.n_samples)
    n_grid = cut.grid.count(cut.n_samples)
    windows = {}
    for n_windows in (0, 3):
        chosen = choose_windows(n_grid, n_windows)
        spans = cut.spans(chosen)
        read = read_spans(info, spans)
        pieces = zip(chosen, spans, read, strict=True)
        windows[n_windows] = {i: cut.resample(i, span, samples) for i, span, samples in pieces}
    assert set(windows[3]) < set(windows[0])
    for i, window in windows[3].items():
        assert np.abs(window).max() > 0.1
        if name in NOISY:
            assert _snr_db(window, windows[0][i]) > 15
        else:
            np.testing.assert_allclose(
                window, windows[0][i], atol=TOLERANCES.get(name, 0.0), rtol=0
            )


@pytest.mark.parametrize("name", list(KINDS))
def test_the_same_file_gives_the_same_bits_twice(
    files: dict[str, Path], name: str, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(files[name], tmp_path / "renamed"))  # not even the suffix matters
    one, two = probe(str(files[name])), probe(str(copy))
    assert one.digest == two.digest
    spans = _spans_at(one.rate_hz, 0.0, 11.0, 24.0)
    for a, b in zip(read_spans(one, spans), read_spans(two, spans), strict=True):
        assert np.abs(a).max() > 0.1
        assert a.tobytes() == b.tobytes()


def test_opposite_channels_cancel_and_one_channel_of_two_counts_half(tmp_path: Path) -> None:
    mono = music(2, 44100, 1)
    kind = KINDS["wav-float"]
    opposite = kind.write(tmp_path / "o.wav", np.concatenate([mono, -mono]), 44100)
    assert not _whole(opposite).any()
    left = kind.write(tmp_path / "l.wav", np.concatenate([mono, 0 * mono]), 44100)
    np.testing.assert_allclose(_whole(left), mono[0] / 2, atol=1e-7)


def test_floats_out_of_range_and_nan_are_bounded(tmp_path: Path) -> None:
    signal = music(2, 44100, 1)
    signal[0, 1000:1010] = [np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, 2, -2, 0, 1]
    heard = _whole(KINDS["wav-float"].write(tmp_path / "a.wav", signal, 44100))
    assert heard[1000:1010].tolist() == [0, 4, -4, 4, -4, 4, 2, -2, 0, 1]


def test_silence_is_zeros(tmp_path: Path) -> None:
    for name in ("flac", "mp3-cbr", "opus"):
        kind = KINDS[name]
        path = kind.write(
            tmp_path / f"s{kind.suffix}", np.zeros((2, 96000), dtype=np.float32), 48000
        )
        assert np.abs(_whole(path)).max() < 1e-4


def test_no_span_reads_nothing(files: dict[str, Path]) -> None:
    assert list(read_spans(probe(str(files["flac"])), [])) == []


def test_a_file_that_went_away_after_probing_is_an_audio_error(tmp_path: Path) -> None:
    path = KINDS["flac"].write(tmp_path / "a.flac", music(2, 44100), 44100)
    info = probe(str(path))
    path.unlink()
    with pytest.raises(AudioError, match="No such file"):
        list(read_spans(info, [Span(start=0, stop=100)]))


_MEMORY_OF_SCAN = """
import resource, sys
from embed import ENCODERS, probe, read_spans
from embed.encoders.windows import NativeCut, choose_windows
def scan(path):
    info = probe(path)
    cut = NativeCut(grid=ENCODERS["musicnn"].grid, native_hz=info.rate_hz, n_native=info.n_samples)
    chosen = choose_windows(cut.grid.count(cut.n_samples), 12)
    spans = cut.spans(chosen)
    heard = zip(chosen, spans, read_spans(info, spans))
    peaks = [abs(cut.resample(i, span, samples)).max() for i, span, samples in heard]
    assert len(peaks) == 12 or info.duration_s < 60
    return info.duration_s, float(min(peaks))
def peak_mib():
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
scan(sys.argv[1])
before = peak_mib()
duration_s, quietest = scan(sys.argv[2])
print(duration_s, quietest, peak_mib() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform == "win32", reason="peak memory is read with resource, which is POSIX"
)
@pytest.mark.parametrize("name", ["mp3", pytest.param("wav", marks=pytest.mark.long)])
def test_memory_stays_flat_on_ten_hours(tmp_path: Path, name: str) -> None:
    short = tmp_path / f"short.{name}"
    long = tmp_path / f"long.{name}"
    plain = {"write_xing": "0", "id3v2_version": "0"} if name == "mp3" else {"fflags": "+bitexact"}
    codec = "libmp3lame" if name == "mp3" else "pcm_u8"
    kind = Kind(
        name=name,
        suffix="",
        codec=codec,
        bit_rate=8000 if name == "mp3" else None,
        muxer_options=plain,
    )
    content = kind.write(short, music(30, 8000, 1), 8000).read_bytes()
    header = b""
    if name == "wav":
        header, content = content[:-240_000], content[-240_000:]
        assert header.endswith(b"data" + (240_000).to_bytes(4, "little"))
        header = header[:-4] + b"\xff" * 4  # as of one written to a pipe
    with long.open("wb") as file:
        file.write(header)
        for _ in range(1200):
            file.write(content)
    command = [sys.executable, "-c", _MEMORY_OF_SCAN, str(short), str(long)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    duration_s, quietest, growth_mib = map(float, done.stdout.split())
    assert duration_s == pytest.approx(36000, rel=0.01)
    assert quietest > 0.05
    # 12 windows of 3 s and a packet are 1 MiB; ten hours decoded would be 1100 MiB.
    assert growth_mib < 60
