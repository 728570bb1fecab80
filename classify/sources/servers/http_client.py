"""HTTP to one server: POST a form, get JSON or a file.

Bounded in time and size, certificates checked.
"""

from __future__ import annotations

import io
import json
import ssl
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from classify.errors import ServerError, write_problem
from classify.sources.servers.address import is_loopback

__all__ = ["HttpClient", "SlowServerError"]

_TIMEOUT_S = 15.0  # without a byte
_ANSWER_S = 120.0
_A_SONG_S = 0.03  # beyond both, for each song that is asked for at once: some servers are slow
_FILE_S = 600.0
_MAX_BYTES = 64 * 2**20
_PIECE = 2**16
_TRIES = 3
_WAIT_S = 0.5  # before the second try; twice as long before the third
_AGAIN = frozenset({429, 502, 503, 504})
_WORDS = frozenset({"application/json", "application/xml", "text/html", "text/json", "text/xml"})


class _NoRedirects(HTTPRedirectHandler):
    """A password goes to the server that was named, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""


class SlowServerError(ServerError):
    """A server that says nothing, though it had time for the many songs that it is to tell of."""


class HttpClient:
    """Asks one server.

    Parameters
    ----------
    base : str
        The address before what is asked.
    timeout_s, answer_s : float
        How long it may say nothing, and how long one answer may take.
    """

    def __init__(
        self, base: str, *, timeout_s: float = _TIMEOUT_S, answer_s: float = _ANSWER_S
    ) -> None:
        self.base = base
        self._timeout_s, self._answer_s = timeout_s, answer_s
        host = urlsplit(base).hostname or ""
        proxies = [ProxyHandler({})] if is_loopback(host) else []
        self._opener = build_opener(_NoRedirects(), *proxies)

    def post(
        self,
        path: str,
        form: Sequence[tuple[str, str]],
        *,
        again: bool = True,
        n_songs: int = 0,
    ) -> Any:
        """Send a form, and return the JSON that it answers.

        Parameters
        ----------
        path : str
        form : sequence of (str, str)
            Names and values; a name may stand several times.
        again : bool
            Try again, up to three times, where the server is busy or does not answer.
        n_songs : int
            Of which it is to tell, or to make a list: the more, the longer it may say nothing, and
            the longer its answer may take. Where it says nothing for so long, it is not asked
            again.

        Raises
        ------
        ServerError
            With what is wrong; never with the form, which has the password. `SlowServerError`: the
            server says nothing, and `n_songs` was named.
        """
        more_s = _A_SONG_S * n_songs

        def whole(answer: Any) -> bytes:
            return self._whole(answer, more_s)

        return self._tried(
            _TRIES if again else 1,
            lambda: self._document(self._asked(path, form, whole, more_s)),
        )

    def download(
        self, path: str, form: Sequence[tuple[str, str]], into: BinaryIO, max_bytes: int
    ) -> Any:
        """Send a form, and write the file that it answers.

        Parameters
        ----------
        path : str
        form : sequence of (str, str)
        into : binary file
            Empty; what is written before a second try is taken back.
        max_bytes : int
            How long the file may be.

        Returns
        -------
        None, or the JSON document that the server answers in place of a file.

        Raises
        ------
        ServerError
            With what is wrong.
        """

        def taken(answer: Any) -> Any:
            if answer.headers.get_content_type() in _WORDS:
                return self._document(self._whole(answer))
            into.seek(0)
            into.truncate()
            self._copied(answer, into, max_bytes, max(_FILE_S, self._answer_s))
            return None

        return self._tried(_TRIES, lambda: self._asked(path, form, taken))

    def _tried(self, n_tries: int, ask: Callable[[], Any]) -> Any:
        for n in range(n_tries):
            try:
                return ask()
            except _BusyError as error:
                if n == n_tries - 1:
                    raise ServerError(str(error)) from error
                time.sleep(_WAIT_S * 2**n)
        raise AssertionError

    def _asked(
        self,
        path: str,
        form: Sequence[tuple[str, str]],
        take: Callable[[Any], Any],
        more_s: float = 0.0,
    ) -> Any:
        timeout_s = self._timeout_s + more_s
        request = Request(  # noqa: S310  http or https, see `split_address`
            f"{self.base}/{path}",
            data=urlencode(form, errors="replace").encode(),
            headers={"Accept": "application/json, */*;q=0.9", "User-Agent": "sevensongs"},
        )
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                return take(answer)
        except HTTPError as error:
            with error:
                raise self._refused(error) from None  # its own words have the address alone
        except URLError as error:
            if isinstance(error.reason, TimeoutError):  # before it has taken the question
                raise _BusyError(f"{self.base} says nothing for {timeout_s:g} s") from None
            raise self._unreachable(error.reason) from None
        except TimeoutError:
            words = f"{self.base} says nothing for {timeout_s:g} s"
            raise (SlowServerError(words) if more_s else _BusyError(words)) from None
        except (OSError, HTTPException) as error:
            raise _BusyError(
                f"{self.base} ends in the middle of its answer ({error!r:.80})"
            ) from None

    def _whole(self, answer: Any, more_s: float = 0.0) -> bytes:
        content = io.BytesIO()
        self._copied(answer, content, _MAX_BYTES, self._answer_s + more_s)
        return content.getvalue()

    def _copied(self, answer: Any, into: BinaryIO, max_bytes: int, most_s: float) -> None:
        ends = time.monotonic() + most_s
        n_bytes = 0
        while piece := answer.read1(_PIECE):
            n_bytes += len(piece)
            if n_bytes > max_bytes:
                raise ServerError(f"{self.base} answers with more than {max_bytes >> 20} MiB")
            if time.monotonic() > ends:
                raise ServerError(f"{self.base} has not come to an end in {most_s:g} s")
            try:
                into.write(piece)
            except OSError as error:
                raise ServerError(
                    f"what {self.base} sends can't be written: {write_problem(error)}"
                ) from error
        if answer.length:
            raise _BusyError(
                f"{self.base} ends in the middle of its answer ({answer.length} bytes are missing)"
            )

    def _refused(self, error: HTTPError) -> ServerError:
        if 300 <= error.code < 400:
            place = urlsplit(error.headers.get("Location") or "")
            return ServerError(
                f"{self.base} leads to {place.scheme}://{place.netloc}{place.path}: name that "
                "address yourself, as a password goes nowhere else"
            )
        words = f"{self.base} answers {error.code} {error.reason}"
        if error.code in _AGAIN:
            return _BusyError(f"{words}; try again later")
        if error.code == 404:
            return ServerError(f"{words}: is the part of the address after the host right?")
        return ServerError(words)

    def _unreachable(self, reason: object) -> ServerError:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return ServerError(
                f"the certificate of {self.base} is not valid ({reason.verify_message}), so it "
                "may be somebody else: nothing was sent. The environment's SSL_CERT_FILE names a "
                "certificate of your own"
            )
        if isinstance(reason, ssl.SSLError):
            return ServerError(f"{self.base} speaks no TLS that is understood ({reason.reason})")
        why = getattr(reason, "strerror", None) or reason
        return _BusyError(f"{self.base} can't be reached ({why!s:.100}); is it running?")

    def _document(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise ServerError(
                f"{self.base} does not answer in JSON; is the part after the host right?"
            ) from None


class _BusyError(ServerError):
    """What may be better a moment later."""
