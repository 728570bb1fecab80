"""The same songs give the same taste and the same scores, bit for bit.

That holds in any order, and in any process.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from classify import LabelledSongs, Taste, VectorError, fit_taste
from classify.learning.examples import prepare_examples
from classify.taste.vectors import Vectors

DIM = 24


def songs(n: int, *, tag: str, shift: float = 0.0) -> LabelledSongs:
    vectors = np.random.default_rng([*tag.encode()]).normal(size=(n, DIM)) + shift
    digests = tuple(f"{tag}{i:031x}" for i in range(n))
    # Two songs of each artist.
    groups = tuple(f"{tag}{i // 2}" for i in range(n))
    return LabelledSongs(digests=digests, vectors=vectors.astype(np.float32), groups=groups)


def reorder(part: LabelledSongs, order: list[int]) -> LabelledSongs:
    return LabelledSongs(
        digests=tuple(part.digests[i] for i in order),
        vectors=part.vectors[order],
        groups=tuple(part.groups[i] for i in order),
    )


LIKES, DISLIKES, LIBRARY = songs(7, tag="a", shift=0.8), songs(5, tag="d"), songs(40, tag="b")
NEW = songs(60, tag="c").vectors


def fit(**changes: Any) -> Taste:
    settings: dict[str, Any] = {"likes": LIKES, "dislikes": DISLIKES, "unlabelled": LIBRARY}
    return fit_taste(
        **{**settings, **changes}, encoder="musicnn", fingerprint="f", created_at="2025-01-01"
    )


def bits(taste: Taste, vectors: Vectors = NEW) -> str:
    """Return a digest of all that a taste is and says."""
    space, scores = taste.space, taste.score(vectors)
    arrays: list[NDArray[Any]] = [
        space.standard.mean,
        space.standard.scale,
        space.basis,
        space.offset,
    ]
    arrays += [taste.familiarity.known, scores, *(x for layer in taste.layers for x in layer)]
    plain = (
        taste.calibration,
        taste.unsure,
        taste.threshold,
        taste.auc,
        taste.auc_ci90,
        taste.likes,
    )
    text = repr((*plain, taste.dislikes, taste.unlabelled, taste.note, taste.familiarity.limit))
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays) + text.encode()).hexdigest()


@pytest.mark.exact
@settings(max_examples=12, deadline=None)
@given(
    likes=st.permutations(range(7)),
    dislikes=st.permutations(range(5)),
    library=st.permutations(range(40)),
    new=st.permutations(range(60)),
)
def test_no_order_of_songs_changes_a_bit(
    likes: list[int], dislikes: list[int], library: list[int], new: list[int]
) -> None:
    taste = fit(
        likes=reorder(LIKES, likes),
        dislikes=reorder(DISLIKES, dislikes),
        unlabelled=reorder(LIBRARY, library),
    )
    assert bits(taste) == bits(fit())
    assert np.array_equal(taste.score(NEW[new]), taste.score(NEW)[new])


def test_songs_given_twice_change_nothing() -> None:
    assert bits(fit(likes=reorder(LIKES, [*range(7), 3, 3, 0]))) == bits(fit())


@pytest.mark.parametrize("head", ["kernel", "logistic"])
def test_another_process_learns_the_same_bits(head: str) -> None:
    # Another hash seed orders every set and dictionary of strings otherwise.
    found = {bits(fit(head=head))}
    script = f"import tests.whole.test_reproducible as t; print(t.bits(t.fit(head={head!r})))"
    for seed in ("1", "2"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        found.add(done.stdout.strip())
    assert len(found) == 1


@settings(max_examples=60, deadline=None)
@given(
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    part=st.sampled_from(["likes", "dislikes", "unlabelled"]),
    row=st.integers(0, 4),
    column=st.integers(0, DIM - 1),
    more=st.booleans(),
)
def test_no_vector_with_a_value_that_is_no_number_is_learnt_from_or_scored(
    bad: float, part: str, row: int, column: int, more: bool
) -> None:
    parts = {"likes": LIKES, "dislikes": DISLIKES, "unlabelled": LIBRARY}
    vectors = parts[part].vectors.copy()
    vectors[row, column] = bad
    if more:
        # infinity and minus infinity, of which the sum is no number
        vectors[row, (column + 1) % DIM] = -bad
    spoilt = LabelledSongs(digests=parts[part].digests, vectors=vectors, groups=parts[part].groups)
    chosen = {**parts, part: spoilt}
    likes, dislikes, library = (chosen[name] for name in ("likes", "dislikes", "unlabelled"))
    with pytest.raises(VectorError, match=r"1 of .* rows hold a value that is not finite"):
        prepare_examples(likes=likes, dislikes=dislikes, unlabelled=library)
    with pytest.raises(VectorError, match="not finite"):
        TASTE.score(vectors)


TASTE = fit()
