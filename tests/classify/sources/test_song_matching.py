"""A song of another program is matched by path, size and tags, and never to a like one."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache import FileRecord
from classify.sources.song_matching import SongIndex
from classify.sources.source_song import SourceSong
from classify.sources.unmatched import NearestSongs

ARTIST, TITLE, ALBUM = "Björk & The Band", "Big Time (Sensuality)", "Début"
MBID = "0d6b9f1a-3d6c-4a52-9f0e-0d2f5b4f8a11"


def file_of(number: int = 0, **fields: object) -> FileRecord:
    known: dict[str, object] = {
        "path": f"/music/Björk/Début/{number:02} Big Time.flac",
        "size_bytes": 30_000_000 + number,
        "mtime_ns": 0,
        "digest": f"{number:032x}",
        "duration_s": 236.4,
        "artist": ARTIST,
        "title": TITLE,
        "album": ALBUM,
    }
    return FileRecord(**known | fields)  # type: ignore[arg-type]


def song_of(**fields: object) -> SourceSong:
    return SourceSong(key="1", **fields)  # type: ignore[arg-type]


def by(index: SongIndex, **fields: object) -> str | None:
    found = index.match(song_of(**fields))
    return found.by if found else None


OTHERS = [
    file_of(n, title=f"Song {n}", duration_s=150.0 + 3 * n, artist="Someone") for n in range(1, 9)
]
INDEX = SongIndex([file_of(musicbrainz_recording_id=MBID), *OTHERS])


@pytest.mark.parametrize(
    "path",
    [
        "/music/Björk/Début/00 Big Time.flac",
        "C:\\Users\\me\\Music\\Björk\\Début\\00 Big Time.flac",
        "Björk/Début/00 Big Time.flac",
        "file:///home/me/Bj%C3%B6rk/D%C3%A9but/00%20Big%20Time.flac",
        "/nas/BJO\u0308RK/début/00 BIG TIME.FLAC",
    ],
)
def test_a_path_is_known_by_its_last_three_parts_on_any_computer(path: str) -> None:
    assert by(INDEX, path=path) == "path"


def test_a_short_or_nameless_path_needs_the_length_as_well() -> None:
    assert by(INDEX, path="00 Big Time.flac") is None
    assert by(INDEX, path="00 Big Time.flac", duration_s=236.0) == "path"
    nameless = SongIndex([file_of(path="/m/Unknown Artist/Unknown Album/Track 1.mp3", title=None)])
    wanted = "/other/Unknown Artist/Unknown Album/Track 1.mp3"
    assert by(nameless, path=wanted) is None
    assert by(nameless, path=wanted, duration_s=236.4) == "path"


def test_a_path_that_a_server_made_up_counts_only_where_tags_and_length_agree() -> None:
    path = "Björk/Début/00 Big Time.flac"
    assert by(INDEX, path=path, title=TITLE, duration_s=237.0) == "path"
    assert by(INDEX, path=path, title=TITLE, artist=ARTIST, duration_s=260.0) is None
    assert by(INDEX, path=path, title="Violently Happy", artist=ARTIST) is None
    assert by(INDEX, path=path, title=TITLE, artist="Someone Else") is None


def test_a_size_counts_with_the_length_unless_tags_contradict() -> None:
    known = {"size_bytes": 30_000_000, "duration_s": 236.0}
    assert by(INDEX, **known) == "size"
    assert by(INDEX, size_bytes=30_000_000) is None
    assert by(INDEX, size_bytes=30_000_000, duration_s=230.0) is None
    # all WAVs of a length have one size
    assert by(INDEX, **known, title="Another", artist=ARTIST) is None
    assert by(INDEX, **known, artist="Another") is None


def test_one_of_several_titles_is_enough_where_the_path_or_the_size_tells_the_song() -> None:
    index = SongIndex([file_of(title=f"{TITLE};Crossroads;Desert"), *OTHERS])
    known = {"artist": ARTIST, "title": TITLE, "duration_s": 236.0}
    assert by(index, **known, path="Début/00 Big Time.flac") == "path"
    assert by(index, **known, size_bytes=30_000_000) == "size"
    assert by(index, **known) is None
    assert by(index, **known | {"title": "Oasis"}, size_bytes=30_000_000) is None


def test_musicbrainz_names_a_recording_whatever_it_is_called() -> None:
    assert by(INDEX, musicbrainz_id=MBID.upper(), title="Le grand temps") == "musicbrainz"
    assert by(INDEX, musicbrainz_id=MBID, duration_s=300.0) is None
    assert by(INDEX, musicbrainz_id=MBID, title=f"{TITLE} (Live)") is None
    twice = SongIndex(
        [
            file_of(n, album=f"Album {n}", musicbrainz_recording_id=MBID, duration_s=200.0 + n)
            for n in range(2)
        ]
    )
    assert by(twice, musicbrainz_id=MBID) is None
    assert by(twice, musicbrainz_id=MBID, album="Album 1") == "musicbrainz"


@pytest.mark.parametrize(
    ("artist", "title", "album"),
    [
        ("BJORK & the band", "Big Time (Sensuality)", "Debut"),
        ("Björk", "Big Time (Sensuality) [feat. The Band]", ALBUM),
        ("Björk feat. The Band", "Big time Sensuality", None),
        (
            "Björk; The Band",
            "\uff22\uff49\uff47 Time (Sensuality) - 2016 Remaster",
            "Début (Deluxe Edition)",
        ),
        ("The Band, Björk", "Big Time (Sensuality) (Album Version)", None),
    ],
)
def test_tags_are_compared_without_case_width_accents_guests_and_editions(
    artist: str, title: str, album: str | None
) -> None:
    assert by(INDEX, artist=artist, title=title, album=album) == (
        "title" if album else "title alone"
    )
    assert by(INDEX, artist=artist, title=title, duration_s=237.0) == "title"


@pytest.mark.parametrize(
    "other",
    [
        {"title": f"{TITLE} (Live)"},
        {"title": f"{TITLE} - Live at Cambridge"},
        {"title": f"{TITLE} [Fluke Minimix Remix]"},
        {"title": f"{TITLE} (Radio Edit)"},
        {"title": f"{TITLE} (Demo)"},
        {"title": f"{TITLE} (Acoustic)"},
        {"title": f"{TITLE} (Instrumental)"},
        {"title": f"{TITLE} (Karaoke Version)"},
        {"title": f"{TITLE} (Extended Mix)"},
        {"title": f"{TITLE} (Mono)"},
        {"title": f"{TITLE} (Taylor's Version)"},
        {"title": f"{TITLE} (Special Dance Mix)"},
        {"title": f"{TITLE} (Bonus Track, Live)"},
        {"title": f"{TITLE} (Deluxe Live)"},
        {"title": f"{TITLE} (Limited Edition Remix)"},
        {"title": f"{TITLE} (20th Anniversary Mix)"},
        {"title": f"{TITLE} (50th Anniversary Acoustic Version)"},
        {"title": f"{TITLE} (Special Version)"},
        {"title": f"{TITLE} (5.1 Deluxe Edition)"},
        {"title": f"{TITLE} (Special Night)"},
        {"title": f"{TITLE} (Clean)"},
        {"title": f"{TITLE} (feat. Bob Remix)"},
        {"title": f"{TITLE} (feat. Bob & Orchestra, Live at X)"},
        {"title": f"{TITLE} (with Bob - Live in Paris)"},
        {"title": f"{TITLE} ft. Bob Remix"},
        {"title": "Big Time (Sensitivity)"},
        {"title": "Big Time"},
        {"title": f"{TITLE}, Pt. 2"},
        {"artist": "Peter Gabriel"},
        {"artist": "Björn"},
        {"artist": "Tribute to Björk"},
        {"album": "Live in Paris"},
        {"album": "Début: The Remixes"},
        {"album": f"{ALBUM} (Special Remixes)"},
        {"album": f"{ALBUM} - Anniversary Live in Paris"},
        {"album": f"{ALBUM} (Deluxe Live Edition)"},
        {"album": f"{ALBUM} (2019 Mix)"},
        {"album": "Another Album", "duration_s": None},
        {"duration_s": 240.0},
        {"artist": None},
    ],
)
def test_another_version_edition_or_artist_never_stands_in_for_the_song(
    other: dict[str, Any],
) -> None:
    wanted: dict[str, Any] = {
        "artist": ARTIST, "title": TITLE, "album": ALBUM, "duration_s": 236.4
    }  # fmt: skip
    for theirs, ours in ((wanted, wanted | other), (wanted | other, wanted)):
        index = SongIndex([file_of(**ours), *OTHERS])
        assert index.match(song_of(**theirs)) is None
        assert index.match(song_of(**{k: v for k, v in ours.items() if v})) or not ours["artist"]


def test_what_is_explicit_never_stands_in_for_what_is_clean() -> None:
    wanted: dict[str, Any] = {"artist": ARTIST, "title": TITLE, "duration_s": 236.4}
    for field, name in (("title", TITLE), ("album", ALBUM)):
        explicit: dict[str, Any] = {field: f"{name} (Explicit)"}
        clean: dict[str, Any] = {field: f"{name} (Clean Version)"}
        assert by(SongIndex([file_of(**explicit)]), **wanted | explicit) == "title"
        assert by(SongIndex([file_of(**explicit)]), **wanted | clean) is None
        assert by(SongIndex([file_of(**clean)]), **wanted | explicit) is None


@pytest.mark.parametrize(
    "edition",
    [
        "2011 Remaster",
        "Digitally Re-mastered 1999",
        "Remastered Version",
        "Deluxe Version",
        "Bonus Track Version",
        "Super Deluxe Edition",
        "20th Anniversary Edition",
        "50th Anniversary",
        "Special Limited Collector's Edition",
        "Japanese Bonus Track",
        "Explicit Album Version",
        "2CD Expanded",
        "LP Version",
    ],
)
def test_an_edition_is_the_same_song(edition: str) -> None:
    for field, name in (("title", TITLE), ("album", ALBUM)):
        tags = {"artist": ARTIST, "title": TITLE, "album": ALBUM}
        assert by(INDEX, **tags | {field: f"{name} ({edition})"}) == "title"
        assert by(INDEX, **tags | {field: f"{name} - {edition}"}) == "title"


def test_a_title_on_another_album_needs_the_length() -> None:
    other = {"artist": ARTIST, "title": TITLE, "album": "Greatest Hits"}
    assert by(INDEX, **other) is None
    assert by(INDEX, **other, duration_s=238.0) == "title"
    assert by(INDEX, **other, duration_s=239.5) is None


def test_of_several_the_one_on_the_album_counts_and_of_its_editions_the_same() -> None:
    songs = [
        file_of(0),
        file_of(1, album="Greatest Hits", duration_s=235.0),
        file_of(2, title=f"{TITLE} (2016 Remaster)", duration_s=235.5),
    ]
    index = SongIndex(songs)

    def found(**fields: object) -> str | None:
        match = index.match(song_of(artist=ARTIST, **fields))
        return match.digest[-1] if match else None

    assert found(title=TITLE, album=ALBUM) == "0"
    assert found(title=f"{TITLE} - 2016 Remaster", album=ALBUM) == "2"
    assert found(title=TITLE, album="Greatest Hits") == "1"
    assert found(title=TITLE, album="Some Compilation") is None
    assert found(title=f"{TITLE} - 1999 Remaster", album=ALBUM) is None


def test_copies_count_as_one_song() -> None:
    flac, mp3 = file_of(0), file_of(1, path="/music/mp3/a.mp3", size_bytes=5_000_000)
    assert by(SongIndex([flac, mp3]), artist=ARTIST, title=TITLE) == "title alone"
    twin = file_of(2, path=flac.path.replace(".flac", " 2.flac"))
    assert twin.path != flac.path, "two songs of one title on an album, such as 'Untitled'"
    for files in ([flac, twin], [flac, mp3, twin], [mp3, flac, twin]):
        assert by(SongIndex(files), artist=ARTIST, title=TITLE) is None
    longer = replace(mp3, duration_s=238.0)
    assert by(SongIndex([flac, longer]), artist=ARTIST, title=TITLE) is None


def test_what_comes_nearest_is_told_with_what_differs() -> None:
    live = file_of(1, title=f"{TITLE} (Live)", duration_s=300.0)
    cover = file_of(2, artist="Nobody")
    typo = file_of(3, title="Big Time (Sensualty)")
    near = NearestSongs(SongIndex([live, cover, typo, *OTHERS[3:]])).of(
        song_of(artist=ARTIST, title=TITLE, album=ALBUM, duration_s=236.4)
    )
    assert [(one.path[-16:-14], one.differs) for one in near] == [
        ("02", "another artist"),
        ("03", "another title"),
        ("01", "live; 64 s longer"),
    ]


WORDS = st.sampled_from(
    ["love", "night", "live", "mix", "rain", "you", "the", "intro", "part two", "夜", "été"]
)
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
MARKS = st.sampled_from(
    [
        *("", " (Live)", " (X Remix)", " (Y Remix)", " [2011 Remaster]", " - Demo"),
        *(" (Bonus Track, Live)", " (feat. Z, Live)", " (feat. Y Remix)", " (Special W Mix)"),
    ]
)
KINDS = ("Live", "X Re", "Y Re", "W Mix", "Demo")
SONGS = st.builds(
    lambda n, artist, title, mark, album, s: file_of(
        n, artist=artist, title=title + mark, album=album, duration_s=s, size_bytes=1000 + n % 3
    ),
    st.integers(0, 10**6),
    NAMES,
    NAMES,
    MARKS,
    st.none() | NAMES,
    st.none() | st.integers(100, 104).map(float),
)


@settings(max_examples=60)
@given(st.lists(SONGS, min_size=1, max_size=12, unique_by=lambda one: one.path), st.data())
def test_a_match_is_of_the_song_itself_whatever_else_is_there(
    files: list[FileRecord], data: st.DataObject
) -> None:
    index = SongIndex(files)
    for file in files:
        tags = {"artist": file.artist, "title": file.title, "album": file.album}
        wanted = song_of(**tags, duration_s=file.duration_s)
        found = index.match(wanted)
        # only itself, or one that has the very same names as far as they are known
        if found and found.digest != file.digest:
            other = next(one for one in files if one.digest == found.digest)
            kinds = [mark in (other.title or "") for mark in KINDS]
            assert kinds == [mark in (file.title or "") for mark in KINDS]
        assert SongIndex([file]).match(wanted), "alone it is surely found"
        assert SongIndex(data.draw(st.permutations(files))).match(wanted) == found
        without = SongIndex([one for one in files if one.digest != file.digest])
        spelled = replace(wanted, artist=(file.artist or "").upper(), title=f" {file.title} ")
        assert index.match(spelled) == (found and replace(found, song=spelled))
        gone = without.match(wanted)
        assert gone is None or gone.digest != file.digest


def test_three_thousand_songs_are_matched_with_thirty_thousand_in_seconds() -> None:
    files = [
        file_of(
            n,
            path=f"/m/artist {n % 3000}/album {n % 9000}/{n}.mp3",
            artist=f"Artist {n % 3000}",
            title=f"Title {n // 2} of it (Live)" if n % 7 == 0 else f"Title {n // 2} of it",
            album=f"Album {n % 9000}",
            duration_s=100.0 + n % 300,
        )
        for n in range(30_000)
    ]
    started = time.process_time()
    index = SongIndex(files)
    songs = [
        song_of(artist=f.artist, title=f.title, album=f.album, duration_s=f.duration_s)
        for f in files[::10]
    ]
    assert all(index.match(song) for song in songs)
    assert time.process_time() - started < 10  # 1.2 s; ten thousand with 100,000: 4 s
