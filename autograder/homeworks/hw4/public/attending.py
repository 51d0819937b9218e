"""Whether a trained model is a Vision Transformer: it reads patches and mixes them by attention (4.7)."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograder.kit import visible_check
from autograder.kit.shared.checkpoints import look
from autograder.kit.shared.dispatch import undisturbed

NO_ATTENTION = (
    "The model does not mix its tokens by attention: no attention weights between all pairs of tokens were"
    " found"
)
UNUSED = (
    "The model has attention, but it hardly matters: when every token attends only to itself, the logits stay"
    " as they were"
)
NO_PATCHES = (
    "The model does not read patches: it has convolutions with overlapping windows, and its logits change"
    " when the patches of an image are shuffled together with their positions"
)
ASKED = "4.7 asks for a Vision Transformer, which cuts the image into patches and mixes them by attention"


def transformer_problem(seen: Mapping[str, Any]) -> str | None:
    """What a trained model lacks of a Vision Transformer, by what was seen of it; None if nothing."""
    if not seen["maps"]:
        return f"{NO_ATTENTION}. {ASKED}."
    if seen["change"] < 0.05:
        return f"{UNUSED}. {ASKED}."
    if seen["overlapping"] and not seen["patches"]:
        return f"{NO_PATCHES}. {ASKED}."
    return None


@look("vision_transformer")
def look_at_attention(module: Any, call: Mapping[str, Any]) -> dict[str, Any]:
    """Watches a model on made-up images.

    Returns:
        ``maps``: how many attention maps were seen; ``change``: how far the logits move, against how far they
        differ between images, once every token attends to itself alone; ``overlapping``: how many
        convolutions or poolings had overlapping windows; ``patches``: whether logits stay when patches move
        together with their positions.
    """
    import torch

    images = _pictures()
    with _plain_attention():
        with _watcher(alone=False) as seen:
            logits = module(images, **call)
        with _watcher(alone=True):
            without = module(images, **call)
        spread = float((logits - logits.mean(0)).norm())
        change = float((without - logits).norm()) / max(spread, 1e-9)
        if spread <= 1e-6 * float(logits.norm()):
            change = 1.0  # the same logits for every image: that says nothing about the attention
        moves = seen.overlapping and any(
            torch.allclose(moved, logits, atol=1e-3 * max(spread, 1e-3))
            for moved in _moved(module, images, call)
        )
    return {"maps": seen.maps, "change": change, "overlapping": seen.overlapping, "patches": bool(moves)}


def _pictures() -> Any:
    """Seven gray pictures (7, 1, 28, 28) of soft bars and blocks, each its own."""
    import torch

    places = torch.arange(28.0)
    pictures = [
        torch.sigmoid(places[None] - 2 - 3 * k) * torch.sigmoid(22 - places[:, None] - k) for k in range(7)
    ]
    return torch.stack(pictures)[:, None]


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Makes torch's own layers attend step by step, so that their weights can be seen."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _overlaps(name: str, args: Any) -> bool:
    """Whether an operation slides a window over the image by less than the window's size."""
    if name == "convolution":
        return any(size > step for size, step in zip(args[1].shape[2:], args[3], strict=False))
    if name in ("max_pool2d_with_indices", "avg_pool2d"):
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        return any(size > step for size, step in zip(args[1], stride, strict=False))
    return name == "im2col" and any(size > step for size, step in zip(args[1], args[4], strict=False))


def _makes_weights(name: str, args: Any) -> bool:
    """Whether an operation is a softmax, or an exponential of any base."""
    if name == "pow":
        return isinstance(args[0], int | float)
    return name in ("_softmax", "_safe_softmax", "exp", "exp_", "exp2", "exp2_")


def _map_axes(shape: Sequence[int], softmax: int | None) -> tuple[int | None, int | None]:
    """The axes of queries and keys in weights of this shape; a softmax runs over the keys.

    Of a single row of a map the axis of queries is None; of anything else both are.
    """
    axes = range(len(shape))
    keys = [softmax % len(shape)] if softmax is not None else list(reversed(axes))
    pairs = [
        (key, query) for key in keys for query in axes if key != query and shape[key] == shape[query] >= 4
    ]
    if pairs:  # the last two axes first, then axes close to each other
        key, query = min(pairs, key=lambda pair: (min(pair) < len(shape) - 2, abs(pair[0] - pair[1])))
        return query, key
    return None, keys[0] if softmax is not None and shape[keys[0]] >= 4 else None


def _watcher(alone: bool) -> Any:
    """Counts attention maps and overlapping windows; with ``alone``, makes each map the identity.

    Weights of every token for every token come from a softmax, or from exponentials that are divided by their
    sum. The axes of queries and keys are any two of equal length; or the map of each image and head comes by
    itself, (n, n); or the rows come one by one, n of the same shape.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    @undisturbed
    class Watcher(TorchDispatchMode):
        maps = overlapping = 0

        def __init__(self) -> None:
            super().__init__()
            # shape of a part of a map → how many there were
            self.single: Counter[tuple[int, ...]] = Counter()

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = operation(*args, **(kwargs or {}))
            name = operation.__name__.split(".")[0]
            self.overlapping += _overlaps(name, args)
            if not _makes_weights(name, args):
                return result
            query, key = _map_axes(result.shape, args[1] if "softmax" in name else None)
            if key is None:
                return result
            n = result.shape[key]
            own = torch.eye(n, dtype=result.dtype)
            if query is None:  # a row: the others have the same shape
                own, parts = own[self.single[tuple(result.shape)] % n], n
                kept = [key]
            else:
                own, parts = (own, 1) if result.ndim > 2 else (own, len(_pictures()))
                kept = [query, key]
            self.single[tuple(result.shape)] += 1
            self.maps += self.single[tuple(result.shape)] % parts == 0
            if alone:
                shape = [n if axis in kept else 1 for axis in range(result.ndim)]
                result.copy_(own.reshape(shape).expand(result.shape))
            return result

    return Watcher()


def _moved(module: Any, images: Any, call: Mapping[str, Any]) -> Iterator[Any]:
    """Logits of images whose patches change places, for each table that could be the positions of patches."""
    import torch

    for size in (2, 4, 7, 14):
        side = 28 // size
        order = torch.randperm(side**2, generator=torch.Generator().manual_seed(0))
        grid = images.reshape(-1, side, size, side, size).transpose(2, 3).reshape(-1, side**2, size, size)
        shuffled = grid[:, order].reshape(-1, side, side, size, size).transpose(2, 3).reshape(images.shape)
        for table in [*module.parameters(), *module.buffers()]:
            for axis, length in enumerate(table.shape):
                if length not in (side**2, side**2 + 1) or table.numel() == length:
                    continue
                first = length - side**2
                rows = torch.cat([torch.arange(first), first + order])
                kept = table.data.clone()
                table.data.copy_(kept.index_select(axis, rows))
                try:
                    yield module(shuffled, **call)
                finally:
                    table.data.copy_(kept)


@visible_check("4.7")
def look_at_the_model(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial in answers.get("Classifier", ()):
        if trial.status == "ok" and isinstance(trial.result.get("seen"), dict):
            problem = transformer_problem(trial.result["seen"])
            told = f"{problem} Such a model earns half of the points." if problem else ""
            lines.append((problem is None, told or "Your model reads patches and mixes them by attention."))
    return lines
