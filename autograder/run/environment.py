"""The environment variables of kernels."""

from __future__ import annotations

import os

KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")  # of the grader's environment
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def kernel_environment(home: str) -> dict[str, str]:
    """The environment of a kernel: nothing of the grader's but what Python needs to start."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    fixed = {
        "HOME": home,
        "IPYTHONDIR": f"{home}/.ipython",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PIP_RETRIES": "0",  # "!pip install" without a network fails at once, not after a cell's limit
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    return kept | fixed | dict.fromkeys(THREADS, "1")  # one core a submission
