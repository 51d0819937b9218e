"""hw4's hidden inputs, drawn from the seed: small images, tokens, weights, toy models, made-up trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from autograder.declare import Case, several
from autograder.homeworks.hw4.transformer import attend, cut, encoder, softmax


def short(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Normal float32 numbers in steps of 1/64, which are short in JSON and exact in every format."""
    return (np.round(64 * scale * rng.normal(size=shape)) / 64).astype(np.float32)


SIZES = ((2, 28, 28, 4), (3, 8, 12, 4), (1, 28, 28, 7), (2, 6, 4, 2))
SMALL_SIZES = ((1, 8, 8, 4), (2, 4, 6, 2))


def numbered(batch: int, height: int, width: int) -> np.ndarray:
    """Images whose pixels are all different."""
    return np.arange(batch * height * width, dtype=np.float32).reshape(batch, 1, height, width)


def images_to_cut(rng: np.random.Generator, sizes: Any = SIZES) -> Iterator[Case]:
    """Images in which each pixel is told apart, square and not."""
    for batch, height, width, p in sizes:
        images = numbered(batch, height, width) + np.float32(rng.integers(100))
        yield Case(
            [images, p],
            note=f"{several(batch, 'image')} of {height}×{width} with {p}×{p} patches",
            torch=True,
        )


def patches_to_glue(rng: np.random.Generator, sizes: Any = SIZES) -> Iterator[Case]:
    """The same images, cut."""
    for batch, height, width, p in sizes:
        images = numbered(batch, height, width) + np.float32(rng.integers(100))
        yield Case(
            [cut(images, p), p, height, width],
            note=f"the patches of {several(batch, 'image')} of {height}×{width}",
            torch=True,
        )


def embedding_inputs(
    rng: np.random.Generator, sizes: Any = ((2, 28, 28, 4, 6), (1, 8, 12, 4, 3), (3, 6, 9, 3, 5))
) -> Iterator[Case]:
    """Images, weights and biases; the patch size is to be read from the weight's shape."""
    for batch, height, width, p, dim in sizes:
        arrays = [short(rng, batch, 1, height, width), short(rng, dim, p * p), short(rng, dim)]
        note = f"{several(batch, 'image')} of {height}×{width}, {p}×{p} patches, dim {dim}"
        yield Case(arrays, note=note, probe="embedding", torch=True)


def token_inputs(rng: np.random.Generator, sizes: Any = ((2, 49, 8), (3, 4, 6), (1, 1, 3))) -> Iterator[Case]:
    """Embedded patches with a class token and a table of positions."""
    for batch, n, dim in sizes:
        weights = {"class_token": short(rng, 1, 1, dim), "positions": short(rng, 1, n + 1, dim)}
        kwargs = {"init": {"patches": n, "dim": dim}, "weights": weights}
        yield Case(
            [short(rng, batch, n, dim)],
            kwargs,
            f"a batch of {batch} with {several(n, 'patch', 'patches')} of dim {dim}",
            probe="vit",
            torch=True,
        )


def attention_weights(rng: np.random.Generator, dim: int, scale: float = 0.5) -> dict[str, np.ndarray]:
    """Four maps with biases."""
    return {
        f"{name}.{part}": short(rng, *(dim,) * (2 if part == "weight" else 1), scale=scale)
        for name in ("query", "key", "value", "out")
        for part in ("weight", "bias")
    }


def attention_inputs(
    rng: np.random.Generator, sizes: Any = ((3, 5, 12, 2), (1, 7, 12, 4), (3, 1, 6, 2), (2, 4, 6, 1))
) -> Iterator[Case]:
    """Token sequences with all weights, without and with the attention maps asked for; large scores too.

    In the first one d = 6, heads = 2 and their roots differ, and so do they in the notebook's: each wrong
    scale gives numbers of its own.
    """
    for batch, n, dim, heads in sizes:
        kwargs = {"init": {"dim": dim, "heads": heads}, "weights": attention_weights(rng, dim)}
        x = short(rng, batch, n, dim)
        shape = f"a batch of {batch} with {several(n, 'token')}, dim {dim}, {several(heads, 'head')}"
        yield Case([x], kwargs, shape, probe="vit", torch=True)
        yield Case(
            [x],
            {**kwargs, "call": {"return_weights": True}},
            f"{shape}, return_weights=True",
            "weights",
            "vit",
            True,
        )
    x, large = large_scores(rng)
    kwargs = {"init": {"dim": 8, "heads": 2}, "weights": large}
    yield Case([x], kwargs, "scores of about 1,000", probe="vit", torch=True)


# mistakes of attention that float32 would decide in its own way where large scores are nearly equal
SENSITIVE = (
    *("reshaped", "reshaped twice", "interleaved", "interleaved twice", "one head", "split by heads"),
    *("whole map", "queries", "over heads", "query as key", "key as query", "clipped", "sigmoid"),
    *("value, key, query", "key, value, query", "query, value, key", "heads attend", "heads attend, turned"),
    "norm inside",
)


def steady(formula: Callable[..., Any], x: np.ndarray, *arguments: Any) -> bool:
    """Whether a formula's outputs move little with its input, so that float32 gives them, too."""
    nudged = x * (1 + 1e-6 * np.resize([1.0, -1.0, 1.0], x.shape))
    right, moved = (formula(one, *arguments) for one in (x, nudged))
    right, moved = (one[0] if isinstance(one, tuple) else one for one in (right, moved))
    return bool(np.allclose(moved, right, rtol=5e-4, atol=5e-6 * max(1, np.abs(right).max())))


def large_scores(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Tokens (1, 6, 8) and weights whose scores have no near ties, which float32 would decide in its own way.

    Nor have they for those who attend to something else, so that such a mistake gives its own numbers, too.
    """
    while True:
        weights = attention_weights(rng, 8)
        weights |= {name: 40 * weights[name] for name in ("query.weight", "key.weight")}
        x = short(rng, 1, 6, 8)
        if all(steady(attend, x, weights, 2, slip) for slip in ("", *SENSITIVE)):
            return x, weights


def attention_example(rng: np.random.Generator) -> Iterator[Case]:
    """One small input, both ways, and the one whose scores overflow."""
    yield from attention_inputs(rng, sizes=((1, 4, 6, 2),))


def block_weights(rng: np.random.Generator, dim: int, mlp_dim: int) -> dict[str, np.ndarray]:
    """Weights of a block, under the names of 4.4b with torch's attention in it."""
    shapes = {
        "norm1.weight": (dim,),
        "norm1.bias": (dim,),
        "attention.in_proj_weight": (3 * dim, dim),
        "attention.in_proj_bias": (3 * dim,),
        "attention.out_proj.weight": (dim, dim),
        "attention.out_proj.bias": (dim,),
        "norm2.weight": (dim,),
        "norm2.bias": (dim,),
        "mlp.0.weight": (mlp_dim, dim),
        "mlp.0.bias": (mlp_dim,),
        "mlp.2.weight": (dim, mlp_dim),
        "mlp.2.bias": (dim,),
    }
    return {
        name: short(rng, *shape, scale=0.5) + np.float32(name in ("norm1.weight", "norm2.weight"))
        for name, shape in shapes.items()
    }


NORMLESS = ("no norm1", "no norms", "no residual 1")  # large numbers, or small ones that a norm makes large


def block_inputs(
    rng: np.random.Generator, sizes: Any = ((2, 5, 8, 2, 12), (1, 3, 6, 3, 4))
) -> Iterator[Case]:
    """Token sequences with all weights of a block; torch's attention stands in for that of 4.4a."""
    for batch, n, dim, heads, mlp_dim in sizes:
        init = {"dim": dim, "heads": heads, "mlp_dim": mlp_dim, "attention": "ready_attention"}
        while True:
            weights = block_weights(rng, dim, mlp_dim)
            x = 2 * short(rng, batch, n, dim) + 1  # far from mean 0 and variance 1: a missing norm shows
            if all(steady(encoder, x, weights, heads, slip) for slip in NORMLESS):
                break
        kwargs = {"init": init, "weights": weights}
        shape = f"a batch of {batch} with {several(n, 'token')}, dim {dim}, MLP {mlp_dim}"
        yield Case([x], kwargs, shape, probe="vit", torch=True)
        yield Case(
            [x],
            {**kwargs, "call": {"return_weights": True}},
            f"{shape}, return_weights=True",
            "weights",
            "vit",
            True,
        )


def model_weights(rng: np.random.Generator, init: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Weights of a whole model, under the names of 4.5, with torch's encoder layers as blocks."""
    dim, n = init["dim"], (init["image_size"] // init["patch_size"]) ** 2
    weights = {
        "patch_embedding.weight": short(rng, dim, init["patch_size"] ** 2, scale=0.5),
        "patch_embedding.bias": short(rng, dim, scale=0.5),
        "class_token": short(rng, 1, 1, dim),
        "positions": short(rng, 1, 1 + n, dim),
    }
    names = {"attention.": "self_attn.", "mlp.0": "linear1", "mlp.2": "linear2"}
    for number in range(init["depth"]):
        for name, value in block_weights(rng, dim, init["mlp_dim"]).items():
            for old, new in names.items():
                name = name.replace(old, new)
            weights[f"blocks.{number}.{name}"] = value
    shapes = {
        "norm.weight": (dim,),
        "norm.bias": (dim,),
        "head.weight": (init["classes"], dim),
        "head.bias": (init["classes"],),
    }
    return weights | {name: short(rng, *shape) for name, shape in shapes.items()}


SMALL_MODELS = (
    {"image_size": 8, "patch_size": 2, "depth": 3, "heads": 2, "dim": 8, "mlp_dim": 12, "classes": 5},
    {"image_size": 28, "patch_size": 7, "depth": 1, "heads": 1, "dim": 4, "mlp_dim": 6, "classes": 10},
    {"image_size": 12, "patch_size": 4, "depth": 3, "heads": 3, "dim": 6, "mlp_dim": 6, "classes": 3},
)


def model_inputs(rng: np.random.Generator, sizes: Any = SMALL_MODELS, batch: int = 7) -> Iterator[Case]:
    """Small models with all weights; torch's own blocks stand in, so that 4.4 does not matter here."""
    for init in sizes:
        kwargs = {"init": {**init, "block": "ready_block"}, "weights": model_weights(rng, init)}
        # the batch is as large as neither depth nor heads nor tokens, so that swapped axes show
        images = short(rng, batch, 1, init["image_size"], init["image_size"])
        shape = (
            f"a model with depth {init['depth']}, dim {init['dim']} and"
            f" {init['image_size']}×{init['image_size']} images"
        )
        yield Case([images], kwargs, shape, probe="vit", torch=True)
        yield Case(
            [images],
            {**kwargs, "call": {"return_weights": True}},
            f"{shape}, return_weights=True",
            "weights",
            "vit",
            True,
        )
    yield Case([images[:1]], kwargs, f"one image, {shape}", probe="vit", torch=True)
    yield Case([images], {**kwargs, "want": ["gradients"]}, "a backward pass", "gradients", "vit", True)
    blank = np.zeros((3, 1, 28, 28), np.float32)
    defaults: dict[str, Any] = {"init": {"block": "ready_block"}, "weights": None, "want": ["parameters"]}
    yield Case([blank], defaults, "the model with its defaults", "defaults", "vit", True)


def model_example(rng: np.random.Generator) -> Iterator[Case]:
    """One very small model for the notebook, of sizes that cannot be taken for each other."""
    tiny = {"image_size": 4, "patch_size": 2, "depth": 3, "heads": 2, "dim": 6, "mlp_dim": 8, "classes": 10}
    yield from list(model_inputs(rng, sizes=(tiny,), batch=4))[:4]


def step_inputs(
    rng: np.random.Generator, sizes: Any = ((6, 3, 0.5), (1, 2, 0.25), (9, 4, 0.4))
) -> Iterator[Case]:
    """Toy batches for a linear classifier; gradients shorter than 1, so that clipping changes nothing.

    The learning rate differs from case to case: it is the optimizer's, not one that an answer may hold.
    """
    for n, classes, lr in sizes:
        kwargs = {
            "weight": short(rng, classes, 9, scale=0.2),
            "bias": short(rng, classes, scale=0.2),
            "images": short(rng, n, 1, 3, 3, scale=0.2),
            "labels": rng.integers(classes, size=n),
            "lr": lr,
            "steps": 2,
        }
        yield Case((), kwargs, f"two steps on a toy batch of {n}", probe="train_step", torch=True)


def evaluation_inputs(
    rng: np.random.Generator, sizes: Any = ((10, 4, True), (7, 3, False), (5, 5, True), (3, 10, False))
) -> Iterator[Case]:
    """Toy sets whose last batch is smaller, or the only one."""
    for n, batch_size, training in sizes:
        kwargs = {
            "weight": short(rng, 3, 4),
            "bias": short(rng, 3),
            "images": short(rng, n, 1, 2, 2),
            "labels": rng.integers(3, size=n),
            "batch_size": batch_size,
            "training": training,
        }
        note = (
            f"{n} images in batches of {batch_size}, model in {'training' if training else 'evaluation'} mode"
        )
        yield Case((), kwargs, note, probe="evaluate", torch=True)


def label_lists(rng: np.random.Generator, sizes: Any = ((3, 60, 12), (10, 200, 50))) -> Iterator[Case]:
    """Labels in random order, and how many rows to hold out; class 0 is large, so that shares would show."""
    for classes, n, validation in sizes:
        few = np.repeat(np.arange(classes), validation // classes + 2)
        labels = np.concatenate([few, rng.integers(classes, size=n), np.zeros(n, dtype=few.dtype)])
        yield Case([rng.permutation(labels), validation], note=f"{classes} classes", probe="split")


def trainings(rng: np.random.Generator, random: int = 3) -> Iterator[Case]:
    """Made-up trainings: the best epochs by validation, by test and by loss differ, and none is the last.

    Nor is one of them the last before an interrupt in the last epoch.
    """
    for number in range(random):
        epochs = 6 + number
        best, tested, lowest = rng.permutation(epochs - 2)[:3]
        curves = {}
        for name, peak in (("validation", best), ("test", tested), ("losses", lowest)):
            curve = np.round(rng.permutation(np.linspace(0.3, 0.7, epochs)), 3)
            curve[peak] = 0.9
            curves[name] = curve
        # the best epoch has no large loss, so that whoever takes losses for accuracies finds another one
        low = curves["losses"].argsort()[-2]
        curves["losses"][[best, low]] = curves["losses"][[low, best]]
        curves["losses"] = np.round(2 - curves["losses"], 3)
        yield Case((), {**curves, "interrupt": 0}, f"a training of {epochs} epochs", "best", "fit")
        yield Case(
            (),
            {**curves, "interrupt": epochs},
            f"a training that is interrupted in epoch {epochs}",
            "interrupt",
            "fit",
        )
    yield from _stopped(curves, {"interrupt": 1}, "a training that is interrupted in its first epoch")
    inside = "a training that is interrupted while `evaluate` runs, in epoch"
    for epoch in (1, 3):
        yield from _stopped(curves, {"interrupt": epoch, "where": "evaluate"}, f"{inside} {epoch}")


def _stopped(curves: Mapping[str, Any], stop: Mapping[str, Any], note: str) -> Iterator[Case]:
    yield Case((), {**curves, **stop}, note, "interrupt", "fit")


def trainings_shown(rng: np.random.Generator) -> Iterator[Case]:
    """One such training for the notebook."""
    curves = {
        "validation": np.array([0.3, 0.8, 0.5, 0.6]),
        "test": np.array([0.4, 0.5, 0.9, 0.6]),
        "losses": np.array([0.6, 0.8, 0.7, 0.9]),
    }
    yield Case((), {**curves, "interrupt": 0}, "a training of 4 epochs", "best", "fit")
    yield from _stopped(curves, {"interrupt": 3}, "a training that is interrupted in epoch 3")
    yield from _stopped(curves, {"interrupt": 1}, "a training that is interrupted in its first epoch")
    inside = "a training that is interrupted while `evaluate` runs, in epoch 2"
    yield from _stopped(curves, {"interrupt": 2, "where": "evaluate"}, inside)


def labels_to_show(rng: np.random.Generator, sizes: Any = ((3, 30, 2), (10, 300, 5))) -> Iterator[Case]:
    """Labels in random order."""
    for classes, n, count in sizes:
        labels = np.concatenate([np.repeat(np.arange(classes), count), rng.integers(classes, size=n)])
        yield Case([rng.permutation(labels), count], note=f"{count} of each of {classes} classes")


def guesses_to_count(rng: np.random.Generator, sizes: Any = ((3, 12), (10, 100), (4, 5))) -> Iterator[Case]:
    """True labels and guesses; some classes may not occur."""
    for classes, n in sizes:
        yield Case(
            [rng.integers(classes - 1, size=n), rng.integers(classes, size=n), classes],
            note=f"{n} guesses among {classes} classes",
        )


def maps_to_draw(rng: np.random.Generator, sizes: Any = ((2, 3, 9), (1, 2, 4), (3, 4, 16))) -> Iterator[Case]:
    """Attention maps of one image."""
    for depth, heads, n in sizes:
        maps = softmax(2 * rng.normal(size=(depth, heads, n + 1, n + 1))).astype(np.float32)
        yield Case(
            [maps], note=f"{several(depth, 'block')}, {several(heads, 'head')}, {n} patches", torch=True
        )


def tables_to_compare(rng: np.random.Generator, sizes: Any = ((9, 6), (4, 3))) -> Iterator[Case]:
    """Tables of positions."""
    for n, dim in sizes:
        yield Case([short(rng, 1, n + 1, dim) + 0.5], note=f"{n} patches, dim {dim}", torch=True)
