"""Uploads: the command's score to the last digit, embeddings, and what strangers may send."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from waiting import LONG_S

import classify
import embed
from cache import EmbeddingStore
from classify.web.access.guard import Guard
from classify.web.app import create_app
from classify.web.app_state import state_of
from classify.web.counters import Metrics
from classify.web.models import ExplanationFound
from classify.web.problems import Problem
from classify.web.settings import ServiceSettings
from classify.web.uploads.upload_queue import UploadQueue
from embed import Limits
from tests.support.audio_files import KINDS

ADDRESS = "http://127.0.0.1:8765"
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n'
FIELD = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--x--\r\n'
LIMITS = Limits(max_bytes=30e6, max_duration_s=300.0)


@pytest.fixture(scope="module")
def taught(heard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a taste for the demo's acoustic music."""
    root = tmp_path_factory.mktemp("taught") / "cache"
    shutil.copytree(heard / "cache", root)
    songs = sorted((heard / "music").glob("*.opus"))
    likes = [song for song in songs if "acoustic" in song.name][:7]
    classify.train(likes, root=root)
    return root


@pytest.fixture(scope="module")
def app(taught: Path) -> FastAPI:
    return create_app(ServiceSettings(root=taught, limits=LIMITS))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=ADDRESS) as client:
        yield client


@pytest.fixture(scope="module")
def tunes(tracks: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Recordings that no library knows, in several formats: the demo's tracks, coded anew."""
    folder = tmp_path_factory.mktemp("tunes")
    made = []
    for i, name in enumerate(("mp3-vbr", "flac", "aac", "wav-16", "opus")):
        info = embed.probe(tracks[6 * i])
        (samples,) = embed.read_spans(info, [embed.Span(start=0, stop=(15 + i) * info.rate_hz)])
        path = folder / f"{name}{KINDS[name].suffix}"
        made.append(KINDS[name].write(path, 0.9 * np.stack([samples, samples]), info.rate_hz))
    return made


def post(client: TestClient, path: Path, where: str = "/v1/score") -> Any:
    with path.open("rb") as file:
        return client.post(where, files={"file": ("../../etc/passwd", file, "text/html")})


def folder_of(app: FastAPI) -> list[str]:
    """Return what lies in the private folder of uploads."""
    return os.listdir(cast("Any", state_of(app).uploads)._private_folder())


def problem(answer: Any, status: int) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.status_code == answer.json()["status"] == status, answer.text
    return str(answer.json()["detail"])


def test_an_upload_scores_as_the_command_does_to_the_last_digit(
    client: TestClient, app: FastAPI, taught: Path, tunes: list[Path], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(taught, tmp_path / "cache"))
    by_command = {song.path: song for song in classify.score(tunes, root=root).songs}
    assert len({song.score for song in by_command.values()}) == len(tunes)
    for path in tunes:
        found = post(client, path).json()
        expected = by_command[str(path)]
        assert found["score"] == expected.score
        assert (found["verdict"], found["duration_s"]) == (expected.verdict, expected.duration_s)
        assert not found["in_library"]
    told = post(client, tunes[0], "/v1/score?why=true").json()
    assert told["score"] == by_command[str(tunes[0])].score
    reasons = ExplanationFound.model_validate(told["explanation"])
    expected_reasons = classify.explain(tunes[0], root=root)
    assert reasons.points == list(expected_reasons.points)
    assert (reasons.score, reasons.n_windows) == (told["score"], expected_reasons.n_windows)
    assert reasons.like is not None
    assert reasons.like.id is not None, "it can be opened"
    assert folder_of(app) == []


def test_a_song_of_the_library_under_another_name_and_tags_is_known(
    client: TestClient, heard: Path, taught: Path, tmp_path: Path
) -> None:
    song = sorted((heard / "music").glob("*.opus"))[3]
    copy = tmp_path / "retagged.ogg"
    with av.open(str(song)) as source, av.open(str(copy), "w") as target:
        target.metadata.update({"title": "Another\nName", "artist": "x\x00y"})
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    found = post(client, copy).json()
    assert found["in_library"]
    (scored,) = [
        one for one in classify.score(root=taught, labelled=True).songs if one.path == str(song)
    ]
    assert found["score"] == scored.score
    assert found["title"].startswith("Another")


@pytest.mark.long
def test_an_upload_is_heard_as_well_as_the_library_is(
    compiled: Path, heard: Path, tunes: list[Path], tmp_path: Path
) -> None:
    roots = [tmp_path / name for name in ("one", "two")]
    songs = sorted((heard / "music").glob("*.opus"))[:9]
    shutil.copytree(compiled / "encoders", roots[0] / "encoders")
    embed.embed_library(songs, root=roots[0], coverage=3)
    classify.train(songs[:4], root=roots[0])
    shutil.copytree(roots[0], roots[1])
    with TestClient(create_app(ServiceSettings(root=roots[0])), base_url=ADDRESS) as client:
        found = post(client, tunes[1]).json()
    (expected,) = classify.score([tunes[1]], root=roots[1]).songs
    assert found["score"] == expected.score
    n_windows = EmbeddingStore(roots[1], **_store(roots[1])).held([found["id"]])
    assert n_windows == {found["id"]: 3}, "or this test shows nothing"


def _store(root: Path) -> dict[str, Any]:
    part = embed.prepare_encoder("musicnn", root=root)
    return {"encoder": part.name, "fingerprint": part.fingerprint, "dim": part.dim}


@pytest.mark.long
def test_a_taste_of_two_encoders_scores_uploads_too(
    pair_root: Path, tiny: str, heard: Path, tunes: list[Path], tmp_path: Path
) -> None:
    songs = sorted((heard / "music").glob("*.opus"))[:6]
    embed.embed_library(songs, root=pair_root, encoder=f"musicnn+{tiny}")
    # one of the two knows this one
    embed.embed_library([tunes[0]], root=pair_root, encoder="musicnn")
    classify.train(songs[:3], encoder=f"musicnn+{tiny}", root=pair_root)
    other = Path(shutil.copytree(pair_root, tmp_path / "other"))
    with TestClient(create_app(ServiceSettings(root=pair_root)), base_url=ADDRESS) as client:
        found = [post(client, tune).json() for tune in tunes[:2]]
        frames = post(client, tunes[0], "/v1/embeddings")
        assert "several encoders" in problem(frames, 422)
        song = post(client, tunes[0], "/v1/embeddings?kind=song").json()
        assert song["encoder"] == found[0].get("encoder", song["encoder"])
        assert song["shape"] == [2 * 424 + 2 * 8]
        named = post(client, tunes[0], f"/v1/embeddings?encoder={tiny.replace('+', '%2B')}").json()
        assert named["shape"][1] == 8
    copies = [Path(shutil.copy(tune, tmp_path)) for tune in tunes[:2]]
    expected = {song.path: song.score for song in classify.score(copies, root=other).songs}
    assert [one["score"] for one in found] == [expected[str(copy)] for copy in copies]


def test_frames_and_song_vectors_are_those_that_the_cache_would_hold(
    client: TestClient, root: Path, tunes: list[Path]
) -> None:
    embed.embed_library([tunes[2]], root=root, coverage="full")
    store = EmbeddingStore(root, **_store(root))
    (digest,) = store.held()
    entry = store.get(digest)
    assert entry is not None
    frames = post(client, tunes[2], "/v1/embeddings?coverage=full").json()
    assert (frames["id"], frames["encoder"], frames["kind"]) == (digest, "musicnn", "frames")
    assert frames["fingerprint"] == store.fingerprint
    assert frames["shape"] == list(entry.frames.shape)
    assert (np.array(frames["values"], np.float16) == entry.frames).all()
    assert frames["starts_s"] == entry.starts_s.tolist()
    song = post(client, tunes[2], "/v1/embeddings?coverage=full&kind=song&format=npy")
    assert song.headers["content-type"] == "application/x-npy"
    assert song.headers["x-song-id"] == digest
    vector = np.load(io.BytesIO(song.content), allow_pickle=False)
    assert vector.dtype == np.float32
    assert (vector == entry.vector).all()
    few = post(client, tunes[2], "/v1/embeddings?coverage=2&format=npy")
    assert np.load(io.BytesIO(few.content), allow_pickle=False).shape == (2, 424)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("encoder=nothing", 422),
        ("encoder=hub:https://evil.example/model", 422),
        ("encoder=hub:/etc", 422),
        ("encoder=onnx:/etc/passwd", 422),
        ("encoder=tflite", 422),
        ("encoder=musicnn%2Bmusicnn", 422),
        ("encoder=musicnn%2Bnothing", 422),
        ("encoder=" + "x" * 600, 422),
        ("coverage=0", 422),
        ("coverage=-1", 422),
        ("coverage=all", 422),
        ("kind=nothing", 422),
        ("format=pickle", 422),
    ],
)
def test_no_encoder_is_fetched_or_run_that_was_not_in_use(
    client: TestClient, tunes: list[Path], query: str, status: int
) -> None:
    problem(post(client, tunes[0], f"/v1/embeddings?{query}"), status)


def test_an_encoder_that_is_not_there_is_named_with_its_remedy(
    client: TestClient, tunes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVENSONGS_MODELS", "nowhere")
    assert "vggish" in problem(post(client, tunes[0], "/v1/embeddings?encoder=vggish"), 409)


def test_a_taste_that_is_not_there_is_told_before_the_upload(
    client: TestClient, tunes: list[Path]
) -> None:
    problem(post(client, tunes[0], "/v1/score?taste=nobody"), 404)
    problem(post(client, tunes[0], "/v1/score?taste=..%2Fdefault"), 422)


def wav_head(n_channels: int, rate_hz: int, n_bytes: int) -> bytes:
    """Write the head of a WAV file that claims what it likes."""
    form = struct.pack(
        "<HHIIHH", 1, n_channels, rate_hz, rate_hz * 2 * n_channels, 2 * n_channels, 16
    )
    return (
        b"RIFF"
        + struct.pack("<I", n_bytes + 36)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
    )


def silence_bomb(path: Path, seconds: int) -> Path:
    """Write hours of silence as FLAC, which takes next to nothing."""
    with av.open(str(path), "w") as container:
        stream = cast("Any", container.add_stream("flac", rate=8000, layout="mono", format="s16"))
        silence = np.zeros((1, 8000 * 60), np.int16)
        for start in range(0, seconds, 60):
            frame = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, start * 8000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_what_gives_no_song_is_named_in_the_commands_words(
    client: TestClient, app: FastAPI, tmp_path: Path, tunes: list[Path], root: Path
) -> None:
    whole = tunes[1].read_bytes()
    files = {
        "text": (b"hello, this is no music" * 100, 422),
        "empty": (b"", 422),
        "page": (b"<html><script>alert(1)</script></html>", 422),
        "playlist": (b"#EXTM3U\n/etc/passwd\nhttp://evil.example/song.mp3\n", 422),
        "zip": (b"PK\x03\x04" + bytes(5000), 422),
        "crowd": (wav_head(255, 44100, 510_000) + struct.pack("<I", 510_000) + bytes(510_000), 422),
        "short": (wav_head(1, 44100, 100) + struct.pack("<I", 100) + bytes(100), 422),
        "head": (whole[:60], 422),
        "noise": (np.random.default_rng(0).bytes(200_000), 422),
        "bomb": (silence_bomb(tmp_path / "bomb.flac", 3600).read_bytes(), 413),
    }
    details: dict[str, str] = {}
    for name, (content, status) in files.items():
        path = tmp_path / f"{name}.mp3"
        path.write_bytes(content)
        detail = problem(post(client, path), status)
        details[str(path)] = detail
        assert "Traceback" not in detail
        assert "sevensongs-uploads" not in detail, "where files lie is nobody's business"
    assert folder_of(app) == []
    assert post(client, tunes[0]).status_code == 200, "the next one is served"
    report = embed.embed_library(list(details), root=root, limits=LIMITS)
    assert {failure.path: failure.error for failure in report.failed} == details


def test_a_song_that_breaks_off_is_scored_as_far_as_it_goes(
    client: TestClient, tmp_path: Path, tunes: list[Path]
) -> None:
    path = tmp_path / "half.mp3"
    path.write_bytes(tunes[0].read_bytes()[:100_000])
    assert 0 < post(client, path).json()["duration_s"] < 20


def test_a_file_that_is_larger_than_allowed_is_refused(client: TestClient, app: FastAPI) -> None:
    detail = problem(client.post("/v1/score", files={"file": bytes(31_000_000)}), 413)
    assert "30 MB" in detail
    assert folder_of(app) == []


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=x", PART, 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"garbage", 400),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nA: " + b"b" * 20000 + b"\r\n\r\nabc\r\n--x--\r\n",
            400,
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nabc\r\n--x--\r\n", 400),
        ("multipart/form-data; boundary=x", FIELD, 400),
        ("multipart/form-data; boundary=x", FIELD.replace(b"file", b"song"), 400),
        ("multipart/form-data; boundary=x", PART.replace(b"file", b"song") + b"--x--\r\n", 400),
        ("multipart/form-data; boundary=x", 2 * PART + b"--x--\r\n", 400),
        ("multipart/form-data; boundary=x; charset=undefined", PART + b"--x--\r\n", 400),
        ("multipart/form-data; boundary=x; charset=zlib", PART + b"--x--\r\n", 400),
        ("multipart/form-data; boundary=x; charset=" + "x" * 9000, PART + b"--x--\r\n", 400),
        ("Multipart/Form-Data; boundary=x; charset=UTF-8", PART + b"--x--\r\n", 422),
        ("multipart/form-data", b"abc", 400),
        ("multipart/form-data; boundary=" + "x" * 71, b"abc", 400),
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"file=abc", 415),
        ("audio/mpeg", b"ID3", 415),
        ("", b"", 415),
    ],
)
# Of a form that breaks off Starlette closes the file by forgetting it; test_hostile_uploads.py sees
# that it goes.
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
def test_a_body_that_is_no_form_with_one_file_is_refused(
    client: TestClient, app: FastAPI, kind: str, body: bytes, status: int
) -> None:
    problem(client.post("/v1/score", content=body, headers={"Content-Type": kind}), status)
    assert folder_of(app) == []


def test_more_uploads_than_places_are_sent_away(
    client: TestClient, app: FastAPI, tunes: list[Path]
) -> None:
    uploads = state_of(app).uploads
    n_places = ServiceSettings(root="x").n_uploads
    with ExitStack() as stack:
        for _ in range(n_places):
            stack.enter_context(uploads.place())
        answer = post(client, tunes[0])
        assert "at once" in problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
    assert uploads.n_held == 0
    assert post(client, tunes[0]).status_code == 200


def test_a_crash_of_the_decoder_costs_one_upload(
    client: TestClient, app: FastAPI, tunes: list[Path]
) -> None:
    uploads = state_of(app).uploads
    crashed = uploads.hear(lambda call: call(os._exit, 3, cpu_s=60.0))
    after = post(client, tunes[0])
    assert isinstance(crashed.exception(), embed.EmbedError)
    assert "died" in str(crashed.exception())
    assert after.status_code == 200


def test_the_worker_is_kept_and_gives_way_to_others(app: FastAPI, client: TestClient) -> None:
    uploads = state_of(app).uploads
    first, second = (
        uploads.hear(lambda call: call(os.getpid, cpu_s=60.0)).result() for _ in range(2)
    )
    assert first == second != os.getpid()
    niceness = uploads.hear(
        lambda call: call(os.getpriority, os.PRIO_PROCESS, 0, cpu_s=60.0)
    ).result()
    assert niceness >= os.getpriority(os.PRIO_PROCESS, 0) + 10 or niceness == 19


def test_the_folder_of_uploads_is_private_and_goes_with_the_service(taught: Path) -> None:
    app = create_app(ServiceSettings(root=taught))
    with TestClient(app, base_url=ADDRESS) as client:
        problem(client.post("/v1/score", files={"file": b"x"}), 422)
        folder = Path(cast("Any", state_of(app).uploads)._private_folder())
        assert folder.stat().st_mode & 0o777 == 0o700
        worker = state_of(app).uploads.hear(lambda call: call(os.getpid, cpu_s=60.0)).result()
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_what_waits_when_the_service_ends_is_told_so(taught: Path) -> None:
    uploads = UploadQueue(ServiceSettings(root=taught))
    under_way = uploads.hear(lambda call: call(time.sleep, LONG_S, cpu_s=60.0))
    waiting = uploads.hear(lambda call: call(os.getpid, cpu_s=60.0))
    time.sleep(0.3)
    uploads.close()
    for future in (under_way, waiting):
        error = future.exception(timeout=0)
        assert isinstance(error, Problem)
        assert error.status == 503
    with pytest.raises(Problem):
        uploads.hear(lambda _call: None)


def test_the_api_document_tells_how_to_upload(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    for path in ("/v1/score", "/v1/embeddings"):
        form = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"][
            "schema"
        ]
        assert form["properties"]["file"]["format"] == "binary"
        assert form["required"] == ["file"]
    assert (
        "application/x-npy"
        in document["paths"]["/v1/embeddings"]["post"]["responses"]["200"]["content"]
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize(
    "opens",
    ["classify.web.uploads.form_upload._create", "starlette.formparsers.SpooledTemporaryFile"],
)
def test_a_full_disk_is_told(client: TestClient, tunes: list[Path], opens: str) -> None:
    def full(path: Path | None = None, max_size: int = 0) -> Any:
        return open("/dev/full", "r+b", buffering=0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opens, full)
        assert "free some space" in problem(post(client, tunes[0]), 507)
    assert json.loads(post(client, tunes[0]).text)["score"] >= 0
    assert tempfile.gettempdir() not in json.dumps(client.get("/v1/openapi.json").json())


def test_a_client_that_stops_sending_is_dropped_and_gives_its_place_back(
    client: TestClient, app: FastAPI
) -> None:
    assert client.get("/v1/health").status_code == 200
    settings = state_of(app).settings
    guarded = Guard(app, settings, Metrics(), idle_s=0.2)  # before the one of the service
    head = [
        (b"host", b"127.0.0.1:8765"),
        (b"content-type", b"multipart/form-data; boundary=x"),
        (b"content-length", b"3000000"),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/embeddings",
        "query_string": b"",
        "server": ("127.0.0.1", 8765),
        "headers": head,
    }
    pieces = [PART[:-2], bytes(2_000_000)]
    sent: list[Any] = []

    async def receive() -> Any:
        if not pieces:
            assert state_of(app).uploads.n_held == 1
            await asyncio.sleep(LONG_S)
        return {"type": "http.request", "body": pieces.pop(0), "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guarded(scope, receive, send))
    assert sent[0]["status"] == 408
    assert state_of(app).uploads.n_held == 0
    assert folder_of(app) == []


def test_uploads_go_on_when_the_temporary_folder_was_cleaned_away(
    client: TestClient, tunes: list[Path]
) -> None:
    uploads = state_of(client.app).uploads
    assert post(client, tunes[0]).status_code == 200
    assert uploads._folder is not None
    shutil.rmtree(uploads._folder.name)
    assert post(client, tunes[0]).status_code == 200


def test_an_embedding_as_json_holds_the_numbers_of_the_array(
    client: TestClient, tunes: list[Path]
) -> None:
    for kind in ("frames", "song"):
        told = post(client, tunes[0], f"/v1/embeddings?kind={kind}").json()
        array = np.load(
            io.BytesIO(post(client, tunes[0], f"/v1/embeddings?kind={kind}&format=npy").content)
        )
        np.testing.assert_array_equal(np.array(told["values"], array.dtype), array)
        assert told["shape"] == list(array.shape)
