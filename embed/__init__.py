"""Sound to embeddings: decoding, front ends, encoders and the pipeline that fills the cache."""

from __future__ import annotations

from embed.audio import read_spans
from embed.composite import (
    MAX_PARTS,
    PreparedEncoders,
    encoder_name,
    prepare_encoders,
    split_encoder,
)
from embed.encoder import Encoder, PreparedEncoder, is_compiled, load_encoder, prepare_encoder
from embed.errors import AudioError, EmbedError, EncoderError, EncoderUnavailable
from embed.find import Failure, FoundAudio, find_audio
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
    "PreparedEncoder",
    "PreparedEncoders",
    "Progress",
    "Span",
    "coverage_windows",
    "embed_library",
    "encoder_name",
    "encoder_spec",
    "encoder_status",
    "find_audio",
    "is_compiled",
    "load_encoder",
    "prepare_encoder",
    "prepare_encoders",
    "probe",
    "read_spans",
    "song_vector",
    "split_encoder",
]
