"""The engine's own library, loaded: what is written in C, for the processor at hand."""

import platform
from ctypes import CDLL

_FILE = f"{__file__.rpartition('/')[0]}/core-{platform.system()}-{platform.machine()}.so"

try:
    library = CDLL(_FILE)
except OSError as error:
    raise ImportError(f"{_FILE} can't be loaded; `make core` builds it") from error
