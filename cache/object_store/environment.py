"""What the environment says of object stores, for both who ask them: obstore and Lance.

Each reads these variables by itself as well, but not quite the same ones.
"""

from __future__ import annotations

import os

from cache.errors import CacheError

__all__ = ["store_options"]

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_SOME_REGION = "us-east-1"  # other programs' stores want one, and take any


def store_options(uri: str) -> dict[str, str]:
    """Return where the store of an address is, in the names that obstore and Lance share.

    Keys are left to them: what they know of may expire, and is then renewed.

    Raises
    ------
    CacheError
        If it is asked without encryption, and nothing allows that.

    Examples
    --------
    >>> from cache.object_store.environment import store_options
    >>> store_options("gs://bucket/songs")
    {}
    """
    if not uri.startswith(("s3://", "s3a://")):
        return {}
    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), None)
    region = next(filter(None, map(os.environ.get, _REGIONS)), None)
    if endpoint is None:
        return {} if region is None else {"aws_region": region}
    options = {"aws_endpoint": endpoint, "aws_region": region or _SOME_REGION}
    if endpoint.startswith("http://"):
        if os.environ.get("AWS_ALLOW_HTTP", "").lower() not in ("1", "true", "yes", "on"):
            raise CacheError(
                f"{endpoint} is asked for {uri} without encryption, which others on the way can "
                "read and change; set AWS_ALLOW_HTTP=true where that is right, else give it as "
                "https://"
            )
        options["allow_http"] = "true"
    return options
