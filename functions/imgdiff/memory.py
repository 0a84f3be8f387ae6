"""A bound on this process's memory, below that which Lambda ends a function at."""

import os
import resource


def bound() -> None:
    """Keep a tenth of the function's memory in reserve.

    What a decoder asks for beyond fails that image; without the limit, Lambda would end the
    function.
    """
    if memory := os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"):
        most = int(memory) * 1024 * 1024 * 9 // 10
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
