"""A keyring in a file, which the environment's ``PYTHON_KEYRING_BACKEND`` chooses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keyring.backend

__all__ = ["KeyringFile"]


class KeyringFile(keyring.backend.KeyringBackend):  # type: ignore[misc]
    """Keeps passwords in the JSON file that the environment's ``KEYRING_FILE`` names."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        """Return a password; None where there is none."""
        found: str | None = self._read().get(f"{service} {username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a password."""
        known = self._read() | {f"{service} {username}": password}
        Path(os.environ["KEYRING_FILE"]).write_text(json.dumps(known))

    def _read(self) -> dict[str, str]:
        path = Path(os.environ["KEYRING_FILE"])
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        return known
