"""What is wrong with a server, or on the way to it, is told in words and bounded in time."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import run

from classify.errors import ServerError
from classify.sources.servers import http_client
from classify.sources.servers.address import split_address
from classify.sources.servers.http_client import HttpClient
from classify.sources.servers.subsonic import SubsonicServer
from tests.support.music_servers import PASSWORD, answering, free_port, http_answer
from tests.support.tools import tool


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEVENSONGS_PASSWORD", PASSWORD)
    monkeypatch.setattr(http_client, "_WAIT_S", 0.01)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ServerError, match="every process of this computer") as told:
        split_address("https://ann:sesame@host/base")
    assert "sesame" not in str(told.value)
    for text in ("ftp://host", "https://", "host", "https://h/?x", "http://[::1"):
        with pytest.raises(ServerError, match="address"):
            split_address(text)
    assert split_address("http://[::1]:4533/a/") == ("http://[::1]:4533/a", "")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "says nothing for 0.3 s"),
        (http_answer("200 OK", "<html>"), "does not answer in JSON"),
        (http_answer("200 OK", "{}"), "is no Subsonic server"),
        (http_answer("503 Busy"), "answers 503 Busy; try again later"),
        (http_answer("500 Oh"), "answers 500 Oh"),
        (
            http_answer("302 There", "", "Location: https://evil.example/x"),
            "leads to https://evil.ex",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "ends in the middle|in JSON"),
        (b"\x00" * 99, "ends in the middle of its answer"),
    ],
)
def test_servers_that_are_none_are_told_in_words(said: bytes, words: str) -> None:
    address = f"http://127.0.0.1:{answering(said)}"
    with pytest.raises(ServerError, match=words) as told:
        SubsonicServer(address.replace("//", "//ann@"), HttpClient(address, timeout_s=0.3))
    assert PASSWORD not in str(told.value)


def test_an_answer_that_never_ends_and_a_place_where_nobody_is_are_given_up() -> None:
    drip = http_answer("200 OK", " " * 200)
    address = f"http://127.0.0.1:{answering(drip, every_s=0.02)}"
    with pytest.raises(ServerError, match=r"has not come to an end in 0\.5 s"):
        SubsonicServer("http://ann@x", HttpClient(address, timeout_s=3, answer_s=0.5))
    with pytest.raises(ServerError, match=r"can't be reached \(.*is it running"):
        SubsonicServer(f"http://ann@127.0.0.1:{free_port()}")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of `localhost` that it has signed itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    request += ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
    request += ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    assert run([tool("openssl"), *request, *files]).returncode == 0
    return folder / "cert", folder / "key"


def test_a_certificate_that_is_not_valid_keeps_the_password_here(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    port = answering(http_answer("200 OK", "{}"), context=context)
    with pytest.raises(ServerError, match=r"certificate of .* is not valid \(self.signed"):
        SubsonicServer(f"https://ann@localhost:{port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with pytest.raises(ServerError, match="is no Subsonic server"):  # now it is asked
        SubsonicServer(f"https://ann@localhost:{port}")
    with pytest.raises(ServerError, match=r"certificate of .* is not valid \(IP address mismatch"):
        SubsonicServer(f"https://ann@127.0.0.1:{port}")
    with pytest.raises(ServerError, match=r"speaks no TLS|can't be reached"):
        SubsonicServer(f"https://ann@127.0.0.1:{answering(b'no TLS at all' * 9)}")


_ASK = """
import sys
from classify.errors import ServerError
from classify.sources.servers import http_client
from classify.sources.servers.mpd import MpdServer
from classify.sources.servers.subsonic import SubsonicServer
http_client._WAIT_S = 0.01
for server in (SubsonicServer, MpdServer):
    for host in ("192.0.2.1", "music.invalid"):
        try:
            server(f"http://ann@{host}" if server is SubsonicServer else f"{host}:6600")
        except ServerError as error:
            print(error)
"""


def test_a_computer_to_which_no_way_leads_is_told() -> None:
    """In a network of its own, which leads nowhere."""
    alone = [tool("unshare"), "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody make a network of his own (unshare --net)")
    done = run([*alone, sys.executable, "-c", _ASK])
    told = done.stdout.splitlines()
    assert len(told) == 4, done.stderr
    assert "http://192.0.2.1 can't be reached (Network is unreachable); is it running?" in told[0]
    assert "http://music.invalid can't be reached" in told[1]
    assert "MPD can't be reached at 192.0.2.1:6600 (Network is unreachable)" in told[2]
    assert "MPD can't be reached at music.invalid:6600" in told[3]


def test_the_password_itself_goes_over_https_or_to_this_computer_alone() -> None:
    """A server that knows no tokens, elsewhere: the second login is not tried."""
    refusal = json.dumps(
        {"subsonic-response": {"status": "failed", "error": {"code": 41, "message": "no tokens"}}}
    )
    client = HttpClient(
        f"http://127.0.0.1:{answering(http_answer('200 OK', refusal))}", timeout_s=3
    )
    with pytest.raises(ServerError, match="over https alone"):
        SubsonicServer("http://ann@music.example", client)
    with pytest.raises(ServerError, match="refuses ping: no tokens"):
        SubsonicServer("https://ann@music.example", client)
