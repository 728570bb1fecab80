"""`serve --watch`: whatever comes into a served folder is ranked, and who listens hears of it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from waiting import wait_until

from classify.web.app import create_app
from classify.web.app_state import state_of
from classify.web.live import scan as scan_module
from classify.web.settings import ServiceSettings
from tests.support.audio_files import KINDS, music


def test_a_song_that_is_copied_into_a_served_folder_is_ranked(
    heard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "_NICENESS", 0)
    shutil.copytree(heard / "cache", tmp_path / "cache")
    folder = tmp_path / "music"
    folder.mkdir()
    followed = threading.Semaphore(0)
    settings = ServiceSettings(root=tmp_path / "cache", folders=(folder,), workers=1, watches=True)
    app = create_app(settings, then=followed.release)
    song = folder / "new.flac"
    made = KINDS["flac"].write(tmp_path / "made.flac", music(6.0, 44100), 44100).read_bytes()
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        scan = state_of(app).scan
        wait_until(lambda: scan.state == "done", "the first scan")
        before = client.get("/v1/health").json()["n_songs"]
        with song.open("wb") as file:
            for start in range(0, len(made), len(made) // 3 + 1):
                file.write(made[start : start + len(made) // 3 + 1])
                file.flush()
        wait_until(lambda: client.get("/v1/health").json()["n_songs"] == before + 1, "the song")
        wait_until(lambda: scan.state == "done", "the end of its scan")
        result = client.get("/v1/library/scan").json()["result"]
        assert (result["found"], result["embedded"], result["failed"]) == (1, 1, [])
        wait_until(lambda: followed.acquire(blocking=False), "what follows")
        (found,) = client.get("/v1/songs?q=new.flac").json()["songs"]
        assert found["path"] == str(song)
    assert not [thread for thread in threading.enumerate() if thread.name in ("watch", "scan")]
