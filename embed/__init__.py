"""Sound to embeddings: decoding, front ends, encoders and the pipeline that fills the cache.

Names are imported when first used (PEP 562): what only looks into the cache does not pay for
decoding.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embed.decoding.packets import Span
    from embed.decoding.probing import AudioInfo, probe
    from embed.decoding.spans import read_spans
    from embed.encoders.composite import (
        MAX_PARTS,
        PreparedEncoders,
        encoder_name,
        prepare_encoders,
        split_encoder,
    )
    from embed.encoders.encoder import Encoder, load_encoder
    from embed.encoders.encoder_tags import OwnTags
    from embed.encoders.pooling import song_vector
    from embed.encoders.preparing import (
        PreparedEncoder,
        damaged_encoders,
        is_compiled,
        prepare_encoder,
    )
    from embed.encoders.registry import ENCODERS, EncoderSpec, encoder_spec
    from embed.encoders.status import EncoderStatus, encoder_status
    from embed.encoders.windows import Grid, coverage_windows
    from embed.errors import (
        AudioError,
        EmbedError,
        EncoderError,
        EncoderUnavailable,
        LimitExceeded,
        WorkerCrashed,
        WorkerStopped,
    )
    from embed.files.find import Failure, FoundAudio, Paths, find_audio, path_list
    from embed.files.playlists import LIST_SUFFIXES
    from embed.limits import Limits
    from embed.pipeline.pieces import Outline
    from embed.pipeline.pipeline import EmbedReport, Progress, embed_library
    from embed.pipeline.worker_tasks import embed_recording, probe_file
    from embed.spectrogram_picture import (
        SoundPicture,
        draw_sound,
        drawing_s,
        mel_band,
        sound_picture,
    )
    from embed.stored_embeddings import Embeddings, open_embeddings
    from embed.worker_pool import WorkerPool

__all__ = [
    "ENCODERS",
    "LIST_SUFFIXES",
    "MAX_PARTS",
    "AudioError",
    "AudioInfo",
    "EmbedError",
    "EmbedReport",
    "Embeddings",
    "Encoder",
    "EncoderError",
    "EncoderSpec",
    "EncoderStatus",
    "EncoderUnavailable",
    "Failure",
    "FoundAudio",
    "Grid",
    "LimitExceeded",
    "Limits",
    "Outline",
    "OwnTags",
    "Paths",
    "PreparedEncoder",
    "PreparedEncoders",
    "Progress",
    "SoundPicture",
    "Span",
    "WorkerCrashed",
    "WorkerPool",
    "WorkerStopped",
    "coverage_windows",
    "damaged_encoders",
    "draw_sound",
    "drawing_s",
    "embed_library",
    "embed_recording",
    "encoder_name",
    "encoder_spec",
    "encoder_status",
    "find_audio",
    "is_compiled",
    "load_encoder",
    "mel_band",
    "open_embeddings",
    "path_list",
    "prepare_encoder",
    "prepare_encoders",
    "probe",
    "probe_file",
    "read_spans",
    "song_vector",
    "sound_picture",
    "split_encoder",
]

_HOMES = {
    "AudioError": "embed.errors",
    "AudioInfo": "embed.decoding.probing",
    "ENCODERS": "embed.encoders.registry",
    "EmbedError": "embed.errors",
    "EmbedReport": "embed.pipeline.pipeline",
    "Embeddings": "embed.stored_embeddings",
    "Encoder": "embed.encoders.encoder",
    "EncoderError": "embed.errors",
    "EncoderSpec": "embed.encoders.registry",
    "EncoderStatus": "embed.encoders.status",
    "EncoderUnavailable": "embed.errors",
    "Failure": "embed.files.find",
    "FoundAudio": "embed.files.find",
    "Grid": "embed.encoders.windows",
    "LIST_SUFFIXES": "embed.files.playlists",
    "LimitExceeded": "embed.errors",
    "Limits": "embed.limits",
    "MAX_PARTS": "embed.encoders.composite",
    "Outline": "embed.pipeline.pieces",
    "OwnTags": "embed.encoders.encoder_tags",
    "Paths": "embed.files.find",
    "PreparedEncoder": "embed.encoders.preparing",
    "PreparedEncoders": "embed.encoders.composite",
    "Progress": "embed.pipeline.pipeline",
    "SoundPicture": "embed.spectrogram_picture",
    "Span": "embed.decoding.packets",
    "WorkerCrashed": "embed.errors",
    "WorkerPool": "embed.worker_pool",
    "WorkerStopped": "embed.errors",
    "coverage_windows": "embed.encoders.windows",
    "damaged_encoders": "embed.encoders.preparing",
    "draw_sound": "embed.spectrogram_picture",
    "drawing_s": "embed.spectrogram_picture",
    "embed_library": "embed.pipeline.pipeline",
    "embed_recording": "embed.pipeline.worker_tasks",
    "encoder_name": "embed.encoders.composite",
    "encoder_spec": "embed.encoders.registry",
    "encoder_status": "embed.encoders.status",
    "find_audio": "embed.files.find",
    "is_compiled": "embed.encoders.preparing",
    "load_encoder": "embed.encoders.encoder",
    "mel_band": "embed.spectrogram_picture",
    "open_embeddings": "embed.stored_embeddings",
    "path_list": "embed.files.find",
    "prepare_encoder": "embed.encoders.preparing",
    "prepare_encoders": "embed.encoders.composite",
    "probe": "embed.decoding.probing",
    "probe_file": "embed.pipeline.worker_tasks",
    "read_spans": "embed.decoding.spans",
    "song_vector": "embed.encoders.pooling",
    "sound_picture": "embed.spectrogram_picture",
    "split_encoder": "embed.encoders.composite",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # so that it is looked up once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
