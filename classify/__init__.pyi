from .errors import ClassifyError, LabelError, SameSongError, TasteError, VectorError
from .evaluation.evaluating import evaluate
from .evaluation.evaluation import Evaluation, evaluate_taste
from .evaluation.report.report import write_report
from .explanation.explaining import explain
from .explanation.explanation import Explanation
from .labels.labelling import Labelled, Moved, label
from .labels.suggesting import SuggestedSong, Suggestions, suggest
from .labels.training import Trained, train
from .learning.examples import LabelledSongs
from .learning.fit import fit_taste
from .learning.sampling import sample_unlabelled
from .learning.sklearn_heads import DenseHead, KernelHead, LogisticHead
from .library.similar_songs import Similars, SimilarSong, similar
from .scoring.scores import ScoredSong, Scores
from .scoring.scoring import score
from .taste.calibration import Calibration
from .taste.song_space import SongSpace
from .taste.taste import Taste
from .taste.vectors import SongTransform

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
