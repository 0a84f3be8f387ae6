"""The comparison engine: encoded images in, exact figures and an encoded picture out.

Pure: it reads bytes and returns values, and touches neither network, storage nor environment.
"""

from imgdiff.engine.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
