"""A cache in an object store: what is refused, in words, and that commits are safe there."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import cache
from cache import CacheError, Catalog
from cache.object_store import conditional_writes
from cache.object_store.bucket import Bucket
from cache.object_store.conditional_writes import require_conditional_writes
from cache.object_store.environment import store_options
from tests.cache.test_catalog import recording
from tests.cache.test_store import assert_same, digest, entry, store_at
from tests.support.object_stores import bad_object_store, read_only_keys, speaking_to


def test_a_store_where_every_writer_wins_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    """It lost 11 of 30 acknowledged commits, in silence."""
    with bad_object_store(tmp_path) as url, speaking_to(url):
        with pytest.raises(CacheError, match="8 were told that they did, where only one may be"):
            cache.require_writable("s3://music/cache")
        with pytest.raises(CacheError, match="commits would be lost in silence"):
            store_at("s3://music/cache").put([entry(1)])
    assert not [path for path in (tmp_path / "data" / "music").rglob("*") if path.is_file()]


def test_of_several_writers_each_keeps_what_it_has_committed(bucket: str) -> None:
    store = store_at(f"{bucket}/cache")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store.put([entry(n)]), range(8)))
    assert store.held().keys() == {digest(n) for n in range(8)}
    store.compact()
    for n in range(8):
        assert_same(store.get(digest(n)), entry(n))


def test_trying_a_store_leaves_nothing_there(bucket: str) -> None:
    require_conditional_writes(f"{bucket}/cache")
    assert not list(Bucket(bucket).objects())


def test_info_tells_what_is_stored_there(bucket: str) -> None:
    root = f"{bucket}/cache"
    store_at(root).put([entry(1)])
    Catalog(root).put([recording("1")])
    info = cache.cache_info(root)
    assert info.bytes == sum(one.size_bytes for one in Bucket(root).objects()) > 1000
    assert 500 < info.encoders[0].n_bytes < info.bytes
    assert (info.songs, info.encoders[0].n_songs) == (1, 1)


def test_whoever_may_only_read_can_read_and_is_told_before_the_work(
    bucket: str, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(f"{bucket}/cache")
    store.put([entry(1)])
    with read_only_keys(s3_url) as keys:
        with pytest.raises(CacheError, match=r"does not know these keys.*AWS_ACCESS_KEY_ID"):
            store.held()
        with speaking_to(s3_url, **keys):
            assert store.held() == {digest(1): 12}
            with pytest.raises(CacheError, match=r"permission denied; give the keys .*PutObject"):
                store.put([entry(2)])
            monkeypatch.setattr(conditional_writes, "_trusted", set())  # as in another process
            with pytest.raises(CacheError, match=r"permission denied; give the keys .*PutObject"):
                cache.require_writable(f"{bucket}/cache")


def test_a_bucket_that_is_not_there_is_told(bucket: str) -> None:
    root = f"{bucket}-of-nobody/cache"
    words = "there is no such bucket; make it, or check its name and AWS_ENDPOINT_URL"
    asks: tuple[Callable[[str], object], ...] = (
        cache.cache_info,
        cache.require_writable,
        cache.verify_cache,
        lambda root: store_at(root).put([entry(1)]),
    )
    for ask in asks:
        with pytest.raises(CacheError, match=words) as caught:
            ask(root)
        assert "<" not in str(caught.value)


def test_one_set_of_variables_serves_reads_and_writes(
    bucket: str, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`AWS_ENDPOINT` alone asked Amazon for half of it."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_ENDPOINT", s3_url)
    root = f"{bucket}/cache"
    store_at(root).put([entry(1)])
    assert cache.list_stores(root)[0].n_songs == 1


def test_an_endpoint_without_encryption_is_taken_only_where_that_is_allowed(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(CacheError, match=r"without encryption.* set AWS_ALLOW_HTTP=true"):
        store_at(bucket).held()


def test_a_store_that_does_not_answer_is_told() -> None:
    words = "does not answer; check the network and AWS_ENDPOINT_URL"
    with speaking_to("http://127.0.0.1:9"), pytest.raises(CacheError, match=words):
        store_at("s3://bucket/cache").held()


def test_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with speaking_to("https://store.example"):
        assert store_options("s3://b") == {
            "aws_endpoint": "https://store.example",
            "aws_region": "us-east-1",
        }
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://of-s3.example")
        assert store_options("s3://b")["aws_endpoint"] == "https://of-s3.example"
        assert store_options("gs://b") == {}


def test_a_fetch_notices_that_the_object_has_changed(bucket: str) -> None:
    files = Bucket(f"{bucket}/music")
    name = "Ünï/01 - What? #1 100% [live] %20.mp3"
    files.write(name, b"first")
    (one,) = files.objects()
    assert (one.name, one.size_bytes, files.about(name)) == (name, 5, one)
    into = io.BytesIO()
    files.fetch(one, into)
    assert into.getvalue() == b"first"
    files.write(name, b"other")
    with pytest.raises(FileNotFoundError, match="has changed since it was listed"):
        files.fetch(one, io.BytesIO())
