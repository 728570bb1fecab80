"""Scores in tags: one field, the same sound, and every byte back; nothing is ever half written."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen
import mutagen.id3
import pytest
from reliability.tag_kills import kill_tagging
from typer.testing import CliRunner

import classify
from cache import Catalog
from classify.cli.app import app
from classify.tagging import writing as writing_module
from classify.tagging.score_field import FIELD, OpenTags
from classify.tagging.undoing import undo_tags
from classify.tagging.writing import TagOutcome, read_field, write_scores, write_tags
from embed import probe
from tests.classify.labels.made_library import make_songs, put_songs
from tests.support.audio_files import KINDS, music
from tests.support.reference_files import REFERENCE_KINDS, write_reference
from tests.support.tools import tool

TAGGED = ["mp3-cbr", "flac", "vorbis", "opus", "aac", "alac", "wav-16", "aiff", "wma", "wavpack"]
OTHERS = {
    "musepack": ("mpcenc",),
    "speex 16000": ("sox", "speexenc"),
    "tta": ("ffmpeg",),
    "flac ogg": ("flac",),
    "dsf": (),
    "dff": (),
}
"""Kinds that PyAV does not write, and the programs that do."""
REFUSED = {
    "aac adts": ("ffmpeg",),
    "flac mka": ("ffmpeg",),
    "caf 16": ("ffmpeg",),
    "au 16": ("ffmpeg",),
    "w64": ("ffmpeg",),
    "ac3": ("ffmpeg",),
    "amr": (),
}
"""The same of kinds without a place for the field."""
KEPT = {"artist": "Ann", "title": "Söng", "album": "A"}
OLD_NS = 1_500_000_000_123_456_789


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cache with a taste, and files of every kind that it knows."""

    root: Path
    files: dict[str, Path]


def _make_file(folder: Path, name: str) -> Path:
    kind = KINDS[name]
    path = folder / f"{name}{kind.suffix}"
    kind.write(path, music(1.0, 44100 if 44100 in kind.rates_hz else 48000, 2), 48000, KEPT)
    return path


@pytest.fixture(scope="module")
def made(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What `place` copies."""
    folder = tmp_path_factory.mktemp("tags")
    songs = make_songs(compiled, folder, range(40))
    classify.label("like", songs[:16:4], root=folder / "cache")
    (folder / "files").mkdir()
    files = {name: _make_file(folder / "files", name) for name in [*TAGGED, "adts"]}
    wav = KINDS["wav-16"].write(folder / "long.wav", music(10.0, 44100), 44100)
    kinds = {kind.name: kind for kind in REFERENCE_KINDS}
    for name, programs in (OTHERS | REFUSED).items():
        if all(map(shutil.which, programs)):
            out = folder / "files" / f"{name}{kinds[name].suffix}"
            files[name] = write_reference(kinds[name], wav, out)
    return Place(root=folder / "cache", files=files)


def _place(made: Place, folder: Path) -> Place:
    """Copy files into a folder, with rights, times and attributes of their own, and know them."""
    shutil.copytree(made.root, folder / "cache")
    files = {name: folder / path.name for name, path in made.files.items()}
    for name, path in files.items():
        shutil.copy(made.files[name], path)
        path.chmod(0o640)
        _set_attribute(path)
        os.utime(path, ns=(OLD_NS, OLD_NS))
    put_songs(
        folder / "cache",
        list(files.values()),
        [probe(path).digest for path in files.values()],
        range(100, 100 + len(files)),
    )
    return Place(root=folder / "cache", files=files)


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    return _place(made, tmp_path)


def _set_attribute(path: Path) -> None:
    if hasattr(os, "setxattr"):
        try:
            os.setxattr(path, "user.note", b"kept")
        except OSError:  # a file system without them
            return


def _looks(path: Path) -> dict[str, Any]:
    status = path.stat()
    names = os.listxattr(path) if hasattr(os, "listxattr") else []
    return {
        "mode": stat.S_IMODE(status.st_mode),
        "time": status.st_mtime_ns,
        "owner": (status.st_uid, status.st_gid),
        "attributes": {name: os.getxattr(path, name) for name in names},
    }


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happened to a file."""

    path: Path
    original: bytes
    looks: list[dict[str, Any]]
    digests: list[str]
    outcomes: list[TagOutcome]
    written: Path
    undone: bytes


@pytest.fixture(scope="module")
def stories(made: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Story]:
    """Files of every kind are written into, once more with nothing new, and taken back."""
    folder = tmp_path_factory.mktemp("stories")
    place = _place(made, folder)
    (folder / "written").mkdir()
    paths = list(place.files.values())
    originals = {path: path.read_bytes() for path in paths}
    looks = {path: [_looks(path)] for path in paths}
    digests = {path: [probe(path).digest] for path in paths}
    done = [write_tags([str(path) for path in paths], root=place.root)]
    for path in paths:
        shutil.copy(path, folder / "written")
        looks[path].append(_looks(path))
        digests[path].append(probe(path).digest)
    rows = Catalog(place.root).lookup(list(map(str, paths)))
    assert all(row.is_still(os.stat(path)) for path, row in rows.items()), "no new music"
    done += [write_tags([str(path) for path in paths], root=place.root)]
    done += [undo_tags(root=place.root), undo_tags(root=place.root)]
    for path in paths:
        looks[path].append(_looks(path))
    outcomes = [{one.path: one for one in each} for each in done]
    assert outcomes[3] == {}, "nothing is left to take back"
    assert not list(folder.glob(".*"))
    return {
        name: Story(
            path=path,
            original=originals[path],
            looks=looks[path],
            digests=digests[path],
            outcomes=[each[str(path)] for each in outcomes[:3] if str(path) in each],
            written=folder / "written" / path.name,
            undone=path.read_bytes(),
        )
        for name, path in place.files.items()
    }


def _story(stories: dict[str, Story], name: str) -> Story:
    for program in (OTHERS | REFUSED).get(name, ()):
        tool(program)
    return stories[name]


@pytest.mark.parametrize("name", [*TAGGED, *OTHERS])
def test_each_kind_gets_the_field_keeps_its_sound_and_gets_its_bytes_back(
    stories: dict[str, Story], name: str
) -> None:
    story = _story(stories, name)
    first, second, undone = story.outcomes
    assert (first.status, first.former, first.exact) == ("written", None, True), first.error
    assert second.status == "unchanged"
    assert read_field(story.written) == first.score
    assert first.score is not None
    assert 0 <= float(first.score) <= 1
    assert story.digests[0] == story.digests[1]
    assert story.looks[0] == story.looks[1] == story.looks[2]
    assert (undone.status, undone.exact) == ("restored", True)
    assert story.undone == story.original


@pytest.mark.parametrize("name", ["adts", *REFUSED])
def test_a_kind_without_a_place_for_tags_is_refused(stories: dict[str, Story], name: str) -> None:
    story = _story(stories, name)
    assert story.outcomes[0].status == "failed"
    said = str(story.outcomes[0].error)
    assert said.startswith("this kind of file has no place for the score; these have: MP3, FLAC")
    assert story.undone == story.original


# FFmpeg reads no ID3 behind the sound of WAV; kid3 does.
@pytest.mark.parametrize("name", [name for name in TAGGED if name != "wav-16"])
def test_other_programs_read_the_field_and_all_other_tags(
    stories: dict[str, Story], name: str
) -> None:
    ffprobe = tool("ffprobe")
    story = stories[name]
    argv = [ffprobe, "-v", "error", "-of", "json", "-show_format", "-show_streams"]

    def tags(path: Path) -> dict[str, str]:
        found = subprocess.run([*argv, str(path)], capture_output=True, check=True).stdout
        told = json.loads(found)
        both = told["format"].get("tags", {}) | told["streams"][0].get("tags", {})
        return {key.upper(): value for key, value in both.items()}

    now = tags(story.written)
    assert now.pop(FIELD) == story.outcomes[0].score
    story.path.write_bytes(story.original)
    assert now == tags(story.path)


def test_kid3_reads_the_field(stories: dict[str, Story]) -> None:
    kid3 = tool("kid3-cli")
    names = ("mp3-cbr", "flac", "aac", "wav-16", "musepack", "speex 16000", "tta", "dsf")
    for name in [one for one in names if one in stories]:
        story = stories[name]
        done = subprocess.run(
            [kid3, "-c", "get all", str(story.written)],
            capture_output=True,
            text=True,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        )
        assert re.search(rf"{FIELD}\s+{re.escape(str(story.outcomes[0].score))}", done.stdout), name


def test_a_new_score_replaces_the_old_one_and_undo_goes_back_to_before_both(place: Place) -> None:
    song = str(place.files["mp3-cbr"])
    original = Path(song).read_bytes()
    write_scores({song: "0.250"}, root=place.root)
    (second,) = write_scores({song: "0.750"}, root=place.root)
    assert (second.status, second.former, second.exact) == ("written", "0.250", True)
    (undone,) = undo_tags(song, root=place.root)
    assert (undone.status, undone.score) == ("restored", None)
    assert Path(song).read_bytes() == original


@pytest.mark.parametrize("name", ["mp3-cbr", "flac", "opus", "aac", "wma", "wav-16"])
def test_of_a_file_that_was_tagged_since_only_our_field_is_taken_out(
    place: Place, name: str
) -> None:
    song = place.files[name]
    write_scores({str(song): "0.250"}, root=place.root)
    OpenTags(song).put(["0.251", "of a listener"])  # as another program would
    (kept,) = undo_tags(song, root=place.root)
    assert (kept.status, read_field(song)) == ("unchanged", "0.251; of a listener")
    write_scores({str(song): "0.250"}, root=place.root)
    others = OpenTags(song).others()
    with song.open("ab") as file:  # what is written here at its end changes no tag
        file.write(b"\0" * 64)
    digest = probe(song).digest
    (undone,) = undo_tags(song, root=place.root)
    assert (undone.status, undone.exact, undone.error) == ("removed", False, None)
    assert read_field(song) == "0.251; of a listener"
    assert OpenTags(song).others() == others
    assert probe(song).digest == digest


def test_where_too_much_would_have_to_be_kept_undo_is_tag_for_tag(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_module, "_MOST_KEPT_BYTES", 0)
    song = place.files["flac"]
    others = OpenTags(song).others()
    (written,) = write_scores({str(song): "0.250"}, root=place.root)
    assert (written.status, written.exact) == ("written", False)
    write_scores({str(song): "0.750"}, root=place.root)
    (undone,) = undo_tags(song, root=place.root)
    assert (undone.status, read_field(song)) == ("removed", None)
    assert OpenTags(song).others() == others


def test_id3_keeps_its_version_and_what_older_readers_see(place: Place) -> None:
    song = place.files["mp3-cbr"]
    tags = mutagen.id3.ID3(song)
    tags.add(mutagen.id3.TPE1(encoding=1, text=["Ann", "Bob"]))
    tags.add(mutagen.id3.TDRC(text="2001-02-03"))
    tags.update_to_v23()
    tags.save(song, v1=2, v2_version=3, v23_sep=None)
    before = mutagen.id3.ID3(song, translate=False)
    end = song.read_bytes()[-128:]
    assert end.startswith(b"TAG")
    write_scores({str(song): "0.250"}, root=place.root)
    after = mutagen.id3.ID3(song, translate=False)
    assert before.version == after.version == (2, 3, 0)
    assert song.read_bytes()[-128:] == end
    after.delall(f"TXXX:{FIELD}")
    assert {key: repr(one) for key, one in after.items()} == {
        key: repr(one) for key, one in before.items()
    }


def test_a_file_that_was_moved_is_found_by_the_catalog_and_one_that_is_gone_stays_in_the_journal(
    place: Place,
) -> None:
    song, away = place.files["flac"], place.files["flac"].with_name("moved.flac")
    original = song.read_bytes()
    write_scores({str(song): "0.250"}, root=place.root)
    digest = probe(song).digest
    song.rename(away)
    (lost,) = undo_tags(root=place.root)
    assert lost.status == "failed"
    assert "stays in the journal" in str(lost.error)
    put_songs(place.root, [away], [digest], [100])
    (undone,) = undo_tags(root=place.root)
    assert (undone.status, undone.path) == ("restored", str(away))
    assert away.read_bytes() == original


def test_files_that_can_not_be_replaced_are_refused_and_stay_as_they_are(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked, locked, changed = (place.files[name] for name in ("flac", "opus", "wav-16"))
    os.link(linked, linked.with_name("other name.flac"))
    locked.chmod(0o440)
    before = {path: path.read_bytes() for path in (linked, locked, changed)}
    address = "s3://bucket/song.flac"
    texts = dict.fromkeys([*map(str, before), address], "0.250")
    put = OpenTags.put

    def put_while_another_program_writes(self: OpenTags, values: Sequence[str]) -> None:
        put(self, values)
        with changed.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(OpenTags, "put", put_while_another_program_writes)
    outcomes = {one.path: str(one.error) for one in write_scores(texts, root=place.root)}
    assert "lies in an object store" in outcomes.pop(address)
    errors = {Path(path): error for path, error in outcomes.items()}
    assert "has 2 names (hard links)" in errors[linked]
    assert errors[locked] == "is read-only"
    assert errors[changed] == "was changed by another program meanwhile"
    assert changed.read_bytes() == before[changed] + b"more"
    assert linked.read_bytes() == before[linked]
    assert locked.read_bytes() == before[locked]


def test_the_command_tells_what_it_would_write_and_what_it_wrote(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    song, adts = str(place.files["flac"]), str(place.files["adts"])
    original = Path(song).read_bytes()

    def run(*arguments: str, code: int = 0) -> Any:
        argv = ["--cache", str(place.root), "tags", *arguments]
        done = CliRunner().invoke(app, argv)
        assert done.exit_code == code, done.output
        return done

    planned = run("write", song, "--dry-run").stdout
    assert "1 song: 1 would be written" in planned
    assert Path(song).read_bytes() == original
    (told,) = json.loads(run("write", song, "--json").stdout)
    assert (told["status"], told["path"], told["exact"]) == ("written", song, True)
    assert planned.startswith(f"{told['score']}  {song}")
    failed = run("write", adts, code=1)
    assert f"failed: {adts}: this kind of file has no place for the score" in failed.stderr
    assert run("undo").stdout == "1 song: 1 restored byte for byte\n"
    assert Path(song).read_bytes() == original
    assert run("undo").stdout == "0 songs: nothing was written\n"
    monkeypatch.setitem(sys.modules, "mutagen", None)
    assert "pip install 'sevensongs[tags]'" in run("write", song, code=1).stderr


@pytest.mark.parametrize("undoes", [False, True], ids=["write", "undo"])
def test_a_kill_at_any_step_loses_no_song(tmp_path: Path, undoes: bool) -> None:
    row = kill_tagging(2, tmp_path, undoes=undoes)
    assert (row["survived"], row["lost"], row["wrong"]) == (2, 0, 0)
    assert row["steps"] > 10
