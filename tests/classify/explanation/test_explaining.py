"""Why a song has its score, on real music.

It adds up, its moments are right, and it can be shown.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

import classify
import embed
from cache import WHOLE
from classify import ClassifyError, TasteError
from classify.cli.app import app
from classify.demo import is_liked
from classify.explanation.explanation import Explanation, Resemblance, TagAccount, TagShare
from classify.explanation.page import explanation_page, write_page, write_png
from classify.explanation.picture import draw_explanation
from classify.explanation.tag_account import MIN_SONGS
from classify.explanation.words import against, clock, explanation_story, tag_rows, told_tags
from classify.library.song_library import SongLibrary
from classify.output.plot_style import DARK
from tests.support.unclear_words import UNCLEAR

HOSTILE = '</script><img src=x onerror=alert(1)> "$x^2$'


def _read(path: str, start_s: float, stop_s: float) -> np.ndarray:
    info = embed.probe(path)
    span = embed.Span(start=round(start_s * info.rate_hz), stop=round(stop_s * info.rate_hz))
    return next(iter(embed.read_spans(info, [span])))


def _write(path: Path, samples: np.ndarray, **tags: str) -> str:
    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream("flac", rate=48000, layout="mono", format="s16")
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


class Tour:
    """The demo's music, a taste for its acoustic half, and songs spliced of both halves."""

    def __init__(self, root: Path, heard: Path) -> None:
        self.root = root
        self._sounds: dict[str, embed.SoundPicture] = {}
        shutil.copytree(heard / "cache", root)
        tracks = sorted(map(str, (heard / "music").iterdir()))
        liked = [track for track in tracks if is_liked(track)]
        self.liked, self.unseen = (
            liked[::2][:7],
            [track for track in liked if track not in liked[::2][:7]],
        )
        self.other = [track for track in tracks if not is_liked(track)]
        rest = [*self.unseen, *self.other]
        self.taste = classify.train(self.liked, unlabelled=rest, taste="default", root=root).taste
        folder = root.parent / "spliced"
        folder.mkdir()
        self.spliced = [
            (self._splice(folder, k, k % 2 == 0, seam), seam, k % 2 == 0)
            for k, seam in enumerate((20.3, 17.9, 25.0, 14.6))
        ]

    def _splice(self, folder: Path, k: int, liked_first: bool, seam_s: float) -> str:
        first, second = (self.unseen, self.other) if liked_first else (self.other, self.unseen)
        parts = _read(first[k], 0, seam_s), _read(second[k + 4], 2, 23)
        return _write(folder / f"{k}.flac", np.concatenate(parts), title=HOSTILE)

    def sound(self, path: str) -> embed.SoundPicture:
        if path not in self._sounds:
            self._sounds[path] = embed.sound_picture(path)
        return self._sounds[path]

    def explain(self, path: str) -> Explanation:
        return classify.explain(path, taste=self.taste, whole=True, root=self.root)


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory, heard: Path) -> Tour:
    root = tmp_path_factory.mktemp("explain") / "cache"
    made = Tour(root, heard)
    assert not embed.embed_library(
        [path for path, *_ in made.spliced], root=root, coverage="full"
    ).failed
    return made


def test_contributions_add_up_to_the_score(tour: Tour) -> None:
    for path in (tour.unseen[0], tour.other[0], tour.liked[0], tour.spliced[0][0]):
        found = tour.explain(path)
        assert (
            found.score == classify.score([path], taste=tour.taste, root=tour.root).songs[0].score
        )
        steps = sum(found.points) + found.unfamiliar
        assert found.start_score + steps == pytest.approx(found.score, abs=1e-9)
        assert found.start_score == pytest.approx(tour.taste.threshold, abs=1e-6)
        assert found.tags is not None
        told = sum(tag.points for tag in found.tags.tags) + found.tags.not_told + found.unfamiliar
        assert found.start_score + told == pytest.approx(found.score, abs=1e-9)
        for one in found.passages:
            inside = [
                points
                for at, points in zip(found.starts_s, found.points, strict=True)
                if one.start_s <= at < one.end_s
            ]
            assert one.points == pytest.approx(sum(inside))


def test_the_seam_of_a_spliced_song_is_found_within_three_seconds(tour: Tour) -> None:
    for path, seam_s, liked_first in tour.spliced:
        found = tour.explain(path)
        assert min(abs(at - seam_s) for at in found.sections_s) <= 3
        edges = [at for one in found.passages for at in (one.start_s, one.end_s)]
        assert min(abs(at - seam_s) for at in edges) <= 3
        # The acoustic side speaks for the song, the electronic one against it, and the curve
        # agrees.
        sides = np.array([at + 1.5 < seam_s for at in found.starts_s]) == liked_first
        points, scores = np.array(found.points), np.array(found.scores)
        assert points[sides].sum() > 0 > points[~sides].sum()
        assert scores[sides].mean() > scores[~sides].mean() + 0.1


def test_a_passage_told_for_a_song_is_never_one_against_it(tour: Tour) -> None:
    for path, *_ in tour.spliced[:1]:
        found = tour.explain(path)
        alt = draw_explanation(found, tour.sound(path))[0].alt
        for one in found.passages:
            way = "raises" if one.points > 0 else "lowers"
            assert f"{clock(one.start_s)} to {clock(one.end_s)} {way} it" in alt


def test_a_song_is_heard_wholly_and_what_it_resembles_is_a_like(tour: Tour, mix: Path) -> None:
    embed.embed_library([mix], root=tour.root)  # twelve windows
    library = SongLibrary.of_taste(tour.taste, tour.root)
    (digest,) = library.digests([str(mix)])
    assert library.vectors.held([digest])[digest] != WHOLE
    found = tour.explain(str(mix))
    assert library.vectors.held([digest])[digest] == WHOLE
    assert len(found.starts_s) == 100
    assert found.like is not None
    assert found.like.path in tour.liked
    assert found.dislike is None
    # It was put together of tracks one after the other, likes among them: those are in it.
    assert found.like.similarity > 0.9


def test_a_liked_song_does_not_resemble_itself(tour: Tour) -> None:
    found = tour.explain(tour.liked[0])
    assert found.label == "like"
    assert found.like is not None
    assert found.like.path != tour.liked[0]
    assert "You have called it a like yourself" in explanation_story(found)


@pytest.mark.long
def test_two_encoders_and_a_dislike_are_explained_too(
    tmp_path: Path, pair_root: Path, tiny: str
) -> None:
    rng, names = np.random.default_rng(0), []
    t = np.arange(12 * 48000) / 48000
    for k in range(14):
        tone = (
            np.sin(2 * np.pi * (220 if k < 6 else 1500) * (1 + 0.02 * k) * t)
            * (1 + np.sin(2 * t))
            / 4
        )
        names.append(
            _write(tmp_path / f"{k}.flac", tone + 0.01 * (k % 5) * rng.normal(size=t.size))
        )
    assert not embed.embed_library(names[:-1], root=pair_root, encoder=f"musicnn+{tiny}").failed
    assert not embed.embed_library(names[-1:], root=pair_root).failed  # by one of the two alone
    trained = classify.train(
        names[:4], dislikes=names[6:9], encoder=f"musicnn+{tiny}", root=pair_root, taste="both"
    )
    for name in (names[5], names[-1]):
        found = classify.explain(name, taste=trained.taste, root=pair_root)
        steps = sum(found.points) + found.unfamiliar
        assert found.start_score + steps == pytest.approx(found.score, abs=1e-9)
        assert found.like is not None
        assert found.dislike is not None
        assert (found.like.path in names[:4], found.dislike.path in names[6:9]) == (True, True)


def test_a_story_needs_no_matplotlib(tour: Tour) -> None:
    code = (  # SciPy's Fourier transforms are wanted to hear the song
        "import classify, sys\n"
        f"classify.explain({tour.unseen[0]!r}, root={str(tour.root)!r})\n"
        "heavy = {'matplotlib', 'librosa', 'tensorflow', 'sklearn', 'jinja2', 'PIL'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tour.root)


def test_what_can_not_be_explained_is_refused_in_words(
    tour: Tour, tmp_path: Path, root: Path
) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no song" * 300)
    with pytest.raises(ClassifyError, match=r"broken\.mp3: .*not audio"):
        tour.explain(str(broken))
    with pytest.raises(ClassifyError, match="holds 4 songs, one is needed"):
        tour.explain(str(Path(tour.spliced[0][0]).parent))
    with pytest.raises(ClassifyError, match=r"^there is no file .*none\.mp3$"):
        tour.explain(str(tmp_path / "none.mp3"))
    with pytest.raises(TasteError, match="nothing to compare"):
        classify.explain(tour.unseen[0], taste=tour.taste, root=root)


def test_the_story_says_what_speaks_for_and_against_a_song(tour: Tour) -> None:
    found = tour.explain(tour.spliced[0][0])
    story = explanation_story(found)
    assert f"Score {found.score:.2f}" in story
    for one in found.passages:
        assert f"{clock(one.start_s)} to {clock(one.end_s)}" in story
    assert "sounds like" in story
    assert "What speaks against it" in story
    strange = dataclasses.replace(
        found, unfamiliar=-0.2, verdict="unsure", title="\x1b[31mred\nline"
    )
    story = explanation_story(strange)
    assert "unlike anything that is known" in story
    assert "The evidence is thin" in story
    assert "\x1b" not in story
    assert "\nline" not in story


def test_times_are_written_as_players_do() -> None:
    assert [clock(at) for at in (0, 59.4, 59.6, 3599, 3600, 36061)] == [
        "0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01"
    ]  # fmt: skip


def test_the_picture_has_sound_and_score_over_one_time(tour: Tour) -> None:
    found = tour.explain(tour.spliced[0][0])
    sound = tour.sound(found.path)
    from matplotlib.patches import StepPatch

    picture, axis = draw_explanation(found, sound, palette=DARK)
    upper, lower = picture.figure.axes
    assert upper.get_ylabel() == "Frequency (Hz)"
    assert (lower.get_xlabel(), lower.get_ylabel()) == ("Time (min:s)", "Score")
    assert upper.get_xlim() == lower.get_xlim()
    assert lower.get_xlim() == pytest.approx((0, found.duration_s))
    assert upper.get_position().x0 == pytest.approx(lower.get_position().x0)
    assert axis.left == pytest.approx(lower.get_position().x0)
    labels = [label.get_text() for label in lower.get_xticklabels()]
    assert labels[:2] == ["0:00", "0:10"]
    assert np.array(upper.images[0].get_array()).shape == sound.levels_db.shape
    (curve,) = (patch for patch in lower.patches if isinstance(patch, StepPatch))
    assert np.array_equal(curve.get_data()[0], found.scores)
    assert HOSTILE[:20] in upper.get_title(loc="left")
    assert f"{found.score:.2f}" in picture.alt


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_safe_whole_and_usable_by_keyboard(tour: Tour, tmp_path: Path) -> None:
    found = tour.explain(tour.spliced[0][0])
    assert found.title == HOSTILE
    sound = tour.sound(found.path)
    assert write_page(found, sound, tmp_path / "why.html") is None
    text = (tmp_path / "why.html").read_text("utf-8")
    page = _Page()
    page.feed(text)
    names = [name for name, _ in page.tags]
    assert "img" not in names
    assert names.count("script") == 1
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    for _, attributes in page.tags:
        for key in ("src", "href", "xlink:href"):
            assert (attributes.get(key) or "data:").startswith(("data:", "#"))
    assert not re.search(r"url\((?!#)", text)
    slider = next(attributes for _, attributes in page.tags if attributes.get("role") == "slider")
    assert slider["tabindex"] == "0"
    assert float(slider["data-seconds"] or 0) == pytest.approx(found.duration_s, abs=0.001)
    plays = [
        float(a["data-at"] or 0) for name, a in page.tags if name == "button" and "data-at" in a
    ]
    assert plays[: len(found.passages)] == pytest.approx(
        [one.start_s for one in found.passages], abs=0.01
    )
    audio = next(attributes for name, attributes in page.tags if name == "audio")
    assert (audio["src"] or "").startswith("data:audio/flac;base64,")
    svg = next(attributes for name, attributes in page.tags if name == "svg")
    assert "Spectrogram of" in (svg["aria-label"] or "")


def test_a_large_song_is_played_from_its_file(
    tour: Tour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.explanation.page.MAX_AUDIO_BYTES", 1000)
    found = tour.explain(tour.unseen[0])
    note = write_page(found, tour.sound(found.path), tmp_path / "why.html")
    assert note
    assert "not put into the page" in note
    text = (tmp_path / "why.html").read_text("utf-8")
    assert "base64,T2dn" not in text
    assert f'src="{Path(found.path).as_uri()}"' in text
    assert "media-src file:" in text


def test_pictures_and_pages_that_can_not_be_written_are_refused(tour: Tour, tmp_path: Path) -> None:
    found = tour.explain(tour.unseen[0])
    sound = tour.sound(found.path)
    write_png(found, sound, tmp_path / "why.png")
    assert (tmp_path / "why.png").read_bytes()[:4] == b"\x89PNG"
    for write in (write_png, write_page):
        with pytest.raises(ClassifyError, match="can't be written"):
            write(found, sound, tmp_path / "no" / "folder")
    gone = dataclasses.replace(found, path=str(tmp_path / "gone.mp3"))
    with pytest.raises(ClassifyError, match="can't be read"):
        write_page(gone, sound, tmp_path / "why.html")
    assert "Time (min:s)" in explanation_page(found, sound, audio="data:audio/ogg;base64,")


def test_a_tag_that_nobody_hears_in_a_song_is_not_named(tour: Tour) -> None:
    tags = (
        TagShare(tag="metal", points=0.1, song=0.004, usual=0.002),
        TagShare(tag="folk", points=0.05, song=0.3, usual=0.1),
        TagShare(tag="electronic", points=0.04, song=0.01, usual=0.2),
    )
    account = TagAccount(tags=tags, not_told=0.0, r2=0.6)
    found = dataclasses.replace(tour.explain(tour.unseen[0]), tags=account)
    assert [one.tag for one in told_tags(found)] == ["folk", "electronic"]
    rows = {name: points for name, points, _ in tag_rows(found)}
    assert rows["other tags"] == pytest.approx(0.1)
    assert "metal" not in explanation_story(found)


def test_a_page_without_tags_or_moments_says_so(tour: Tour) -> None:
    found = tour.explain(tour.unseen[0])
    bare = dataclasses.replace(
        found,
        tags=None,
        passages=(),
        like=None,
        dislike=None,
        scores=(found.score,),
        points=(0.0,),
        starts_s=(0.0,),
        variety=0.0,
        unfamiliar=0.0,
        verdict="like",
    )
    page = explanation_page(bare, tour.sound(found.path), audio="data:audio/ogg;base64,")
    whole = explanation_page(found, tour.sound(found.path), audio="data:audio/ogg;base64,")
    for told in (page, whole, explanation_story(found)):
        said = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", told, flags=re.DOTALL)
        assert not [unclear for unclear in UNCLEAR if unclear in said]
    assert "alone it would score" in whole
    assert "<p>Nothing.</p>" in page
    assert "<p>No tags here: the encoder has none of its own" in page
    assert f"fewer than {MIN_SONGS} songs" in page
    assert "data-at=" not in page.partition("<script>")[0]


def test_nothing_never_speaks_against_a_song_that_sounds_like_a_dislike(tour: Tour) -> None:
    found = tour.explain(tour.unseen[0])
    near = Resemblance(
        at_s=1, other_at_s=2, similarity=0.9, path="/a.mp3", artist=None, title="Comet"
    )
    bare = dataclasses.replace(found, tags=None, passages=(), like=near, verdict="like")
    bare = dataclasses.replace(bare, variety=0.0, unfamiliar=0.0)
    bare = dataclasses.replace(bare, scores=(found.score,), points=(0.0,), starts_s=(0.0,))
    for similarity, speaks in ((0.3, False), (0.7, True), (0.95, True)):
        other = dataclasses.replace(near, similarity=similarity, title="Nebula")
        both = dataclasses.replace(bare, dislike=other)
        assert against(both) == ["0:01 sounds like 0:02 of Nebula, which you dislike."] * speaks
    page = explanation_page(both, tour.sound(found.path), audio="data:audio/ogg;base64,")
    assert page.count("Nebula, which you dislike") == 2
    assert "<p>Nothing.</p>" not in page


def test_the_command_prints_a_story_or_json(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVENSONGS_CACHE", str(tour.root))
    path = tour.spliced[1][0]
    told = CliRunner().invoke(app, ["explain", path])
    assert told.exit_code == 0, told.output
    assert "What speaks against it" in told.stdout
    document = json.loads(CliRunner().invoke(app, ["explain", path, "--json"]).stdout)
    steps = sum(document["points"]) + document["unfamiliar"]
    assert document["start_score"] + steps == pytest.approx(document["score"])
    assert document["title"] == HOSTILE
    refused = CliRunner().invoke(app, ["explain", str(Path(path).parent)])
    assert refused.exit_code == 1
    assert "one is needed" in refused.stderr
