"""Object stores on this machine: moto, which keeps to S3, and nanio, where every writer wins."""

from __future__ import annotations

import os
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from tests.support.music_servers import free_port, running

__all__ = ["READ_ONLY", "ask", "bad_object_store", "object_store", "read_only_keys", "speaking_to"]

# What `moto_server` does, but one request after the other: else of several writers two win once in
# a while, as it looks for an object and writes it in threads.
_SERVE = """
import sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
moto, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()
def serve(environ, start):
    with turn:
        return list(moto(environ, start))
run_simple("127.0.0.1", int(sys.argv[1]), serve, threaded=True)
"""
_KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "a key of no worth"}
READ_ONLY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", '
    '"Action": ["s3:ListBucket", "s3:GetObject"]}]}'
)
_SIGNED = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/{}/aws4_request, Signature=0"


@contextmanager
def speaking_to(url: str, **keys: str) -> Iterator[None]:
    """Have this process, and what it starts, ask the object store at an address."""
    ours = {"AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    others = [name for name in os.environ if name.startswith("AWS_")]
    with patch.dict(os.environ):
        for name in others:
            del os.environ[name]
        os.environ.update(ours | _KEYS | keys)
        yield


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """Run moto, which takes two seconds to start; gives its address."""
    port = free_port()
    with running([sys.executable, "-c", _SERVE, str(port)], port, folder):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def bad_object_store(folder: Path) -> Iterator[str]:
    """Run nanio; gives its address. It has a bucket `music`."""
    port = free_port()
    (folder / "data" / "music").mkdir(parents=True)
    command = [sys.executable, "-m", "nanio", "serve", "--host", "127.0.0.1", "--port", str(port)]
    keys = {"NANIO_ACCESS_KEY": "testing", "NANIO_SECRET_KEY": _KEYS["AWS_SECRET_ACCESS_KEY"]}
    with (
        patch.dict(os.environ, keys),
        running([*command, "--data-dir", str(folder / "data")], port, folder),
    ):
        yield f"http://127.0.0.1:{port}"


def ask(url: str, *, method: str = "PUT", body: bytes = b"", service: str = "s3") -> str:
    """Ask moto for something without a signature, which it does not check."""
    request = urllib.request.Request(url, method=method, data=body or None)
    request.add_header("Authorization", _SIGNED.format(service))
    if service == "s3":  # else moto takes it for a form
        request.add_header("Content-Type", "application/octet-stream")
    with urllib.request.urlopen(request) as answer:
        return str(answer.read().decode())


@contextmanager
def read_only_keys(url: str) -> Iterator[dict[str, str]]:
    """Have moto check keys until the block ends; gives some that may read alone."""

    def iam(**fields: str) -> str:
        body = urllib.parse.urlencode({"Version": "2010-05-08", "UserName": "reader"} | fields)
        return ask(url, method="POST", body=body.encode(), service="iam")

    iam(Action="CreateUser")
    iam(Action="PutUserPolicy", PolicyName="read", PolicyDocument=READ_ONLY)
    made = iam(Action="CreateAccessKey")
    keys = {
        f"AWS_{name}": made.partition(f"<{tag}>")[2].partition("<")[0]
        for name, tag in (
            ("ACCESS_KEY_ID", "AccessKeyId"),
            ("SECRET_ACCESS_KEY", "SecretAccessKey"),
        )
    }
    ask(f"{url}/moto-api/reset-auth", method="POST", body=b"0")
    try:
        yield keys
    finally:
        ask(f"{url}/moto-api/reset-auth", method="POST", body=b"inf")
