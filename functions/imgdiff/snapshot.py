"""What Lambda's snapshot of an initialised function holds, where SnapStart is switched on."""

import os
import random
from collections.abc import Callable


def prepare(prime: Callable[[], None]) -> None:
    """Have ``prime`` called before the snapshot is taken; a start without one does nothing.

    It may import and read files, and must leave nothing that has to differ between the environments
    that are restored from one snapshot, or that grows old in it.
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        # Lambda's own, in its runtime.
        from snapshot_restore_py import (  # type: ignore[import-not-found]
            register_after_restore,
            register_before_snapshot,
        )

        register_before_snapshot(prime)
        # botocore draws from it how long to wait before it tries again.
        register_after_restore(random.seed)
