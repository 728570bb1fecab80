"""Sound to embeddings: decoding, front ends, encoders and the pipeline that fills the cache.

Names are imported when first used (PEP 562): what only looks into the cache does not pay for decoding.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embed.audio import read_spans
    from embed.composite import MAX_PARTS, PreparedEncoders, encoder_name, prepare_encoders, split_encoder
    from embed.encoder import (
        Encoder,
        PreparedEncoder,
        damaged_encoders,
        is_compiled,
        load_encoder,
        prepare_encoder,
    )
    from embed.errors import AudioError, EmbedError, EncoderError, EncoderUnavailable, LimitExceeded
    from embed.find import Failure, FoundAudio, find_audio
    from embed.limits import Limits
    from embed.overview import SoundPicture, mel_band, sound_picture
    from embed.packets import Span
    from embed.pipeline import EmbedReport, Progress, embed_library
    from embed.recording import AudioInfo, probe
    from embed.registry import ENCODERS, EncoderSpec, encoder_spec
    from embed.status import EncoderStatus, encoder_status
    from embed.windows import Grid, coverage_windows
    from embed.worker import song_vector

__all__ = [
    "ENCODERS",
    "MAX_PARTS",
    "AudioError",
    "AudioInfo",
    "EmbedError",
    "EmbedReport",
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
    "PreparedEncoder",
    "PreparedEncoders",
    "Progress",
    "SoundPicture",
    "Span",
    "coverage_windows",
    "damaged_encoders",
    "embed_library",
    "encoder_name",
    "encoder_spec",
    "encoder_status",
    "find_audio",
    "is_compiled",
    "load_encoder",
    "mel_band",
    "prepare_encoder",
    "prepare_encoders",
    "probe",
    "read_spans",
    "song_vector",
    "sound_picture",
    "split_encoder",
]

_HOMES = {
    "AudioError": "embed.errors",
    "AudioInfo": "embed.recording",
    "ENCODERS": "embed.registry",
    "EmbedError": "embed.errors",
    "EmbedReport": "embed.pipeline",
    "Encoder": "embed.encoder",
    "EncoderError": "embed.errors",
    "EncoderSpec": "embed.registry",
    "EncoderStatus": "embed.status",
    "EncoderUnavailable": "embed.errors",
    "Failure": "embed.find",
    "FoundAudio": "embed.find",
    "Grid": "embed.windows",
    "LimitExceeded": "embed.errors",
    "Limits": "embed.limits",
    "MAX_PARTS": "embed.composite",
    "PreparedEncoder": "embed.encoder",
    "PreparedEncoders": "embed.composite",
    "Progress": "embed.pipeline",
    "SoundPicture": "embed.overview",
    "Span": "embed.packets",
    "coverage_windows": "embed.windows",
    "damaged_encoders": "embed.encoder",
    "embed_library": "embed.pipeline",
    "encoder_name": "embed.composite",
    "encoder_spec": "embed.registry",
    "encoder_status": "embed.status",
    "find_audio": "embed.find",
    "is_compiled": "embed.encoder",
    "load_encoder": "embed.encoder",
    "mel_band": "embed.overview",
    "prepare_encoder": "embed.encoder",
    "prepare_encoders": "embed.composite",
    "probe": "embed.recording",
    "read_spans": "embed.audio",
    "song_vector": "embed.worker",
    "sound_picture": "embed.overview",
    "split_encoder": "embed.composite",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # so that it is looked up once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
