"""Audio files of every container and codec that is read, as Debian's programs write them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import av

from tests.support.dsd import write_dff, write_dsf
from tests.support.he_aac import adts_frames, with_sbr
from tests.support.tools import tool

__all__ = ["REFERENCE_KINDS", "WITHOUT_ENCODER", "ReferenceKind", "write_reference"]

_Step = str | Callable[[Path, Path], object]

WITHOUT_ENCODER = {
    ".tak": "TAK",
    ".ape": "Monkey's Audio",
    ".mp1": "MPEG audio, layer I",
    ".mlp": "MLP, but for the TrueHD in it",
}
"""Suffixes of kinds that are read and that no program of Debian writes, and their names."""


@dataclass(frozen=True, kw_only=True)
class ReferenceKind:
    """A container and codec, and how a file of it is made.

    Attributes
    ----------
    name : str
    suffix : str
    steps : tuple of str or of function
        Taken one after the other. In commands ``{wav}`` stands for the source (44.1 kHz, stereo, 16
        bits), ``{out}`` for the file, ``{stem}`` for a path beside it without suffix. Functions are
        given the source and the file.
    """

    name: str
    suffix: str
    steps: tuple[_Step, ...]


def _kind(name: str, suffix: str, *steps: _Step) -> ReferenceKind:
    return ReferenceKind(name=name, suffix=suffix, steps=steps)


def _ffmpeg(name: str, suffix: str, options: str, *, inputs: str = "-i {wav}") -> ReferenceKind:
    return _kind(name, suffix, f"ffmpeg -v error -y {inputs} {options} {{out}}")


def _with_video(name: str, suffix: str, options: str, video: str = "mpeg4") -> ReferenceKind:
    inputs = "-i {wav} -f lavfi -i testsrc=s=64x48:r=25:d=30"
    return _ffmpeg(
        name, suffix, f"-map 0:a -map 1:v -c:v {video} -shortest {options}", inputs=inputs
    )


def _sox(name: str, suffix: str, options: str) -> ReferenceKind:
    return _kind(name, suffix, f"sox {{wav}} {options} {{out}}")


def _he_aac(name: str, suffix: str, n_channels: int, *steps: _Step) -> ReferenceKind:
    """HE-AAC; of one channel, decoders take it for version 2."""
    encode = f"ffmpeg -v error -y -i {{wav}} -ac {n_channels} -ar 22050 -c:a aac -f adts {{out}}"
    return _kind(name, suffix, encode, _replicate_bands, *steps)


def _replicate_bands(_: Path, out: Path) -> None:
    out.write_bytes(with_sbr(out.read_bytes()))


def _begin_plain(_: Path, out: Path) -> None:
    """Put a third of AAC LC before a third of HE-AAC, at one rate of the headers."""
    content = out.read_bytes()
    frames = list(adts_frames(content))
    third = len(frames) // 3
    out.write_bytes(b"".join(frames[:third]) + with_sbr(b"".join(frames[third : 2 * third])))


def _joined(_: Path, out: Path) -> None:
    """Join what was written beside the file, ``1`` and ``2``, to one stream."""
    stem = out.with_suffix("")
    out.write_bytes(b"".join(Path(f"{stem}.{k}{out.suffix}").read_bytes() for k in (1, 2)))


def _write_amr(wav: Path, out: Path) -> None:
    with av.open(str(wav)) as source, av.open(str(out), "w", format="amr") as container:
        stream = cast(Any, container.add_stream("libopencore_amrnb", rate=8000, layout="mono"))
        stream.bit_rate = 12_200
        resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
        for frame in source.decode(audio=0):
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def _taken_from(ending: str) -> _Step:
    return lambda _, out: Path(f"{out.with_suffix('')}{ending}").replace(out)


_REENCODED = "ffmpeg -v error -y -i {wav} -c:a aac {stem}.whole.m4a"

REFERENCE_KINDS = (
    # MPEG audio
    _kind("mp3 cbr", ".mp3", "lame --quiet -b 128 {wav} {out}"),
    _kind("mp3 cbr, no header", ".mp3", "lame --quiet -t -b 128 {wav} {out}"),
    _kind("mp3 vbr", ".mp3", "lame --quiet -V 4 {wav} {out}"),
    _kind("mp3 vbr, no header", ".mp3", "lame --quiet -t -V 4 {wav} {out}"),
    _kind("mp3 abr", ".mp3", "lame --quiet --abr 150 {wav} {out}"),
    _kind("mp3 mono", ".mp3", "lame --quiet -m m -b 64 {wav} {out}"),
    _kind("mp3 22 kHz", ".mp3", "lame --quiet --resample 22.05 -b 64 {wav} {out}"),
    _kind("mp3 8 kHz", ".mp3", "lame --quiet --resample 8 -b 24 {wav} {out}"),
    _kind("mp3 crc", ".mp3", "lame --quiet -p -b 128 {wav} {out}"),
    _ffmpeg("mp3 of ffmpeg, no header", ".mp3", "-c:a libmp3lame -write_xing 0 -id3v2_version 0"),
    _ffmpeg("mp3 in wav", ".wav", "-c:a libmp3lame"),
    _ffmpeg("mp3 in mp4", ".mp4", "-c:a libmp3lame"),
    _ffmpeg("mp3 in mka", ".mka", "-c:a libmp3lame"),
    _kind("mp2", ".mp2", "twolame --quiet {wav} {out}"),
    _ffmpeg("mp2 of ffmpeg", ".mp2", "-c:a mp2"),
    # AAC
    _ffmpeg("aac adts", ".aac", "-c:a aac"),
    _ffmpeg("aac m4a", ".m4a", "-c:a aac"),
    _ffmpeg("aac m4a, index first", ".m4a", "-c:a aac -movflags faststart"),
    _ffmpeg("aac mp4 in fragments", ".mp4", "-c:a aac -movflags frag_keyframe+empty_moov"),
    _ffmpeg("aac mp4 22 kHz mono", ".mp4", "-c:a aac -ar 22050 -ac 1"),
    _ffmpeg("aac 3gp", ".3gp", "-c:a aac"),
    _ffmpeg("aac mov", ".mov", "-c:a aac"),
    _ffmpeg("aac mka", ".mka", "-c:a aac"),
    _ffmpeg("aac ts", ".ts", "-c:a aac -f mpegts"),
    _ffmpeg("aac flv", ".flv", "-c:a aac"),
    _with_video("aac mp4 with video", ".mp4", "-c:a aac"),
    _with_video("aac mkv with video", ".mkv", "-c:a aac"),
    _with_video("aac mov with video", ".mov", "-c:a aac"),
    _with_video("aac m4v", ".m4v", "-c:a aac -f mp4"),
    _kind(
        "aac m4a cut by its edit list",
        ".m4a",
        _REENCODED,
        "ffmpeg -v error -y -ss 3.21 -i {stem}.whole.m4a -c copy {out}",
    ),
    _kind(
        "aac m4a that begins late",
        ".m4a",
        _REENCODED,
        "ffmpeg -v error -y -itsoffset 1.5 -i {stem}.whole.m4a -c copy {out}",
    ),
    _he_aac("he-aac adts", ".aac", 2),
    _he_aac("he-aac 2 adts", ".aac", 1),
    _he_aac(
        *("he-aac m4a", ".m4a", 2),
        "ffmpeg -v error -y -f aac -i {out} -c copy {stem}.b.m4a",
        _taken_from(".b.m4a"),
    ),
    _he_aac(
        *("he-aac 2 m4a", ".m4a", 1),
        "ffmpeg -v error -y -f aac -i {out} -c copy {stem}.b.m4a",
        _taken_from(".b.m4a"),
    ),
    _kind(
        "aac, then he-aac",
        ".aac",
        "ffmpeg -v error -y -i {wav} -ar 22050 -c:a aac {out}",
        _begin_plain,
    ),
    # lossless
    _ffmpeg("alac", ".m4a", "-c:a alac"),
    _ffmpeg("alac 24", ".m4a", "-c:a alac -sample_fmt s32p"),
    _ffmpeg("alac caf", ".caf", "-c:a alac"),
    _kind("flac", ".flac", "flac --silent -o {out} {wav}"),
    _ffmpeg("flac 24", ".flac", "-c:a flac -sample_fmt s32"),
    _kind("flac ogg", ".oga", "flac --silent --ogg -o {out} {wav}"),
    _ffmpeg("flac mka", ".mka", "-c:a flac"),
    _ffmpeg("flac mp4", ".mp4", "-c:a flac -strict -2"),
    _kind("wavpack", ".wv", "wavpack -q -y {wav} -o {out}"),
    _kind("wavpack lossy", ".wv", "wavpack -q -y -b320 {wav} -o {out}"),
    _ffmpeg("wavpack float", ".wv", "-c:a wavpack -sample_fmt fltp"),
    _ffmpeg("wavpack mka", ".mka", "-c:a wavpack"),
    _ffmpeg("tta", ".tta", "-c:a tta"),
    _ffmpeg("tta mka", ".mka", "-c:a tta"),
    _ffmpeg("truehd", ".thd", "-c:a truehd -strict -2"),
    # Xiph
    _kind("vorbis", ".ogg", "oggenc -Q -o {out} {wav}"),
    _kind("vorbis 22 kHz mono", ".ogg", "oggenc -Q --resample 22050 --downmix -o {out} {wav}"),
    _ffmpeg("vorbis of ffmpeg", ".ogg", "-c:a libvorbis"),
    _ffmpeg("vorbis webm", ".webm", "-c:a libvorbis"),
    _ffmpeg("vorbis mka", ".mka", "-c:a libvorbis"),
    _kind("opus", ".opus", "opusenc --quiet {wav} {out}"),
    _kind("opus 60 ms", ".opus", "opusenc --quiet --framesize 60 --bitrate 32 {wav} {out}"),
    _ffmpeg("opus webm", ".webm", "-c:a libopus"),
    _ffmpeg("opus mka", ".mka", "-c:a libopus"),
    _ffmpeg("opus mp4", ".mp4", "-c:a libopus -strict -2"),
    _with_video("opus webm with video", ".webm", "-c:a libopus", "libvpx"),
    *(
        _kind(
            f"speex {rate_hz}",
            ".spx",
            f"sox {{wav}} -r {rate_hz} -c {n} {{stem}}.r.wav",
            f"speexenc {option} {{stem}}.r.wav {{out}}",
        )
        for rate_hz, n, option in ((8000, 1, "-n"), (16000, 2, "-w"), (32000, 1, "-u"))
    ),
    _kind(
        "vorbis chained",
        ".ogg",
        "oggenc -Q -s 1 -o {stem}.1.ogg {wav}",
        "oggenc -Q -s 2 -o {stem}.2.ogg {wav}",
        _joined,
    ),
    # other lossy codecs
    _kind("musepack", ".mpc", "mpcenc --silent --overwrite {wav} {out}"),
    _ffmpeg("wma 1", ".wma", "-c:a wmav1"),
    _ffmpeg("wma 2", ".wma", "-c:a wmav2"),
    _ffmpeg("wma 2 asf", ".asf", "-c:a wmav2"),
    _with_video("wma 2 wmv", ".wmv", "-c:a wmav2", "wmv2"),
    _ffmpeg("ac3", ".ac3", "-c:a ac3"),
    _ffmpeg("eac3", ".ec3", "-c:a eac3 -f eac3"),
    _ffmpeg("ac3 mkv", ".mkv", "-c:a ac3"),
    _ffmpeg("dts", ".dts", "-c:a dca -strict -2 -f dts"),
    _ffmpeg("dts wav", ".wav", "-c:a dca -strict -2"),
    _ffmpeg("dts mka", ".mka", "-c:a dca -strict -2"),
    _ffmpeg("rm ac3", ".rm", "-c:a ac3"),
    _ffmpeg("rm 14.4", ".ra", "-ac 1 -ar 8000 -c:a real_144 -f rm"),
    _kind("amr", ".amr", _write_amr),
    _with_video("mp2 mpg", ".mpg", "-c:a mp2", "mpeg1video"),
    _with_video("ac3 vob", ".vob", "-c:a ac3", "mpeg2video"),
    _with_video("ac3 m2ts", ".m2ts", "-c:a ac3", "mpeg2video"),
    _with_video("mp3 avi", ".avi", "-c:a libmp3lame"),
    # not compressed
    _kind("dsf", ".dsf", write_dsf),
    _kind("dff", ".dff", write_dff),
    *(
        _ffmpeg(f"wav {codec}", ".wav", f"-c:a {codec}")
        for codec in (
            *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
            *("pcm_alaw", "pcm_mulaw", "adpcm_ms", "adpcm_ima_wav"),
        )
    ),
    _ffmpeg("wav 5.1", ".wav", "-ac 6 -c:a pcm_s16le"),
    _ffmpeg("rf64", ".wav", "-rf64 always -c:a pcm_s24le"),
    _ffmpeg("broadcast wav", ".wav", "-write_bext 1 -c:a pcm_s24le"),
    _ffmpeg("w64", ".w64", "-c:a pcm_s24le"),
    _ffmpeg("aiff 16", ".aiff", "-c:a pcm_s16be"),
    _ffmpeg("aiff 24", ".aiff", "-c:a pcm_s24be"),
    _ffmpeg("aiff 32", ".aiff", "-c:a pcm_s32be"),
    _ffmpeg("aifc float", ".aifc", "-c:a pcm_f32be -f aiff"),
    _sox("aiff 8", ".aif", "-b 8"),
    _ffmpeg("caf 16", ".caf", "-c:a pcm_s16le"),
    _ffmpeg("caf float", ".caf", "-c:a pcm_f32le"),
    _ffmpeg("au 16", ".au", "-c:a pcm_s16be"),
    _ffmpeg("au mu-law", ".snd", "-c:a pcm_mulaw -f au"),
)
"""One of each."""


def write_reference(kind: ReferenceKind, wav: Path, out: Path) -> Path:
    """Write a file of a kind, or skip the test where a program is missing."""
    stem = out.with_suffix("")
    for step in kind.steps:
        if callable(step):
            step(wav, out)
            continue
        words = [word.format(wav=wav, out=out, stem=stem) for word in shlex.split(step)]
        subprocess.run(
            [tool(words[0]), *words[1:]], check=True, capture_output=True, stdin=subprocess.DEVNULL
        )
    return out
