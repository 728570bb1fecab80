"""A taste file is data.

Whatever is in it, it is refused with a reason or it scores, soon, and nothing runs.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classify import Taste, TasteError
from classify.taste.names import taste_path
from classify.taste.taste_file import FORMAT_VERSION, MAX_FILE_BYTES

FORMATS = Path(__file__).parents[1] / "formats"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KEPT = sorted(FORMATS.glob("taste-*.npz"))
DAMAGED = (
    "bytes flipped",
    "cut short",
    "pieces replaced",
    "random bytes",
    "false sizes in the zip",
)
FORGED = ("other members", "other arrays", "other metadata", "zip bombs", "pickles")
_MEMORY_BYTES = 64 * 2**20
_FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        patch.syspath_prepend(str(FORMATS))
        yield


def hostile() -> ModuleType:
    return import_module("fuzz.hostile_tastes")


@pytest.fixture
def content() -> bytes:
    return (FORMATS / f"taste-{FORMAT_VERSION}.npz").read_bytes()


@pytest.fixture(scope="module")
def sound() -> Taste:
    return Taste.load(FORMATS / f"taste-{FORMAT_VERSION}.npz")


# --- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_taste_of_every_format_says_what_it_said(path: Path) -> None:
    told = json.loads(path.with_suffix(".json").read_text("utf-8"))
    taste = Taste.load(path)
    scores = taste.score(import_module("make_taste").some_songs(8, seed=3))
    np.testing.assert_allclose(scores, told["scores"], rtol=1e-5)
    assert taste.verdicts(scores) == told["verdicts"]
    assert (taste.n_like, taste.n_unlabelled) == (told["n_like"], told["n_unlabelled"])


def test_the_present_format_is_among_those_kept_and_is_still_made(tmp_path: Path) -> None:
    assert KEPT[-1].stem == f"taste-{FORMAT_VERSION}"
    kept = Taste.load(KEPT[-1])
    made = import_module("make_taste").make_taste()
    songs = import_module("make_taste").some_songs(8, seed=3)
    np.testing.assert_allclose(made.score(songs), kept.score(songs), rtol=1e-5)
    made.save(tmp_path / "t.npz")
    with zipfile.ZipFile(tmp_path / "t.npz") as new, zipfile.ZipFile(KEPT[-1]) as old:
        assert new.namelist() == old.namelist()


def test_a_newer_format_is_refused_kindly_whatever_else_is_in_it(
    tmp_path: Path, content: bytes
) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        data = archive.read("meta.npy")
    meta = json.loads(data[data.index(b"\n") + 1 :]) | {
        "format": FORMAT_VERSION + 1,
        "head": {"new": []},
    }
    out = io.BytesIO()
    np.save(out, np.frombuffer(json.dumps(meta).encode(), np.uint8))
    newer = hostile().forge(content, meta=out.getvalue(), wavelets=b"not an array", mean=b"")
    (tmp_path / "t.npz").write_bytes(newer)
    with pytest.raises(
        TasteError, match=r"t\.npz.*taste format 3.*reads up to 2: upgrade sevensongs"
    ):
        Taste.load(tmp_path / "t.npz")


# --- fuzz ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DAMAGED)
@_FUZZ
@given(r=st.randoms(use_true_random=False))
def test_a_damaged_taste_is_refused_or_unchanged(
    tmp_path: Path, content: bytes, sound: Taste, kind: str, r: Random
) -> None:
    broken = hostile().make_hostile(r, kind, content, tmp_path / "mark")
    assert hostile().judge(tmp_path / "t.npz", broken, sound) in ("refused", "unchanged")


@pytest.mark.parametrize("kind", FORGED)
@_FUZZ
@given(r=st.randoms(use_true_random=False))
def test_a_forged_taste_is_refused_or_scores_in_numbers_and_nothing_runs(
    tmp_path: Path, content: bytes, sound: Taste, kind: str, r: Random
) -> None:
    forged = hostile().make_hostile(r, kind, content, tmp_path / "mark")
    verdict = hostile().judge(tmp_path / "t.npz", forged, sound)
    assert verdict == "refused" or kind in ("other arrays", "other metadata")
    assert not (tmp_path / "mark").exists()


def test_the_pickles_that_are_refused_would_have_run(tmp_path: Path, content: bytes) -> None:
    # Without this, the test above could pass with bombs that are duds.
    mark, r = tmp_path / "mark", Random(1)
    for _ in range(30):
        made = hostile().make_hostile(r, "pickles", content, mark)
        with contextlib.suppress(Exception):
            loaded = np.load(io.BytesIO(made), allow_pickle=True)
            for name in getattr(loaded, "files", ()):
                with contextlib.suppress(Exception):
                    loaded[name]
    assert mark.exists()


# --- memory ----------------------------------------------------------------------------------


def in_little_memory(path: Path) -> str:
    """Load a taste in a process that may have 64 MiB more than it has when it begins.

    Return what it says.
    """
    script = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from classify import Taste, TasteError\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {_MEMORY_BYTES},) * 2)\n"
        "try: Taste.load(sys.argv[1])\n"
        "except TasteError as error: print(error)\n"
        "else: print('loaded')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lying_size(content: bytes, name: bytes, size: int) -> bytes:
    """Change what the directory says of a member's unpacked size."""
    broken = bytearray(content)
    at = broken.rindex(name) - 46
    assert broken[at : at + 4] == b"PK\1\2"
    struct.pack_into("<L", broken, at + 24, size)
    return bytes(broken)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_a_bomb_whose_directory_tells_a_small_size_is_not_unpacked(
    tmp_path: Path, content: bytes
) -> None:
    # zipfile's own read() unpacks all of this before it looks at the size that was promised.
    bomb = lying_size(hostile().forge(content, mean=bytes(200_000_000)), b"mean.npy", 100)
    assert len(bomb) < 4_000_000
    (tmp_path / "t.npz").write_bytes(bomb)
    said = in_little_memory(tmp_path / "t.npz")
    assert "is not a taste, or is damaged" in said
    assert "MemoryError" not in said


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_a_directory_of_very_many_members_is_not_listed(tmp_path: Path, content: bytes) -> None:
    end = content[-22:]
    start = struct.unpack_from("<L", end, 16)[0]
    entry = bytearray(content[start : content.index(b"PK\1\2", start + 4)])
    directory = bytes(entry) * 180_000
    for told in (180_000 % 2**16, 12):
        forged = content[:start] + directory
        forged += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, told, told, len(directory), start, 0)
        assert len(forged) < MAX_FILE_BYTES
        (tmp_path / "t.npz").write_bytes(forged)
        assert "the limits are 64 and 16384" in in_little_memory(tmp_path / "t.npz")


@pytest.mark.parametrize("shape", [(10**12,), (2**62, 4), (0, 10**9)])
def test_an_array_that_claims_terabytes_is_refused(
    tmp_path: Path, content: bytes, shape: tuple[int, ...]
) -> None:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    (tmp_path / "t.npz").write_bytes(hostile().forge(content, basis=out.getvalue() + bytes(16)))
    with pytest.raises(TasteError, match="damaged"):
        Taste.load(tmp_path / "t.npz")


def test_a_file_larger_than_any_taste_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "t.npz").open("wb") as file:
        file.truncate(2**40)  # sparse
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TasteError, match=f"regular file of up to {MAX_FILE_BYTES} bytes.*{2**40}"):
        Taste.load(tmp_path / "t.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


# --- what is no file -------------------------------------------------------------------------


def test_fifos_devices_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.npz")
    (tmp_path / "link.npz").symlink_to("/dev/zero")
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    for path in (
        tmp_path / "fifo.npz",
        tmp_path / "link.npz",
        Path("/dev/zero"),
        Path("/dev/null"),
    ):
        with pytest.raises(TasteError, match="no regular file"):
            Taste.load(path)
    for path in (tmp_path, tmp_path / "loop.npz"):
        with pytest.raises(TasteError):
            Taste.load(path)


def test_a_taste_is_never_written_over_a_device_or_a_folder(tmp_path: Path, sound: Taste) -> None:
    # As root, a rename would put a file in the place of /dev/null.
    os.mkfifo(tmp_path / "fifo.npz")
    (tmp_path / "link.npz").symlink_to("fifo.npz")
    (tmp_path / "folder.npz").mkdir()
    for name in ("fifo.npz", "link.npz", "folder.npz"):
        with pytest.raises(TasteError, match=r"can't write.*regular file"):
            sound.save(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "fifo.npz",
        "folder.npz",
        "link.npz",
    ]
    assert (tmp_path / "fifo.npz").is_fifo()


@pytest.mark.parametrize("name", ["a\0b", "a\0/b.npz", "", "../\0"])
def test_names_with_a_nul_are_no_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(TasteError, match="no name for a taste"):
        taste_path(name, root=tmp_path)


def test_a_home_that_nobody_has_is_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TasteError, match="there is no taste"):
        Taste.load(taste_path("~nobody-of-that-name/x.npz", root=tmp_path))
