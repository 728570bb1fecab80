from .cluster.ray_cluster import RayCluster
from .cover_art import CoverArt, cover_stamp, find_cover
from .decoding.packets import Span
from .decoding.probing import AudioInfo, probe
from .decoding.spans import read_spans
from .encoders.choices import (
    BEST_ENCODER,
    DEFAULT_ENCODER,
    ENCODER_VARIABLE,
    FAST_ENCODER,
    chosen_encoder,
    default_encoder,
)
from .encoders.composite import (
    MAX_PARTS,
    PreparedEncoders,
    encoder_name,
    prepare_encoders,
    split_encoder,
)
from .encoders.encoder import Encoder, load_encoder, silent_frame
from .encoders.encoder_tags import OwnTags
from .encoders.pooling import song_vector
from .encoders.preparing import (
    PreparedEncoder,
    damaged_encoders,
    is_compiled,
    prepare_encoder,
    stored_spec,
)
from .encoders.registry import ENCODERS, EncoderSpec, encoder_spec, is_own_model
from .encoders.status import EncoderStatus, encoder_status
from .encoders.windows import Grid, coverage_windows
from .errors import (
    AudioError,
    EmbedError,
    EncoderError,
    EncoderUnavailable,
    LimitExceeded,
    WorkerCrashed,
    WorkerStopped,
)
from .files.cue_sheets import Album, album_words
from .files.entries import URL_ERROR
from .files.find import Failure, FoundAudio, Paths, find_audio, path_list
from .files.folders import PassedOver
from .files.path_mapping import MAP_VARIABLE, mapped_there, parse_map, path_maps
from .files.playlists import LIST_SUFFIXES, list_entries
from .files.source_lists import find_listed
from .limits import Limits
from .loudness import measure_loudness
from .pipeline.first_look import first_windows
from .pipeline.pieces import Outline
from .pipeline.pipeline import embed_library
from .pipeline.run_report import EmbedReport, Progress
from .pipeline.worker_tasks import embed_recording, embed_together, probe_file
from .spectrogram_picture import (
    SoundPicture,
    draw_sound,
    drawing_s,
    mel_band,
    sound_picture,
)
from .stored_embeddings import Embeddings, open_embeddings
from .watching.folder_watch import FolderWatch, NewAudio
from .worker_pool import WorkerPool

__all__ = [
    "BEST_ENCODER",
    "DEFAULT_ENCODER",
    "ENCODERS",
    "ENCODER_VARIABLE",
    "FAST_ENCODER",
    "LIST_SUFFIXES",
    "MAP_VARIABLE",
    "MAX_PARTS",
    "URL_ERROR",
    "Album",
    "AudioError",
    "AudioInfo",
    "CoverArt",
    "EmbedError",
    "EmbedReport",
    "Embeddings",
    "Encoder",
    "EncoderError",
    "EncoderSpec",
    "EncoderStatus",
    "EncoderUnavailable",
    "Failure",
    "FolderWatch",
    "FoundAudio",
    "Grid",
    "LimitExceeded",
    "Limits",
    "NewAudio",
    "Outline",
    "OwnTags",
    "PassedOver",
    "Paths",
    "PreparedEncoder",
    "PreparedEncoders",
    "Progress",
    "RayCluster",
    "SoundPicture",
    "Span",
    "WorkerCrashed",
    "WorkerPool",
    "WorkerStopped",
    "album_words",
    "chosen_encoder",
    "cover_stamp",
    "coverage_windows",
    "damaged_encoders",
    "default_encoder",
    "draw_sound",
    "drawing_s",
    "embed_library",
    "embed_recording",
    "embed_together",
    "encoder_name",
    "encoder_spec",
    "encoder_status",
    "find_audio",
    "find_cover",
    "find_listed",
    "first_windows",
    "is_compiled",
    "is_own_model",
    "list_entries",
    "load_encoder",
    "mapped_there",
    "measure_loudness",
    "mel_band",
    "open_embeddings",
    "parse_map",
    "path_list",
    "path_maps",
    "prepare_encoder",
    "prepare_encoders",
    "probe",
    "probe_file",
    "read_spans",
    "silent_frame",
    "song_vector",
    "sound_picture",
    "split_encoder",
    "stored_spec",
]
