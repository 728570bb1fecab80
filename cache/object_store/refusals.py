"""Why an object store refused, and what to do, from what obstore and Lance say of it.

Both hand on what the store has answered: XML, and a status.
"""

from __future__ import annotations

import re

__all__ = ["why_refused"]

_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_EXPORT = '`eval "$(aws configure export-credentials --format env)"` takes those of aws'
_RIGHTS = "s3:ListBucket, s3:GetObject and, to write, s3:PutObject and s3:DeleteObject"
# The first that fits; what is looked for, what is wrong, what to do.
_REFUSALS = (
    (
        r"NoSuchBucket|The specified bucket does not exist",
        "there is no such bucket",
        "make it, or check its name and AWS_ENDPOINT_URL",
    ),
    (
        r"169\.254\.|CredentialsNotLoaded|no providers in chain|NoCredentials|credential provider",
        "there are no keys for it",
        f"set {_KEYS} (and AWS_SESSION_TOKEN for keys that expire); {_EXPORT}",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|401 Unauthorized",
        "it does not know these keys, or they have expired",
        f"check {_KEYS}; {_EXPORT}",
    ),
    (
        r"AccessDenied|403 Forbidden|PermissionDenied|AllAccessDisabled",
        "permission denied",
        f"give the keys the rights {_RIGHTS}, or take others",
    ),
    (
        r"PermanentRedirect|301 Moved|AuthorizationHeaderMalformed|redirect without LOCATION",
        "the bucket is in another region",
        "set AWS_REGION to the bucket's",
    ),
    (
        r"BadScheme|builder error|URL scheme is not allowed",
        "its endpoint is asked without encryption",
        "set AWS_ALLOW_HTTP=true where that is right, else give it as https://",
    ),
    (
        r"contained empty path segment|illegal character sequence",
        "it has a key with an empty part, `.` or `..` between slashes, which can't be asked for",
        "give such objects other keys, or name the others by --list",
    ),
    (
        r"NoSuchKey|404 Not Found",
        "there is no such object",
        "check its key",
    ),
    (
        r"SlowDown|503 |429 ",
        "it asks for fewer requests",
        "run again; what was done is kept",
    ),
    (
        r"error sending request|Connect|dns error|timed out|operation timed",
        "it does not answer",
        "check the network and AWS_ENDPOINT_URL, then run again",
    ),
)


def why_refused(text: str) -> str | None:
    """Tell in words what an object store's refusal means, and what to do about it.

    Parameters
    ----------
    text : str
        Of the error.

    Returns
    -------
    str or None
        What is wrong; what to do. None for one that is not known.

    Examples
    --------
    >>> from cache.object_store.refusals import why_refused
    >>> why_refused("<Error><Code>NoSuchBucket</Code></Error>")
    'there is no such bucket; make it, or check its name and AWS_ENDPOINT_URL'
    """
    for sign, what, remedy in _REFUSALS:
        if re.search(sign, text):
            return f"{what}; {remedy}"
    return None
