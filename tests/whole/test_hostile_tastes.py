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
KEPT = sorted(FORMATS.glob("taste-*.npz"))
DAMAGED = ("bytes flipped", "cut short", "pieces replaced", "random bytes")
# Of each format what is damaged, and what is forged.
KINDS = {
    2: (
        (*DAMAGED, "false sizes in the zip"),
        ("other members", "other arrays", "other metadata", "zip bombs", "pickles"),
    ),
    3: (
        (*DAMAGED, "false sizes in the header"),
        ("other headers", "other arrays", "other metadata", "header bombs", "pickles"),
    ),
}
DAMAGES = [(number, kind) for number, (kinds, _) in KINDS.items() for kind in kinds]
FORGERIES = [(number, kind) for number, (_, kinds) in KINDS.items() for kind in kinds]
_MEMORY_BYTES = 64 * 2**20
_FUZZ = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def hostile() -> ModuleType:
    return import_module("fuzz.hostile_tastes")


def npz() -> ModuleType:
    return import_module("fuzz.hostile_npz")


def kept(number: int) -> bytes:
    return (FORMATS / f"taste-{number}.npz").read_bytes()


@pytest.fixture
def content() -> bytes:
    return kept(FORMAT_VERSION)


@pytest.fixture
def zipped() -> bytes:
    """A taste of format 2."""
    return kept(2)


@pytest.fixture(scope="module")
def sound() -> dict[int, Taste]:
    return {number: Taste.load(FORMATS / f"taste-{number}.npz") for number in KINDS}


# --- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_taste_of_every_format_says_what_it_said(path: Path) -> None:
    told = json.loads(path.with_suffix(".json").read_text("utf-8"))
    taste = Taste.load(path)
    scores = taste.score(import_module("make_taste").some_songs(8, seed=3))
    np.testing.assert_allclose(scores, told["scores"], rtol=1e-5)
    assert taste.verdicts(scores) == told["verdicts"]
    assert (taste.n_like, taste.n_unlabelled) == (told["n_like"], told["n_unlabelled"])


@pytest.mark.exact
def test_a_taste_of_format_2_says_the_same_to_the_last_bit_when_it_is_saved_as_format_3(
    tmp_path: Path,
) -> None:
    old = Taste.load(FORMATS / "taste-2.npz")
    old.save(tmp_path / "t.npz")
    new = Taste.load(tmp_path / "t.npz")
    songs = import_module("make_taste").some_songs(500, seed=7)
    assert old.decisions(songs).tobytes() == new.decisions(songs).tobytes()
    assert old.score(songs).tobytes() == new.score(songs).tobytes()
    assert len(set(old.score(songs).tolist())) > 100
    assert hostile().judge(tmp_path / "again.npz", (tmp_path / "t.npz").read_bytes(), old) == (
        "unchanged"
    )


def test_the_present_format_is_among_those_kept_and_is_still_made(tmp_path: Path) -> None:
    assert KEPT[-1].stem == f"taste-{FORMAT_VERSION}"
    made = import_module("make_taste").make_taste()
    made.save(tmp_path / "t.npz")
    new, old = (hostile().header_of(path.read_bytes()) for path in (tmp_path / "t.npz", KEPT[-1]))
    assert new.keys() == old.keys()
    assert new["__metadata__"].keys() == old["__metadata__"].keys()


def test_a_newer_format_is_refused_kindly_whatever_else_is_in_it(
    tmp_path: Path, content: bytes
) -> None:
    header = hostile().header_of(content)
    facts = json.loads(header["__metadata__"]["taste"])
    facts |= {"format": FORMAT_VERSION + 1, "head": {"new": []}}
    header["__metadata__"] |= {"taste": json.dumps(facts), "more": "text"}
    header["wavelets"] = header.pop("mean") | {"dtype": "BF16"}
    del header["checksum"]
    (tmp_path / "t.npz").write_bytes(hostile().with_header(content, header))
    with pytest.raises(
        TasteError, match=r"t\.npz.*taste format 4.*reads up to 3: upgrade sevensongs"
    ):
        Taste.load(tmp_path / "t.npz")


# --- fuzz ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "kind"), DAMAGES)
@_FUZZ
@given(r=st.randoms(use_true_random=False))
def test_a_damaged_taste_is_refused_or_unchanged(
    tmp_path: Path, sound: dict[int, Taste], number: int, kind: str, r: Random
) -> None:
    broken = hostile().make_hostile(r, kind, kept(number), tmp_path / "mark")
    assert hostile().judge(tmp_path / "t.npz", broken, sound[number]) in ("refused", "unchanged")


@pytest.mark.parametrize(("number", "kind"), FORGERIES)
@_FUZZ
@given(r=st.randoms(use_true_random=False))
def test_a_forged_taste_is_refused_or_scores_in_numbers_and_nothing_runs(
    tmp_path: Path, sound: dict[int, Taste], number: int, kind: str, r: Random
) -> None:
    content = kept(number)
    forged = hostile().make_hostile(r, kind, content, tmp_path / "mark")
    verdict = hostile().judge(tmp_path / "t.npz", forged, sound[number])
    # The same header in other words is no forgery.
    allowed = {"other headers": {"refused", "unchanged"}}
    assert kind in ("other arrays", "other metadata") or verdict in allowed.get(kind, {"refused"})
    assert not (tmp_path / "mark").exists()


def test_the_pickles_that_are_refused_would_have_run(tmp_path: Path, zipped: bytes) -> None:
    # Without this, the test above could pass with bombs that are duds.
    mark, r = tmp_path / "mark", Random(1)
    for _ in range(30):
        made = hostile().make_hostile(r, "pickles", zipped, mark)
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
    tmp_path: Path, zipped: bytes
) -> None:
    # zipfile's own read() unpacks all of this before it looks at the size that was promised.
    bomb = lying_size(npz().forge(zipped, mean=bytes(200_000_000)), b"mean.npy", 100)
    assert len(bomb) < 4_000_000
    (tmp_path / "t.npz").write_bytes(bomb)
    said = in_little_memory(tmp_path / "t.npz")
    assert "is not a taste, or is damaged" in said
    assert "MemoryError" not in said


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_a_directory_of_very_many_members_is_not_listed(tmp_path: Path, zipped: bytes) -> None:
    end = zipped[-22:]
    start = struct.unpack_from("<L", end, 16)[0]
    entry = bytearray(zipped[start : zipped.index(b"PK\1\2", start + 4)])
    directory = bytes(entry) * 180_000
    for told in (180_000 % 2**16, 12):
        forged = zipped[:start] + directory
        forged += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, told, told, len(directory), start, 0)
        assert len(forged) < MAX_FILE_BYTES
        (tmp_path / "t.npz").write_bytes(forged)
        assert "the limits are 64 and 16384" in in_little_memory(tmp_path / "t.npz")


@pytest.mark.parametrize("shape", [(10**12,), (2**62, 4), (0, 10**9)])
def test_an_array_of_format_2_that_claims_terabytes_is_refused(
    tmp_path: Path, zipped: bytes, shape: tuple[int, ...]
) -> None:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    (tmp_path / "t.npz").write_bytes(npz().forge(zipped, basis=out.getvalue() + bytes(16)))
    with pytest.raises(TasteError, match="damaged"):
        Taste.load(tmp_path / "t.npz")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize(
    "header",
    [
        b"[" * 4_000_000,
        b'{"a":' * 800_000,
        b'{"a":[' + b"[]," * 1_300_000 + b"[]]}",
        b'{"a":[' + b"{}," * 1_300_000 + b"{}]}",
        b'{"__metadata__":{"taste":"{}"},"a":[' + b"7," * 2_000_000 + b"7]}",
        b'{"__metadata__":{' + b",".join(b'"%d":""' % i for i in range(330_000)) + b"}}",
        b"{" + b",".join(b'"%d":{}' % i for i in range(340_000)) + b"}",
    ],
    ids=["lists", "objects", "many lists", "many objects", "many numbers", "many texts", "arrays"],
)
def test_a_header_of_four_megabytes_takes_little_memory_and_is_refused(
    tmp_path: Path, header: bytes
) -> None:
    assert len(header) < 4 * 2**20
    (tmp_path / "t.npz").write_bytes(len(header).to_bytes(8, "little") + header)
    said = in_little_memory(tmp_path / "t.npz")
    assert "t.npz" in said
    assert "loaded" not in said


@pytest.mark.parametrize("length", [2**22 + 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_that_claims_to_be_huge_is_not_read(
    tmp_path: Path, content: bytes, length: int
) -> None:
    (tmp_path / "t.npz").write_bytes(length.to_bytes(8, "little") + content[8:])
    with pytest.raises(
        TasteError,
        match=rf"t\.npz' is not a taste.*header of {length} bytes.*limit is 4194304.*anew",
    ):
        Taste.load(tmp_path / "t.npz")


@pytest.mark.parametrize("length", [0, 5, 8, 100, 3000])
def test_a_file_that_is_cut_short_says_what_it_lacks(
    tmp_path: Path, content: bytes, length: int
) -> None:
    (tmp_path / "t.npz").write_bytes(content[:length])
    with pytest.raises(TasteError, match=rf"t\.npz.* has {length} bytes.*copy it again"):
        Taste.load(tmp_path / "t.npz")


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path, content: bytes) -> None:
    header = hostile().header_of(content)
    text = json.dumps(header)
    for more in ({"mean": header["mean"]}, {"__metadata__": header["__metadata__"]}):
        twice = f"{text[:-1]}, {json.dumps(more)[1:]}"
        (tmp_path / "t.npz").write_bytes(hostile().with_header(content, twice))
        with pytest.raises(TasteError, match=r"t\.npz': holds '\w+' twice.*don't trust it"):
            Taste.load(tmp_path / "t.npz")


@pytest.mark.parametrize("shape", [[10**12], [2**62, 4], [0, 10**9], [2**64], [-1]])
def test_an_array_that_claims_terabytes_is_refused(
    tmp_path: Path, content: bytes, shape: list[int]
) -> None:
    header = hostile().header_of(content)
    header["basis"]["shape"] = shape
    (tmp_path / "t.npz").write_bytes(hostile().with_header(content, header))
    with pytest.raises(TasteError, match="damaged"):
        Taste.load(tmp_path / "t.npz")


@pytest.mark.parametrize("kind", ["O", "BF16", "I64", "C64"])
def test_arrays_of_other_types_are_refused_by_name(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    header = hostile().header_of(content)
    header["basis"]["dtype"] = kind
    (tmp_path / "t.npz").write_bytes(hostile().with_header(content, header))
    with pytest.raises(TasteError, match=f"'basis' has the type '{kind}'.*F32, F64, U8"):
        Taste.load(tmp_path / "t.npz")


@pytest.mark.parametrize("offsets", [[0, 4], [4, 0], [-4, 0], [8, 72], []])
def test_arrays_that_overlap_or_leave_gaps_are_refused(
    tmp_path: Path, content: bytes, offsets: list[int]
) -> None:
    header = hostile().header_of(content)
    assert header["basis"]["data_offsets"] != offsets
    header["basis"]["data_offsets"] = offsets
    (tmp_path / "t.npz").write_bytes(hostile().with_header(content, header))
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


def test_a_taste_is_never_written_over_a_device_or_a_folder(
    tmp_path: Path, sound: dict[int, Taste]
) -> None:
    # As root, a rename would put a file in the place of /dev/null.
    os.mkfifo(tmp_path / "fifo.npz")
    (tmp_path / "link.npz").symlink_to("fifo.npz")
    (tmp_path / "folder.npz").mkdir()
    for name in ("fifo.npz", "link.npz", "folder.npz"):
        with pytest.raises(TasteError, match=r"can't write.*regular file"):
            sound[FORMAT_VERSION].save(tmp_path / name)
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
