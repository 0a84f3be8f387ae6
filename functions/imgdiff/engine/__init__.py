"""The engine: encoded images in; exact figures, or another encoded image, out.

Pure: it reads bytes and returns values, and touches neither network, storage nor environment.
"""

from imgdiff.engine.comparison import Comparison, compare
from imgdiff.engine.edit import Encoded, crop, identify, resize

__all__ = ["Comparison", "Encoded", "compare", "crop", "identify", "resize"]
