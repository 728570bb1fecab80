import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classify import Calibration, ClassifyError
from classify.taste.calibration import unsure_band
from classify.taste.vectors import FloatArray


def fit(likes: list[float], others: list[float]) -> Calibration:
    decisions = np.array([*likes, *others], dtype=np.float64)
    is_like = np.arange(len(decisions)) < len(likes)
    return Calibration.fit(decisions, is_like, np.ones(len(decisions)))


def test_known_logit_is_recovered_from_many_songs() -> None:
    rng = np.random.default_rng(0)
    decisions = rng.normal(size=60_000) * 2
    is_like = rng.random(60_000) < 1 / (1 + np.exp(-(1.5 * decisions)))
    fitted = Calibration.fit(decisions, is_like, np.ones(60_000))
    assert fitted.a == pytest.approx(1.5, rel=0.05)
    assert fitted.b == pytest.approx(0, abs=0.05)


def test_agrees_with_scikit_learn_on_the_same_targets() -> None:
    from sklearn.calibration import _sigmoid_calibration

    rng = np.random.default_rng(1)
    is_like = np.arange(60) < 30
    decisions = rng.normal(size=60) + is_like
    a, b = _sigmoid_calibration(decisions, is_like * 1)  # Platt's signs are the other way round
    fitted = Calibration.fit(decisions, is_like, np.ones(60))
    assert fitted.a == pytest.approx(-a, rel=1e-3)
    assert fitted.b == pytest.approx(-b, abs=1e-3)


def test_prior_is_balanced_however_many_unlabelled_there_are() -> None:
    few = fit([1, 2, 3], [-1, 0, 1])
    many = fit([1, 2, 3], [-1, 0, 1] * 500)
    assert many.a == pytest.approx(few.a)
    assert many.b == pytest.approx(few.b)


def test_separable_songs_give_a_finite_slope_and_modest_probabilities() -> None:
    fitted = fit([5, 6, 7, 5, 6, 7, 6], [-5, -6, -7, -5])
    assert 0.8 < fitted(np.array([6.0]))[0] < 0.95  # Platt: (7 + 1) / (7 + 2) at most on its own
    assert 0.05 < fitted(np.array([-6.0]))[0] < 0.2


def test_backward_ranking_keeps_the_order_and_says_nothing() -> None:
    fitted = fit([-1, -2, -3], [1, 2, 3])
    scores = fitted(np.array([-3.0, 0.0, 3.0]))
    assert (np.diff(scores) > 0).all()
    np.testing.assert_allclose(scores, 0.5, atol=0.05)


def test_equal_decisions_give_one_half() -> None:
    np.testing.assert_allclose(fit([2, 2], [2, 2, 2])(np.array([2.0])), 0.5)


def test_one_side_only_is_refused() -> None:
    with pytest.raises(ClassifyError, match="2 likes and 0 others"):
        fit([1, 2], [])
    with pytest.raises(ClassifyError, match="finite"):
        fit([1, np.nan], [0])


@pytest.mark.parametrize(("a", "b"), [(0, 0), (-1, 0), (np.nan, 0), (1, np.inf)])
def test_calibration_refuses_what_is_not_monotone_or_finite(a: float, b: float) -> None:
    with pytest.raises(ClassifyError, match="slope"):
        Calibration(a=a, b=b)


@settings(deadline=None, max_examples=80)
@given(
    hnp.arrays(np.float64, st.integers(1, 8), elements=st.floats(-1e3, 1e3)),
    hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e3, 1e3)),
)
def test_any_decisions_give_a_monotone_map_into_0_1(likes: FloatArray, others: FloatArray) -> None:
    fitted = fit(likes.tolist(), others.tolist())
    probabilities = fitted(np.linspace(-2e3, 2e3, 101))
    assert (np.diff(probabilities) >= 0).all()
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1


def test_extreme_decisions_do_not_overflow() -> None:
    assert Calibration()(np.array([-1e300, 0, 1e300])).tolist() == [0.005, 0.5, 0.995]


@pytest.mark.parametrize(
    "fitted", [Calibration(), Calibration(a=3.5, b=-2), Calibration(a=1e-3, b=40)]
)
def test_inverse_leads_back(fitted: Calibration) -> None:
    for probability in (0.0051, 0.1, 0.49, 0.5, 0.9949):
        assert fitted(np.array([fitted.inverse(probability)]))[0] == pytest.approx(
            probability, rel=1e-9
        )


def test_unsure_band_narrows_as_evidence_grows() -> None:
    widths = [high - low for low, high in (unsure_band(n, 400) for n in (2, 3, 7, 20, 100))]
    assert widths == sorted(widths, reverse=True)
    assert unsure_band(7, 400) == pytest.approx((0.31, 0.69), abs=0.01)
    assert unsure_band(0, 0) == pytest.approx((0.05, 0.95))
    assert unsure_band(2, 1) == pytest.approx((0.05, 0.95))
    low, high = unsure_band(2, 400, threshold=0.9)
    assert low < 0.9 < high <= 1
