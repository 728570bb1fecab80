"""How right is a taste? See README.md in this folder."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import Catalog, EmbeddingStore, list_stores
from classify import LabelledSongs, SongTransform, Taste, fit_taste
from classify.metrics import average_precision, precision_at, roc_auc
from embed import embed_library

MIN_DURATION_S = 30.0
DENSE_LIKES = 7  # the dense head takes ten times as long, so it is compared at one number of likes
Vectors = NDArray[np.float32]
Scorer = Callable[["Draw"], NDArray[np.float64] | None]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One draw of one task: rows of the collection."""

    vectors: Vectors
    likes: NDArray[np.intp]
    dislikes: NDArray[np.intp]
    unlabelled: NDArray[np.intp]
    test: NDArray[np.intp]
    truth: NDArray[np.bool_]
    encoder: str
    fingerprint: str


def main() -> None:
    """Embed the music, run the tasks, write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path)
    parser.add_argument("--encoder", action="append", help="repeatable; default: musicnn")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path, default=Path("accuracy.jsonl"))
    options = parser.parse_args()
    about = _about()
    rows = []
    for encoder in options.encoder or ["musicnn"]:
        tastes, vectors, fingerprint = _collection(options.music, encoder, options.cache)
        for row in _rows(tastes, vectors, encoder, fingerprint, options.draws):
            rows.append(about | {"encoder": encoder} | row)
            print(json.dumps(rows[-1]), file=sys.stderr)  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _collection(music: Path, encoder: str, root: Path | None) -> tuple[NDArray[np.str_], Vectors, str]:
    """Embed what is missing; return each song's taste (its folder), the vectors, the fingerprint."""
    report = embed_library([music], root=root, encoder=encoder, retry_failed=True)
    from cache import default_root

    base = root or default_root()
    info = next(s for s in list_stores(base) if s.fingerprint == report.fingerprint)
    store = EmbeddingStore(base, encoder=info.encoder, fingerprint=info.fingerprint, dim=info.dim)
    folder = str(music.absolute())
    kept = {
        row.digest: Path(row.path).parent.name
        for row in Catalog(base).load().values()
        if row.path.startswith(folder) and row.digest and (row.duration_s or 0) >= MIN_DURATION_S
    }
    digests, vectors = store.matrix(sorted(kept))
    return np.array([kept[d] for d in digests]), vectors, report.fingerprint


def _rows(
    tastes: NDArray[np.str_], vectors: Vectors, encoder: str, fingerprint: str, n_draws: int
) -> Iterator[dict[str, Any]]:
    for hidden in (False, True):
        for n_like, n_dislike in ((3, 0), (5, 0), (7, 0), (10, 0), (3, 7), (7, 7)):
            if hidden and n_dislike:
                continue
            for name, scorer in SCORERS.items():
                if "dense" in name and n_like != DENSE_LIKES:
                    continue
                figures = _figures(
                    tastes, vectors, encoder, fingerprint, n_draws, n_like, n_dislike, hidden, scorer
                )
                if figures:
                    what = {"way": name, "n_like": n_like, "n_dislike": n_dislike, "hidden": hidden}
                    yield what | {"n_draws": n_draws} | figures


def _figures(
    tastes: NDArray[np.str_],
    vectors: Vectors,
    encoder: str,
    fingerprint: str,
    n_draws: int,
    n_like: int,
    n_dislike: int,
    hidden: bool,
    scorer: Scorer,
) -> dict[str, Any]:
    """Mean over tastes for each draw, then mean and interval over draws."""
    per_draw: list[dict[str, float]] = []
    per_taste: dict[str, list[float]] = {}
    for seed in range(n_draws):
        found: list[dict[str, float]] = []
        for number, taste in enumerate(np.unique(tastes)):
            rng = np.random.default_rng([seed, number])
            draw = _draw(tastes == taste, vectors, n_like, n_dislike, hidden, rng, encoder, fingerprint)
            scores = scorer(draw) if draw is not None else None
            if draw is not None and scores is not None:
                found.append(_judge(draw.truth, scores))
                per_taste.setdefault(str(taste), []).append(found[-1]["auc"])
        if found:
            per_draw.append({key: float(np.mean([f[key] for f in found])) for key in found[0]})
    if not per_draw:
        return {}
    summary: dict[str, Any] = {}
    for key in per_draw[0]:
        values = np.array([draw[key] for draw in per_draw])
        summary[key] = round(float(values.mean()), 4)
        summary[f"{key}_ci90"] = [round(float(q), 4) for q in np.quantile(values, [0.05, 0.95])]
    return summary | {"auc_by_taste": {t: round(float(np.mean(v)), 4) for t, v in per_taste.items()}}


def _draw(
    liked: NDArray[np.bool_],
    vectors: Vectors,
    n_like: int,
    n_dislike: int,
    hidden: bool,
    rng: np.random.Generator,
    encoder: str,
    fingerprint: str,
) -> Draw | None:
    mine, others = rng.permutation(np.flatnonzero(liked)), rng.permutation(np.flatnonzero(~liked))
    if len(mine) < n_like + 2:
        return None  # too few left to test on
    likes, rest = mine[:n_like], mine[n_like:]
    if hidden:
        unlabelled = test = np.sort(np.concatenate([rest, others]))
        dislikes = others[:0]
    else:
        half = len(others) // 2
        unlabelled, dislikes = others[:half], others[half : half + n_dislike]
        test = np.sort(np.concatenate([rest, others[half + n_dislike :]]))
    return Draw(
        vectors=vectors,
        likes=likes,
        dislikes=dislikes,
        unlabelled=unlabelled,
        test=test,
        truth=liked[test],
        encoder=encoder,
        fingerprint=fingerprint,
    )


def _judge(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> dict[str, float]:
    figures = {
        "auc": roc_auc(truth, scores),
        "average_precision": average_precision(truth, scores),
        "precision_at_10": precision_at(truth, scores, 10),
    }
    if scores.min() >= 0 and scores.max() <= 1:
        figures["brier"] = float(np.mean(np.square(scores - truth)))
        figures["ece"] = _calibration_error(truth, scores)
        figures["accuracy"] = float(np.mean((scores >= 0.5) == truth))
    return figures


def _calibration_error(truth: NDArray[np.bool_], scores: NDArray[np.float64], n_bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015): |mean score - share of likes| over equal bins."""
    bins = np.minimum((scores * n_bins).astype(int), n_bins - 1)
    gaps = [
        abs(scores[bins == k].mean() - truth[bins == k].mean()) * np.mean(bins == k) for k in np.unique(bins)
    ]
    return float(np.sum(gaps))


def _songs(draw: Draw, rows: NDArray[np.intp]) -> LabelledSongs | None:
    names = tuple(f"{row:032x}" for row in rows)
    return LabelledSongs(digests=names, vectors=draw.vectors[rows], groups=names) if len(rows) else None


def _taste(head: str) -> Scorer:
    def score(draw: Draw) -> NDArray[np.float64]:
        likes = _songs(draw, draw.likes)
        assert likes is not None
        taste: Taste = fit_taste(
            likes=likes,
            dislikes=_songs(draw, draw.dislikes),
            unlabelled=_songs(draw, draw.unlabelled),
            encoder=draw.encoder,
            fingerprint=draw.fingerprint,
            head=head,
        )
        return taste.score(draw.vectors[draw.test])

    return score


def _standardised(draw: Draw) -> Vectors:
    library = np.concatenate([draw.likes, draw.dislikes, draw.unlabelled])
    rows = SongTransform.fit(draw.vectors[library])(draw.vectors)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _cosine(draw: Draw) -> NDArray[np.float64]:
    rows = _standardised(draw)
    return np.asarray(rows[draw.test] @ rows[draw.likes].mean(axis=0) - 2, dtype=np.float64)


def _nearest(draw: Draw) -> NDArray[np.float64]:
    rows = _standardised(draw)
    return np.asarray((rows[draw.test] @ rows[draw.likes].T).max(axis=1) - 2, dtype=np.float64)


def _tutorial(draw: Draw) -> NDArray[np.float64] | None:
    if not len(draw.dislikes):
        return None
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labelled = np.concatenate([draw.likes, draw.dislikes])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(draw.vectors[labelled], np.isin(labelled, draw.likes))
    return np.asarray(model.predict_proba(draw.vectors[draw.test])[:, 1])


SCORERS: dict[str, Scorer] = {
    "sevensongs logistic": _taste("logistic"),
    "sevensongs dense": _taste("dense"),
    "cosine": _cosine,
    "nearest": _nearest,
    "tutorial": _tutorial,
}


def readme_table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay out README's table: AUC, average precision and calibration with seven likes."""
    lines = [
        "| way | likes + dislikes | AUC (90% interval) | average precision | calibration error |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if row["n_like"] == 7 and not row["hidden"]:
            low, high = row["auc_ci90"]
            error = f"{row['ece']:.3f}" if "ece" in row else ""
            lines.append(
                f"| {row['way']} | 7 + {row['n_dislike']} | {row['auc']:.3f} ({low:.3f} to {high:.3f}) "
                f"| {row['average_precision']:.3f} | {error} |"
            )
    return "\n".join(lines) + "\n"


def _about() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return {
        "benchmark": "accuracy",
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("numpy", "scikit-learn", "av", "ai-edge-litert")},
    }


if __name__ == "__main__":
    main()
