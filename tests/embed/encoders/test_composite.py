"""Composite encoders: their names, and how they fill the cache."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import cache
import embed
from embed.encoders.composite import encoder_names
from tests.support.audio_files import KINDS


@pytest.fixture
def music(tracks: list[str], tmp_path: Path) -> Path:
    """A folder of three songs, copies."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number, track in enumerate(tracks[:3]):
        shutil.copy(track, folder / f"{number}.opus")
    return folder


def counts(report: embed.EmbedReport) -> tuple[int, int, int]:
    assert report.found == report.embedded + report.cached + len(report.failed)
    return report.embedded, report.cached, len(report.failed)


def n_songs(root: Path) -> dict[str, int]:
    return {store.encoder: store.n_songs for store in cache.list_stores(root)}


# --- Names


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("best", embed.BEST_ENCODER),
        ("default", embed.DEFAULT_ENCODER),
        ("fast", embed.FAST_ENCODER),
    ],
)
def test_best_default_and_fast_stand_for_encoders(
    choice: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(embed.ENCODER_VARIABLE)
    assert embed.encoder_name(choice) == name
    assert set(embed.split_encoder(name)) <= set(embed.ENCODERS)
    assert embed.encoder_name(f"yamnet+{choice}") == f"{name}+yamnet"
    for other in (f"{choice}+musicnn", f"{choice}+", choice.upper()):
        with pytest.raises(embed.EncoderError):
            embed.encoder_name(other)


@pytest.mark.parametrize(
    ("named", "meant"),
    [("fast", embed.FAST_ENCODER), ("best", embed.BEST_ENCODER), ("yamnet", "yamnet")]
    + [(nothing, embed.DEFAULT_ENCODER) for nothing in ("", " ", "default")]
    + [("yamnet+fast", f"{embed.FAST_ENCODER}+yamnet"), ("hub:/m/a+fast", "hub:/m/a+fast")]
    + [("default+yamnet", f"{embed.DEFAULT_ENCODER}+yamnet")]
    + [("best+yamnet", f"{embed.BEST_ENCODER}+yamnet")],
)
def test_the_environment_names_another_default(
    named: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(embed.ENCODER_VARIABLE, named)
    assert embed.encoder_name("default") == meant
    monkeypatch.setenv(embed.ENCODER_VARIABLE, "nonsense")
    with pytest.raises(embed.EncoderError, match="no encoder 'nonsense'"):
        embed.encoder_name("default")


def test_the_default_is_written_as_it_is_stored_and_the_quickest_is_one_encoder() -> None:
    assert embed.encoder_name(embed.DEFAULT_ENCODER) == embed.DEFAULT_ENCODER
    assert embed.encoder_spec("fast").name == embed.FAST_ENCODER
    with pytest.raises(embed.EncoderError, match="names several encoders"):
        embed.encoder_spec("best")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("musicnn", ("musicnn",)),
        ("yamnet+musicnn", ("musicnn", "yamnet")),
        ("yamnet+vggish+musicnn", ("musicnn", "vggish", "yamnet")),
        ("musicnn+hub:/m/c++", ("hub:/m/c++", "musicnn")),
        ("hub:/m/c+++musicnn", ("hub:/m/c++", "musicnn")),
        ("hub:/m/a+b+yamnet", ("hub:/m/a+b", "yamnet")),
        ("hub:/m/a+yamnet-2", ("hub:/m/a+yamnet-2",)),
        ("hub:/m/a+yamnet/1", ("hub:/m/a+yamnet/1",)),
        ("hub:/m/b+hub:/m/a", ("hub:/m/a", "hub:/m/b")),
        ("hub:https://h.org/m+1+yamnet", ("hub:https://h.org/m+1", "yamnet")),
        ("onnx:/m/a+b.onnx+musicnn", ("musicnn", "onnx:/m/a+b.onnx")),
        ("tflite:/m/a+onnx:/m/b+c+hub:/m/d", ("hub:/m/d", "onnx:/m/b+c", "tflite:/m/a")),
    ],
)
def test_a_name_is_split_only_between_encoders(name: str, parts: tuple[str, ...]) -> None:
    assert encoder_names(name) == parts
    assert embed.encoder_name(name) == "+".join(parts)
    assert embed.split_encoder("+".join(parts)) == parts, "what a taste records can be read back"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("musicnn+mp3net", "no encoder 'mp3net'"),
        ("musicnn+", "no encoder ''"),
        ("+musicnn", "no encoder ''"),
        ("musicnn yamnet", "no encoder 'musicnn yamnet'"),
        ("musicnn+hub:", "no encoder 'hub:'"),
        ("musicnn+yamnet+musicnn", "names musicnn twice"),
        ("hub:/m+hub:/n/../m", "names hub:/m twice"),
        ("musicnn+yamnet+vggish+hub:/a+hub:/b", "5 encoders; up to 4"),
        ("hub:/m/a+musicnn/", "rename the folder"),
    ],
)
def test_names_that_can_not_be_are_refused(name: str, words: str, tmp_path: Path) -> None:
    for call in (embed.encoder_name, lambda n: embed.embed_library([], encoder=n, root=tmp_path)):
        with pytest.raises(embed.EncoderError, match=words):
            call(name)
    assert list(tmp_path.iterdir()) == []


def test_one_encoder_is_not_loaded_under_the_name_of_two(tmp_path: Path) -> None:
    with pytest.raises(embed.EncoderError, match="names several encoders"):
        embed.load_encoder("musicnn+yamnet", root=tmp_path)


def test_a_composite_is_named_by_its_parts_in_one_order(pair_root: Path, tiny: str) -> None:
    one = embed.prepare_encoders(f"{tiny}+musicnn", root=pair_root)
    other = embed.prepare_encoders(f"musicnn+{tiny}", root=pair_root)
    assert one == other
    alone = [embed.prepare_encoder(name, root=pair_root).fingerprint for name in (tiny, "musicnn")]
    assert (one.name, one.fingerprint) == (f"{tiny}+musicnn", "+".join(alone))
    assert embed.is_compiled(one.fingerprint, root=pair_root)
    assert not embed.is_compiled(f"{one.fingerprint}+{'0' * 16}", root=pair_root)


def test_a_copy_of_a_model_is_not_a_second_encoder(
    pair_root: Path, tiny: str, tmp_path: Path
) -> None:
    shutil.copytree(tiny.removeprefix("hub:"), tmp_path / "copy")
    with pytest.raises(embed.EncoderError, match="are the same encoder"):
        embed.prepare_encoders(f"{tiny}+hub:{tmp_path / 'copy'}", root=pair_root)


# --- Filling the cache


def test_each_part_keeps_its_own_embeddings(music: Path, pair_root: Path, tiny: str) -> None:
    both = f"musicnn+{tiny}"
    assert counts(embed.embed_library([music / "0.opus"], root=pair_root)) == (1, 0, 0)
    told: list[embed.Progress] = []
    report = embed.embed_library([music], root=pair_root, encoder=both, progress=told.append)
    assert counts(report) == (3, 0, 0)
    assert report.encoder == f"{tiny}+musicnn"
    assert report.audio_s == pytest.approx(93, rel=0.05), "each song's length once"
    done = [progress.n_done for progress in told]
    assert done == sorted(done)
    assert {progress.n_total for progress in told} == {3}
    assert done[-1] == 3
    assert n_songs(pair_root) == {tiny: 3, "musicnn": 3}
    # Nothing is left to do, for the composite in either order or for a part of it.
    for name in (both, f"{tiny}+musicnn", tiny, "musicnn"):
        assert counts(embed.embed_library([music], root=pair_root, encoder=name)) == (0, 3, 0)
    # And a part is embedded as it is alone.
    alone = pair_root.parent / "alone"
    shutil.copytree(pair_root / "encoders", alone / "encoders")
    embed.embed_library([music], root=alone, encoder=tiny)
    for root in (alone, pair_root):
        assert n_songs(root)[tiny] == 3
    prepared = embed.prepare_encoder(tiny, root=alone)
    matrices = [
        cache.EmbeddingStore(
            root, encoder=tiny, fingerprint=prepared.fingerprint, dim=prepared.dim
        ).matrix()
        for root in (alone, pair_root)
    ]
    assert matrices[0][0] == matrices[1][0]
    np.testing.assert_array_equal(matrices[0][1], matrices[1][1])


@pytest.mark.long
def test_failures_and_copies_are_counted_once(music: Path, pair_root: Path, tiny: str) -> None:
    both = f"musicnn+{tiny}"
    shutil.copy(music / "0.opus", music / "copy.opus")
    (music / "text.mp3").write_text("This is not music.", encoding="ascii")
    # The small encoder can make nothing of this; musicnn can.
    KINDS["flac"].write(music / "high.flac", np.full((1, 160000), 0.9, np.float32), 16000)
    paths = [music, music / "missing.mp3"]
    report = embed.embed_library(paths, root=pair_root, encoder=both)
    assert counts(report) == (3, 1, 3)
    failed = {os.path.basename(failure.path): failure.error for failure in report.failed}
    assert set(failed) == {"text.mp3", "high.flac", "missing.mp3"}
    assert "not finite" in failed["high.flac"]
    again = embed.embed_library(paths, root=pair_root, encoder=both)
    assert counts(again) == (0, 4, 3)
    assert sum("remembered" in failure.error for failure in again.failed) == 1
    assert counts(embed.embed_library(paths, root=pair_root)) == (1, 4, 2), "musicnn alone can"
    assert counts(embed.embed_library(paths, root=pair_root, encoder=both)) == (0, 4, 3)


def test_a_missing_part_is_told_before_any_work(
    music: Path, pair_root: Path, tmp_path: Path
) -> None:
    with pytest.raises(embed.EncoderUnavailable, match="no SavedModel"):
        embed.embed_library([music], root=pair_root, encoder=f"musicnn+hub:{tmp_path / 'nowhere'}")
    assert n_songs(pair_root) == {}


def test_an_interrupted_run_keeps_what_each_part_has_done(
    music: Path, pair_root: Path, tiny: str
) -> None:
    both = f"musicnn+{tiny}"

    def stop(progress: embed.Progress) -> None:
        if progress.n_done == 2:  # of each song both embeddings: it is read once
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed.embed_library([music], root=pair_root, encoder=both, workers=1, progress=stop)
    kept = n_songs(pair_root)
    assert kept[tiny] == kept["musicnn"] == 2
    report = embed.embed_library([music], root=pair_root, encoder=both)
    assert counts(report) == (3 - kept["musicnn"], kept["musicnn"], 0)


def test_encoders_may_cover_songs_differently(music: Path, pair_root: Path, tiny: str) -> None:
    coverage: dict[str, str | int] = {"musicnn": 2, tiny: "full"}
    embed.embed_library([music], root=pair_root, encoder=f"musicnn+{tiny}", coverage=coverage)
    held = {}
    for part in embed.prepare_encoders(f"musicnn+{tiny}", root=pair_root).parts:
        store = cache.EmbeddingStore(
            pair_root, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim
        )
        held[part.name] = set(store.held().values())
    assert held == {"musicnn": {2}, tiny: {cache.WHOLE}}
    with pytest.raises(embed.EmbedError, match="coverage is 'some'"):
        embed.embed_library([music], root=pair_root, coverage={"musicnn": "some"})
