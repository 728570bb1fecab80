"""Which rows count, in columns: the same as row by row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cache import places, value_keys
from cache.row_choice import last_of_each

few = st.lists(st.binary(max_size=2), max_size=40)
digests = st.lists(st.integers(0, 9).map(lambda n: f"{n * 2**60:032x}"), max_size=40)


def naive_last(values: list[object], order: list[int]) -> list[int]:
    last = dict.fromkeys(values, 0)  # in the order in which they appear first
    for at in order:
        last[values[at]] = at
    return list(last.values())


@given(few | digests, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_last_of_each_value_counts(values: list[object], random: object) -> None:
    array = pa.array(values, pa.binary() if all(isinstance(v, bytes) for v in values) else None)
    if not values:
        array = pa.array([], pa.binary())
    keys, forwards = value_keys(array), list(range(len(values)))
    assert last_of_each(keys, array.take).tolist() == naive_last(values, forwards)
    ranks = np.random.default_rng(len(values)).permutation(len(values))

    def by_rank(rows: NDArray[np.int64]) -> NDArray[np.intp]:
        return np.argsort(ranks[rows])

    order = np.argsort(ranks).tolist()
    assert last_of_each(value_keys(array), array.take, by_rank).tolist() == naive_last(
        values, order
    )


@pytest.mark.parametrize("n_keys", [1, 3])
def test_values_of_equal_keys_are_told_apart(n_keys: int) -> None:
    values = pa.array([b"a", b"b", b"c", b"a", b"d", b"c", b"a"], pa.binary())
    assert last_of_each(value_keys(values) % n_keys, values.take).tolist() == [6, 1, 5, 4]


def test_keys_of_digests_look_like_chance() -> None:
    names = pa.array([f"{number:032x}" for number in range(100_000)])
    assert len(np.unique(value_keys(names))) == len(names)


@given(st.lists(st.none() | st.sampled_from("abc"), max_size=3), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_few_are_found_among_many(wanted: list[str | None], n: int) -> None:
    known = [f"{number}" for number in range(n)] + ["b", "a"]
    asked = pa.array(wanted, pa.string())
    expected = [known.index(one) if one in known else -1 for one in wanted]
    assert places(asked, pa.array(known, pa.string())).tolist() == expected
    assert places(asked, pa.array(known * 2, pa.string()).slice(0, n + 2)).tolist() == expected
