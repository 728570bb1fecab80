"""The command works without what the image of a container leaves out; and the image is built."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from waiting import run

from classify.web.access.admission import _OPEN_PATHS
from classify.web.settings import DEFAULT_PORT
from tests.support.music_servers import answering, free_port, http_answer
from tests.support.tools import tool

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / ".container"
LEFT_OUT = re.findall(
    r"^([\w-]+); python_version < \"3\"$", (FOLDER / "left-out.txt").read_text(), re.M
)
_MODULES = {"scikit-learn": "sklearn"}


def test_what_is_left_out_is_a_dependency_and_the_health_check_asks_the_service() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w-]", one, maxsplit=1)[0] for one in project["dependencies"]}
    assert len(LEFT_OUT) == 2
    assert set(LEFT_OUT) < names
    start, built = ((FOLDER / name).read_text() for name in ("start", "Dockerfile"))
    asked = [f"http://127.0.0.1:${{2:-{DEFAULT_PORT}}}{path}" for path in _OPEN_PATHS]
    assert asked == re.findall(r'"(http://.*?)"', start)
    assert f"EXPOSE {DEFAULT_PORT}\n" in built
    assert os.access(FOLDER / "start", os.X_OK)


def test_the_health_check_asks_the_port_that_it_is_given() -> None:
    port = answering(http_answer("200 OK", "{}"))
    assert run([FOLDER / "start", "--check", str(port)]).returncode == 0
    done = run([FOLDER / "start", "--check", str(free_port())])
    assert done.returncode == 1
    assert "the service does not answer" in done.stderr


def test_the_build_is_given_what_it_copies_and_nothing_else() -> None:
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", (FOLDER / "Dockerfile").read_text(), re.M)
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    given = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert given == " ".join(copied).split()
    assert lines[1] == "*"


def test_the_command_works_without_what_is_left_out(
    root: Path, tracks: list[str], tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in LEFT_OUT:
        module = _MODULES.get(name, name.replace("-", "_"))
        (blocked / f"{module}.py").write_text(f"raise ImportError('{module} is left out')")
    pruned = re.search(r"\(cd scipy && rm -rf (.*?)\)", (FOLDER / "Dockerfile").read_text(), re.S)
    assert pruned
    for name in pruned[1].replace("\\", " ").split():
        (blocked / f"{name}_scipy").touch()
    (blocked / "sitecustomize.py").write_text(_WITHOUT_PARTS)
    env = os.environ | {"PYTHONPATH": str(blocked), "SEVENSONGS_CACHE": str(root)}

    def command(*words: str) -> str:
        done = run([sys.executable, "-m", "classify.cli", *words], env=env, cwd=REPOSITORY)
        assert done.returncode == 0, done.stderr
        return done.stdout

    command("train", "--like", tracks[0], "--like", tracks[1], "--dislike", tracks[-1])
    (song,) = json.loads(command("score", tracks[2], "--json"))
    assert 0 <= song["score"] <= 1
    for module in ("librosa", "scipy.stats"):
        done = run([sys.executable, "-c", f"import {module}"], env=env)
        assert "is left out" in done.stderr


_WITHOUT_PARTS = """
import pathlib, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("scipy."):
            if pathlib.Path(__file__).with_name(name.split(".")[1] + "_scipy").exists():
                raise ImportError(name + " is left out")
sys.meta_path.insert(0, Finder())
"""


_SERVE = """
set -e
start demo
start serve /music --host 0.0.0.0 & service=$!
for second in $(seq 60); do start --check && break; sleep 1; done
start --check
touch /music/x || echo "music is read only"
id -u
kill $service
"""


@pytest.mark.slow
@pytest.mark.skipif(
    "SEVENSONGS_CONTAINER" not in os.environ,
    reason="a container takes ten minutes to build: SEVENSONGS_CONTAINER=1 asks for it",
)
def test_the_image_is_built_and_runs_as_anybody(tracks: list[str], tmp_path: Path) -> None:
    """On a base of Debian's own packages, in which nothing but Python is."""
    buildah, mmdebstrap = tool("buildah"), tool("mmdebstrap")
    if os.geteuid():
        pytest.skip("buildah's isolation by chroot needs root")
    base, music, config = (tmp_path / name for name in ("base", "music", "config"))
    for folder in (base, music, config):
        folder.mkdir()
    for track in tracks[:3]:
        shutil.copy(track, music)
    config.chmod(0o777)
    packages = "--include=python3,python3-venv,python3-pip,ca-certificates,binutils"
    _run([mmdebstrap, "--variant=minbase", packages, "bookworm", str(base / "base.tar")])
    # of a workplace that looks into its traffic
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", base / "known.crt")
    (base / "Dockerfile").write_text(
        "FROM scratch\nADD base.tar /\nADD known.crt /etc/ssl/certs/ca-certificates.crt\n"
        "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt "
        "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt\n"
    )
    own = ["--root", str(tmp_path / "storage"), "--runroot", str(tmp_path / "run")]
    podman = [buildah, *own, "--storage-driver", "vfs"]
    build = [*podman, "build", "--isolation", "chroot", "--format", "docker"]
    _run([*build, "-t", "base", str(base)])
    file = ["-f", str(FOLDER / "Dockerfile"), "--build-arg", "BASE=localhost/base"]
    _run([*build, *file, "-t", "sevensongs", str(REPOSITORY)])
    container = _run([*podman, "from", "localhost/sevensongs"]).strip()
    inside = Path(_run([*podman, "mount", container]).strip(), "opt", "sevensongs")
    assert not [*inside.glob("lib/python3*/site-packages/tensorflow*")]
    n_bytes = sum(path.lstat().st_size for path in inside.rglob("*"))
    assert n_bytes < 750e6
    mounts = ["--volume", f"{music}:/music:ro", "--volume", f"{config}:/config"]
    options = ["--isolation", "chroot", "--user", "1234:1234", *mounts]
    said = _run([*podman, "run", *options, container, "sh", "-c", _SERVE])
    assert "21 of 21 on the right side" in said
    assert said.splitlines()[-2:] == ["music is read only", "1234"]
    assert (config / "encoders").stat().st_uid == 1234


def _run(argv: list[str]) -> str:
    done = run(argv)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
