"""Everything that can go wrong in front of a caller, in one tree.

::

    ImgdiffError
    ├── InvalidField         400  a field is missing or its value is not allowed
    │   └── SizesDiffer      400  the two images are not of equal size
    ├── InvalidKey           401  the key is missing, unknown or disabled
    ├── NotFound             404  no such route, or the media has expired
    │   └── OriginNotFound   404  an image's address answers 4xx or names no public host
    ├── MethodNotAllowed     405  the route exists, for other methods
    ├── TooLarge             413  bytes, pixels or another size over its limit
    ├── UnsupportedImage     415  not an image that is read here
    ├── QuotaExceeded        429  the key has made all the requests it may make for now
    ├── InternalError        500  a defect of ours
    ├── OriginFailed         502  the image's server fails
    ├── StorageUnavailable   503  storage is throttled or out of reach
    └── OriginTimeout        504  the image's server is too slow

The class gives the status, the message is the sentence a caller reads. An error that is about a
field of the request carries the field's name, put on by `about` where the name is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class ImgdiffError(Exception):
    """Base of the tree.

    Parameters
    ----------
    reason : str
        What is wrong, in public words. Reads on from the field's name where there is one:
        ``is not an image``.
    field : str, optional
        The field at fault.
    """

    status = 500
    headers: Mapping[str, str] = _NO_HEADERS

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field

    def __str__(self) -> str:
        return f"{self.field} {self.reason}" if self.field else self.reason


class InvalidField(ImgdiffError):
    """A field is missing or its value is not allowed."""

    status = 400


class SizesDiffer(InvalidField):
    """The two images are not of equal size."""


class InvalidKey(ImgdiffError):
    """The key is missing, unknown or disabled."""

    status = 401


class NotFound(ImgdiffError):
    """No such route, or the media has expired."""

    status = 404


class OriginNotFound(NotFound):
    """An image's address answers 4xx or names no public host."""


class MethodNotAllowed(ImgdiffError):
    """The route exists, for other methods."""

    status = 405

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not allowed here, use {' or '.join(allowed)}")
        self.headers = {"Allow": ", ".join(allowed)}


class TooLarge(ImgdiffError):
    """Bytes, pixels or another size over its limit."""

    status = 413


class UnsupportedImage(ImgdiffError):
    """Not an image that is read here."""

    status = 415


class QuotaExceeded(ImgdiffError):
    """The key has made all the requests it may make for now.

    Parameters
    ----------
    reason : str
        Which limit.
    retry_after : int
        Seconds until the next request may succeed.
    """

    status = 429

    def __init__(self, reason: str, *, retry_after: int) -> None:
        super().__init__(reason)
        self.headers = {"Retry-After": str(retry_after)}


class InternalError(ImgdiffError):
    """A defect of ours; the log has what happened."""

    def __init__(self) -> None:
        super().__init__("something went wrong on our side; the x-request-id names this request")


class OriginFailed(ImgdiffError):
    """The image's server fails."""

    status = 502


class StorageUnavailable(ImgdiffError):
    """Storage is throttled or out of reach."""

    status = 503
    headers = MappingProxyType({"Retry-After": "1"})

    def __init__(self) -> None:
        super().__init__("storage is busy, try again in a second")


class OriginTimeout(ImgdiffError):
    """The image's server is too slow."""

    status = 504


@contextmanager
def about(field: str) -> Iterator[None]:
    """Name the field that errors raised inside are about; storage's own are about none."""
    try:
        yield
    except StorageUnavailable:
        raise
    except ImgdiffError as error:
        error.field = field
        raise
