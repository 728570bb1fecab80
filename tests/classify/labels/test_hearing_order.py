"""A scan hears first what is liked, then what the taste ranks best, as it is then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cache import EmbeddingStore
from classify import Taste
from classify.labels.hearing_order import HearingOrder
from classify.taste.names import taste_path
from tests.classify.labels.test_suggesting import (
    DIM,
    ENCODER,
    FINGERPRINT,
    Library,
    digest_of,
)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "cache", tmp_path / "music")


def test_likes_come_first_and_then_what_the_taste_ranks_best(library: Library) -> None:
    library.label(library.names[40:42], "like")
    order = list(HearingOrder(library.root, ENCODER)())
    assert order[:2] == [digest_of(name) for name in library.names[40:42]]
    assert sorted(order) == sorted(map(digest_of, library.names))
    taste = Taste.load("default", root=library.root)
    store = EmbeddingStore(library.root, encoder=ENCODER, fingerprint=FINGERPRINT, dim=DIM)
    _, vectors = store.matrix(order[2:])
    assert (np.diff(taste.decisions(vectors)) <= 0).all()


def test_it_looks_again_only_where_labels_or_the_taste_have_changed(library: Library) -> None:
    order = HearingOrder(library.root, ENCODER)
    first = order()
    assert order() is first
    library.label(library.names[-1:], "like")
    assert order()[0] == digest_of(library.names[-1])
    library.label(library.names[-1:], "dislike")
    assert order()[0] != digest_of(library.names[-1])


def test_a_scan_goes_on_where_there_is_no_order_to_be_had(library: Library) -> None:
    library.label(library.names[7:8], "like")
    liked = [digest_of(library.names[7])]
    assert list(HearingOrder(library.root, "yamnet")()) == liked
    assert list(HearingOrder(library.root, "no such encoder")()) == liked
    taste_path("default", root=library.root).write_bytes(b"no taste")
    assert list(HearingOrder(library.root, ENCODER)()) == liked
    assert list(HearingOrder(library.root / "nothing", ENCODER)()) == []
