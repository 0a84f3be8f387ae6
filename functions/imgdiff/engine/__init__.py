"""The engine: encoded images in; exact figures, or another encoded image, out.

Pure: it reads bytes and returns values, and touches neither network, storage nor environment.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgdiff.engine.comparison import Comparison, compare
    from imgdiff.engine.edit import Encoded, crop, identify, resize

__all__ = ["Comparison", "Encoded", "compare", "crop", "identify", "resize"]


def __getattr__(name: str) -> object:
    # Comparing needs decoders that editing does not: on a cold start each imports its own.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "comparison" if name in ("Comparison", "compare") else "edit"
    return getattr(import_module(f"{__name__}.{module}"), name)
