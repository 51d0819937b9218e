"""2.5a: layer normalization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Prediction
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.homework import (
    NORM_CALLS,
    check_cases_and,
    check_gradients,
    hw,
    mistakes,
    normal,
)
from autograder.homeworks.hw2.oracles import Floats, norm


def torch_norm(
    x: Floats, *, init: Mapping[str, Any], weights: Mapping[str, Floats], want: Any = ()
) -> Floats:
    """``torch.nn.functional.layer_norm`` in float64."""
    import torch

    tokens, scale, shift = (
        torch.from_numpy(np.asarray(part, np.float64)) for part in (x, weights["weight"], weights["bias"])
    )
    return np.asarray(
        torch.nn.functional.layer_norm(
            tokens, (init["d_model"],), scale, shift, init.get("eps", 1e-5)
        ).numpy()
    )


def numpy_norm(
    x: Floats, *, init: Mapping[str, Any], weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The probe's view of :func:`norm`."""
    if variant == "annotated":
        found, known = (
            norm(x, weights["weight"], weights["bias"], init.get("eps", 1e-5), one)
            for one in ("annotated", "unbiased")
        )
        # where eps makes no difference, it has the other name
        return np.zeros(0) if np.allclose(found, known, rtol=5e-3, atol=1e-3) else found
    return norm(x, weights["weight"], weights["bias"], init.get("eps", 1e-5), variant)


def norm_case(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    *,
    scale: float = 1.0,
    eps: float | None = None,
    **more: Any,
) -> Case:
    """A case of 2.5a; scale sets how much the numbers of a row differ."""
    d = shape[-1]
    kwargs: dict[str, Any] = {
        "init": {"d_model": d} | ({"eps": eps} if eps else {}),
        "weights": {"weight": normal(rng, d), "bias": normal(rng, d)},
    }
    kwargs |= {"want": more.pop("want")} if "want" in more else {}
    note = more.pop("note", f"an input of shape {shape}")
    return Case(
        [normal(rng, *shape, scale=scale) + np.float32(more.pop("offset", 0.0))],
        kwargs,
        note=note,
        probe="norm",
        torch=True,
        **more,
    )


def norm_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Inputs of one, two and three axes; then rows whose variance is near eps or zero."""
    for shape in ((2, 3, 5), (4, 6), (7,), (1, 4)):
        yield norm_case(rng, shape, offset=2.0)
    yield norm_case(rng, (2, 3, 4), scale=3e-3, group="eps", note="rows that hardly vary")
    yield norm_case(rng, (3, 4), eps=0.5, group="eps", note="eps = 0.5")
    yield norm_case(rng, (2, 4), scale=0.0, offset=3.0, group="eps", note="rows that are constant")
    yield norm_case(rng, (2, 3, 4), want=["gradients"], group="gradients", note="one backward pass")


def norm_examples(rng: np.random.Generator) -> Iterator[Case]:
    """One of each kind of hidden case."""
    yield norm_case(rng, (2, 3, 4), offset=2.0)
    yield norm_case(rng, (5,), offset=2.0)
    yield norm_case(rng, (2, 3), scale=3e-3, want=["gradients"], group="eps", note="rows that hardly vary")
    yield norm_case(rng, (2, 3), eps=0.5, group="eps", note="eps = 0.5")
    yield norm_case(rng, (2, 3), scale=0.0, offset=3.0, group="eps", note="rows that are constant")


layer_norm = hw.question(
    "2.5a",
    "Layer normalization",
    topic="layer norm, feed-forward network, encoder block",
    minutes=10,
    difficulty="easy",
    asks={
        "each token's features are normalized; weight is all ones and bias all zeros at first": (
            "normalizes each token's features"
        ),
        "eps is under the root, so rows may be constant": "eps under the root",
        "one backward pass reaches every parameter": "gradients reach every parameter of LayerNorm",
    },
    entries=[
        Prediction(
            "prediction_25a", {"A": "mean and spread", "B": "the largest feature", "C": "every feature"}
        ),
        Challenge(
            "LayerNorm",
            cases=norm_cases,
            expected=torch_norm,
            mistakes=mistakes(
                numpy_norm,
                {
                    "The eps of the constructor is not used.": "default eps",
                    "eps is always 1e-6; use the eps of the constructor.": "eps of 1e-6",
                    "The divisor is std + eps with a deviation that divides by d − 1; it is the root of"
                    " (variance + eps), with a variance that divides by d.": "annotated",
                    "The variance is the unbiased one (divided by d − 1); layer norm divides by d:"
                    " unbiased=False.": "unbiased",
                    "eps is left out: without it a constant row divides by zero.": "no eps",
                    "eps is added to the standard deviation; it belongs under the root,"
                    " beside the variance.": "eps outside",
                    "The root is missing: divide by √(variance + eps).": "variance",
                    "The root of the standard deviation is taken; add eps to the variance and take the root"
                    " once.": "root of the deviation",
                    "The mean is taken over the wrong axis, the tokens; layer norm looks at one token's"
                    " features: the last axis.": "over tokens",
                    "One mean is taken over everything; layer norm looks at one token's features: the last"
                    " axis.": "over everything",
                    "One mean is taken over a whole sequence; layer norm looks at one token's features: the"
                    " last axis.": "per sequence",
                    "The mean is not subtracted (that is RMS norm).": "not centered",
                    "weight and bias are not used.": "no affine",
                    "bias is not used.": "no shift",
                    "weight is not used.": "no scale",
                    "bias is added before the product with weight: first weight, then bias.": "shift first",
                },
            ),
            examples=norm_examples,
            atol=2e-5,  # float32 rows with an offset lose digits when the mean is subtracted
            rtol=5e-4,
        ),
    ],
    forbids=NORM_CALLS,
)
check_cases_and(
    public.initial_problem,
    layer_norm,
    "LayerNorm",
    "normalizes each token's features",
    points=3,
    group="values",
)
layer_norm.check_cases("LayerNorm", "eps under the root", points=2, group="eps")
check_gradients(layer_norm, "LayerNorm", points=1)
