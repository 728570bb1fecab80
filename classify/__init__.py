"""Learn one listener's taste from labels and song vectors; score everything else.

Names are imported when first used (PEP 562), so that scoring does not pay for what training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classify.errors import ClassifyError, LabelError, SameSongError, TasteError, VectorError
    from classify.evaluation.evaluating import evaluate
    from classify.evaluation.evaluation import Evaluation, evaluate_taste
    from classify.evaluation.report.report import write_report
    from classify.explanation.explaining import explain
    from classify.explanation.explanation import Explanation
    from classify.labels.labelling import Labelled, Moved, label
    from classify.labels.suggesting import SuggestedSong, Suggestions, suggest
    from classify.labels.training import Trained, train
    from classify.learning.examples import LabelledSongs, sample_unlabelled
    from classify.learning.fit import fit_taste
    from classify.learning.sklearn_heads import DenseHead, KernelHead, LogisticHead
    from classify.library.scoring import ScoredSong, Scores, score
    from classify.library.similar_songs import Similars, SimilarSong, similar
    from classify.taste.calibration import Calibration
    from classify.taste.song_space import SongSpace
    from classify.taste.taste import Taste
    from classify.taste.vectors import SongTransform

__all__ = [
    "Calibration",
    "ClassifyError",
    "DenseHead",
    "Evaluation",
    "Explanation",
    "KernelHead",
    "LabelError",
    "Labelled",
    "LabelledSongs",
    "LogisticHead",
    "Moved",
    "SameSongError",
    "ScoredSong",
    "Scores",
    "SimilarSong",
    "Similars",
    "SongSpace",
    "SongTransform",
    "SuggestedSong",
    "Suggestions",
    "Taste",
    "TasteError",
    "Trained",
    "VectorError",
    "evaluate",
    "evaluate_taste",
    "explain",
    "fit_taste",
    "label",
    "sample_unlabelled",
    "score",
    "similar",
    "suggest",
    "train",
    "write_report",
]

_HOMES = {
    "Calibration": "classify.taste.calibration",
    "ClassifyError": "classify.errors",
    "DenseHead": "classify.learning.sklearn_heads",
    "Evaluation": "classify.evaluation.evaluation",
    "Explanation": "classify.explanation.explanation",
    "KernelHead": "classify.learning.sklearn_heads",
    "LabelError": "classify.errors",
    "Labelled": "classify.labels.labelling",
    "LabelledSongs": "classify.learning.examples",
    "LogisticHead": "classify.learning.sklearn_heads",
    "Moved": "classify.labels.labelling",
    "SameSongError": "classify.errors",
    "ScoredSong": "classify.library.scoring",
    "Scores": "classify.library.scoring",
    "SimilarSong": "classify.library.similar_songs",
    "Similars": "classify.library.similar_songs",
    "SongSpace": "classify.taste.song_space",
    "SongTransform": "classify.taste.vectors",
    "SuggestedSong": "classify.labels.suggesting",
    "Suggestions": "classify.labels.suggesting",
    "Taste": "classify.taste.taste",
    "TasteError": "classify.errors",
    "Trained": "classify.labels.training",
    "VectorError": "classify.errors",
    "evaluate": "classify.evaluation.evaluating",
    "evaluate_taste": "classify.evaluation.evaluation",
    "explain": "classify.explanation.explaining",
    "fit_taste": "classify.learning.fit",
    "label": "classify.labels.labelling",
    "sample_unlabelled": "classify.learning.examples",
    "score": "classify.library.scoring",
    "similar": "classify.library.similar_songs",
    "suggest": "classify.labels.suggesting",
    "train": "classify.labels.training",
    "write_report": "classify.evaluation.report.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
