"""Learn one listener's taste from labels and song vectors; score everything else.

Names are imported when first used (PEP 562), so that scoring does not pay for what training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classify.calibrate import Calibration
    from classify.errors import ClassifyError, LabelError, SameSongError, TasteError, VectorError
    from classify.evaluation import Evaluation, evaluate_taste
    from classify.examples import sample_unlabelled
    from classify.explaining import explain
    from classify.explanation import Explanation
    from classify.features import LabelledSongs, SongTransform
    from classify.fit import fit_taste
    from classify.labelling import Labelled, Moved, label
    from classify.library import ScoredSong, Scores, evaluate, score
    from classify.neighbours import Similars, SimilarSong, similar
    from classify.report import write_report
    from classify.space import SongSpace
    from classify.suggesting import SuggestedSong, Suggestions, suggest
    from classify.taste import Taste
    from classify.training import Trained, train

__all__ = [
    "Calibration",
    "ClassifyError",
    "Evaluation",
    "Explanation",
    "LabelError",
    "Labelled",
    "LabelledSongs",
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
    "Calibration": "classify.calibrate",
    "ClassifyError": "classify.errors",
    "Evaluation": "classify.evaluation",
    "Explanation": "classify.explanation",
    "LabelError": "classify.errors",
    "Labelled": "classify.labelling",
    "LabelledSongs": "classify.features",
    "Moved": "classify.labelling",
    "SameSongError": "classify.errors",
    "ScoredSong": "classify.library",
    "Scores": "classify.library",
    "SimilarSong": "classify.neighbours",
    "Similars": "classify.neighbours",
    "SongSpace": "classify.space",
    "SongTransform": "classify.features",
    "SuggestedSong": "classify.suggesting",
    "Suggestions": "classify.suggesting",
    "Taste": "classify.taste",
    "TasteError": "classify.errors",
    "Trained": "classify.training",
    "VectorError": "classify.errors",
    "evaluate": "classify.library",
    "evaluate_taste": "classify.evaluation",
    "explain": "classify.explaining",
    "fit_taste": "classify.fit",
    "label": "classify.labelling",
    "sample_unlabelled": "classify.examples",
    "score": "classify.library",
    "similar": "classify.neighbours",
    "suggest": "classify.suggesting",
    "train": "classify.training",
    "write_report": "classify.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
