"""The engine: encoded images in; exact figures, or another encoded image, out.

Pure: it reads bytes and returns values, and touches neither network, storage nor environment.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgdiff.engine.comparison import Comparison, compare
    from imgdiff.engine.edit import Encoded, crop, identify, resize
    from imgdiff.engine.options import Options

_MODULES = {
    "Comparison": "comparison",
    "Encoded": "edit",
    "Options": "options",
    "compare": "comparison",
    "crop": "edit",
    "identify": "edit",
    "resize": "edit",
}
__all__ = ["Comparison", "Encoded", "Options", "compare", "crop", "identify", "resize"]


def __getattr__(name: str) -> object:
    # Comparing needs decoders that editing does not: on a cold start each imports its own.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
