"""Which songs a station gets, and what becomes of a shard at which stations fail."""

from __future__ import annotations

from cache import StoredObject
from embed.cluster.driver import StationState
from embed.cluster.shards import Shard, ShardQueue, Song
from embed.files.source_columns import SourceBlock, SourceColumns
from embed.sifting.files_left import FilesLeft


def songs_of(*names: str) -> SourceColumns:
    objects = {
        f"s3://songs/{name}": StoredObject(name=name, size_bytes=1, version="1") for name in names
    }
    return SourceColumns([SourceBlock.of_objects(objects)])


def files(*names: str) -> FilesLeft:
    return FilesLeft.of(songs_of(*names))


def names(shard: Shard) -> list[str]:
    return [file.path.removeprefix("s3://songs/") for file in shard.files]


def taken(queue: ShardQueue, n_workers: int = 1, n_all: int = 1) -> Shard:
    shard = queue.take(n_workers, n_all)
    assert shard is not None
    return shard


def all_left(song: Song) -> bool:
    return True


def test_every_song_is_handed_out_once_and_shards_become_smaller() -> None:
    queue = ShardQueue([files(*map(str, range(5000)))])
    shards = []
    while (shard := queue.take(2, 4)) is not None:
        shards.append(shard)
    assert [name for shard in shards for name in names(shard)] == [*map(str, range(5000))]
    sizes = [len(shard) for shard in shards]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], min(sizes[:-1])) == (512, 8)
    assert len({shard.number for shard in shards}) == len(shards)


def test_each_encoder_gets_the_files_that_it_lacks() -> None:
    songs = songs_of("a", "b", "c")
    queue = ShardQueue([FilesLeft.of(songs, (0, 1)), FilesLeft.of(songs, (1, 2))])
    assert len(queue) == 3
    shard = taken(queue)
    assert shard.todo == [list(files("a", "b")), list(files("b", "c"))]
    assert names(shard) == ["a", "b", "c"]


def test_what_is_left_of_a_shard_comes_first_and_without_what_is_accounted_for() -> None:
    queue = ShardQueue([files(*map(str, range(40)))])
    shard = taken(queue)
    queue.give_back(shard, lambda song: song[0] != shard.songs[0][0], failed=False)
    again = taken(queue)
    assert (again.songs, again.n_failed) == (shard.songs[1:], 0)


def test_one_crashing_file_is_found_by_halving_and_all_others_are_done() -> None:
    queue = ShardQueue([files(*map(str, range(8)))])
    done: set[str] = set()
    given_up: list[str] = []
    tried_alone = 0
    while queue:
        shard = taken(queue)
        crashes = "5" in names(shard)
        tried_alone += names(shard) == ["5"]
        if not crashes:
            done.update(names(shard))
        given_up += names(
            queue.give_back(
                shard,
                lambda song: song[0] is not None and song[0].path[11:] not in done,
                failed=crashes,
            )
        )
    assert given_up == ["5"]
    assert tried_alone == 3
    assert done == {*map(str, range(8))} - {"5"}


def test_a_shard_that_stations_lose_without_blame_is_never_halved() -> None:
    queue = ShardQueue([files("a", "b", "c")])
    for _ in range(9):
        shard = taken(queue)
        assert names(shard) == ["a", "b", "c"]
        assert not queue.give_back(shard, all_left, failed=False).songs


def test_a_post_knows_what_its_station_works_on_while_ends_come_later() -> None:
    queue = ShardQueue([files(*map(str, range(12)))])
    first, second, third = (taken(queue) for _ in range(3))
    station = StationState(name="a", n_workers=1)
    seen = [known_of(station)]
    station.shards += [first, second]
    seen.append(known_of(station))
    station.begun, station.n_begun_done = first.number, len(first)
    seen.append(known_of(station))
    station.begun, station.n_begun_done = second.number, 2
    seen.append(known_of(station))
    station.shards.append(third)
    seen.append(known_of(station))
    station.shards[:2] = []  # it has told the ends of both, not yet that it has begun the third
    seen.append(known_of(station))
    assert seen == [
        (None, 0, True),
        (first, 0, False),
        (first, len(first), False),
        (second, len(first) + 2, True),
        (second, len(first) + 2, False),
        (third, 0, False),
    ]


def known_of(station: StationState) -> tuple[Shard | None, int, bool]:
    return station.works_on, station.n_doing, station.wants_more
