"""Watching the tensor operations that torch dispatches.

A homework's public part says ``from autograder.kit.shared.dispatch import …`` and the build puts this file
before it.
"""

from __future__ import annotations


def undisturbed(mode: type) -> type:
    """A class of ``TorchDispatchMode`` without the wrapper that torch puts around its handler.

    The wrapper keeps ``torch.compile`` out of the handler. To do so, it imports ``torch._dynamo`` at the
    first operation (800 modules, which take longer than all checks together), and it costs time at each one.
    """
    handler = mode.__dict__["__torch_dispatch__"]
    mode.__torch_dispatch__ = getattr(handler, "__wrapped__", handler)  # type: ignore[attr-defined]
    return mode
