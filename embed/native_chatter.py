"""What native libraries say on stderr for information, held back."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_chatter"]

_CHATTER = re.compile(rb"INFO: |I\d{4} |WARNING: All log messages before absl::InitializeLog")
"""What LiteRT and TensorFlow say for information.

LiteRT says "Created ... delegate", TensorFlow "oneDNN custom operations are on" and what goes
before it.
"""


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what native code says on stderr for information, where it has no setting.

    All else passes through.
    """
    with tempfile.TemporaryFile() as held:
        try:
            stderr = os.dup(2)
        except OSError:  # closed, as in a daemon
            yield
            return
        try:
            os.dup2(held.fileno(), 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)
