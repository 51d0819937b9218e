"""hw2: a Transformer in NumPy, then in PyTorch.

Everything here is trusted and stays out of the kernel. Weights are injected by name; oracles are float64
NumPy
(2.1–2.3) and torch's own modules (2.4–2.5) in ``autograder/homeworks/hw2/oracle.py``; known mistakes are
``variant`` arguments there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare.evidence import attention, curve
from autograder.declare.homework import (
    Answer,
    Array,
    Case,
    Challenge,
    Choice,
    Homework,
    Written,
    Wrong,
    not_run,
    wrong_on,
)
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.oracle import (
    PROJECTIONS,
    Floats,
    antidiagonal,
    classifier,
    feed_forward,
    layer,
    numpy_block,
    numpy_heads,
    numpy_norm,
    softmax,
    steps,
    torch_block,
    torch_heads,
    torch_norm,
    transformer,
)

hw = Homework("hw2", title="A Transformer in NumPy, then in PyTorch", stem="hw2_numpy_to_pytorch")

ATTENTION_CALLS = (
    "scaled_dot_product_attention",
    "MultiheadAttention",
    "multi_head_attention_forward",
    "TransformerEncoderLayer",
)
NORM_CALLS = ("LayerNorm", "layer_norm", "native_layer_norm")


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Floats:
    """Random float32 numbers, as a torch model gets them."""
    return (scale * rng.normal(size=shape)).astype(np.float32)


def mistakes(model: Callable[..., Any], named: Mapping[str, str]) -> dict[str, Callable[..., Any]]:
    """What to say → the model with that variant, rounded so that notebooks stay small (half a unit is below atol 1e-6)."""

    def rounded(variant: str) -> Callable[..., Any]:
        def wrong(*args: Any, **kwargs: Any) -> Any:
            result = model(*args, **kwargs, variant=variant)
            return [np.round(part, 6) for part in result] if isinstance(result, list) else np.round(result, 6)

        return wrong

    return {says: rounded(variant) for says, variant in named.items()}


def check_gradients(question: Any, name: str, *, points: float, group: str = "gradients") -> None:
    """Adds the check that gradients reach every parameter."""

    @question.check(f"gradients reach every parameter of {name}", points=points, needs=[name])  # type: ignore[untyped-decorator]
    def _(answer: Answer) -> Wrong | None:
        trials = [trial for trial in answer[name] if trial.group == group]
        for trial in trials:
            if trouble := not_run(name, trial):
                return trouble
        return (
            Wrong(problem)
            if (problem := public.gradient_problem(name, trials, public.HARMLESS.get(name, ())))
            else None
        )


# 2.1 --------------------------------------------------------------------------------------------------------


TRANSFORMER_MISTAKES = mistakes(
    transformer,
    {
        "The softmax is over the wrong axis: each query's weights must sum to 1, over the keys (the last axis).": (
            "wrong axis"
        ),
        "The scores are not divided by √qk_dim.": "unscaled",
        "The scores are divided by qk_dim (or twice by its root); divide once by √qk_dim.": "divided by qk",
        "The scores are divided by √v_dim; it is the size of the queries and keys, qk_dim, that counts.": (
            "scaled by v"
        ),
        "The scores are divided by the root of the input's size; it is qk_dim that counts.": (
            "scaled by input"
        ),
        "The scores are divided by √n; it is qk_dim that counts.": "scaled by n",
        "The output is transposed: rows must be places, (n, v_dim).": "transposed output",
        "The weights are transposed before they meet the values: output i must be the mix that query i asks for.": (
            "transposed weights"
        ),
        "Queries and keys are swapped: row i of the scores belongs to query i.": "queries and keys swapped",
        "The softmax is missing.": "no softmax",
        "A causal mask is applied; this model has none: every place sees every place.": "causal",
        "Every place got the position of place 0: look up arange(n).": "one position for all",
        "Positions count from the end; place 0 gets row 0 of the table.": "positions from the end",
        "Positions stand in front of the token; the NumPy model appends them behind it.": (
            "positions in front"
        ),
    },
)


def ported(
    rng: np.random.Generator,
    n: int,
    sizes: tuple[int, int, int],
    pos: int = 0,
    places: int = 10,
    scale: float = 1.0,
    **more: Any,
) -> Case:
    """A case of 2.1: sequence length, (input_dim, qk_dim, v_dim), pos_dim and max_seq_len."""
    d, qk, v = sizes
    init: dict[str, Any] = {"input_dim": d, "qk_dim": qk, "v_dim": v}
    weights = {}
    if pos:
        init |= {"pos_dim": pos, "max_seq_len": places}
        weights["pos.weight"] = normal(rng, places, pos)
    weights |= {f"{name}.weight": normal(rng, qk, d + pos, scale=scale) for name in ("Qm", "Km")} | {
        "Vm.weight": normal(rng, v, d + pos)
    }
    kwargs = {"init": init, "weights": weights} | ({"want": more.pop("want")} if "want" in more else {})
    note = more.pop(
        "note", f"n = {n} places, " + (f"positions with pos_dim = {pos}" if pos else "no positions")
    )
    return Case([normal(rng, n, d)], kwargs, note=note, probe="ported", torch=True, **more)


def transformer_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes that all differ, so that a swapped one shows."""
    for n, sizes in ((5, (3, 4, 2)), (4, (6, 2, 5)), (7, (2, 5, 3))):
        yield ported(rng, n, sizes, group="plain")
        yield ported(rng, n, sizes, pos=3, places=n + 2, group="positions")
    yield ported(
        rng, 4, (3, 5, 2), pos=3, places=10, note="positions and input of the same size", group="positions"
    )
    for n in range(1, 7):
        yield ported(rng, n, (3, 4, 2), group="lengths")
        yield ported(
            rng,
            n,
            (3, 4, 2),
            pos=2,
            places=6,
            group="lengths",
            note=f"n = {n} of at most 6 places, with positions",
        )
    yield ported(
        rng,
        5,
        (3, 4, 2),
        scale=30.0,
        group="large",
        note="scores of about a thousand, where a naive exp overflows",
    )
    yield ported(
        rng, 5, (3, 4, 2), pos=2, places=5, want=["gradients"], group="gradients", note="one backward pass"
    )


def transformer_examples(rng: np.random.Generator) -> Iterator[Case]:
    """One without positions, whose sizes have different roots, one with, and one short sequence with gradients."""
    yield ported(rng, 4, (5, 3, 2))
    yield ported(rng, 2, (3, 4, 2), pos=2, places=4)
    yield ported(rng, 1, (3, 4, 2), pos=2, places=4)
    yield ported(
        rng, 4, (3, 4, 2), pos=2, places=4, want=["gradients"], note="n = 4 places, with a backward pass"
    )


port = hw.question(
    "2.1",
    "From NumPy to PyTorch",
    minutes=15,
    difficulty="easy",
    entries=[
        Challenge(
            "PytorchTransformer",
            cases=transformer_cases,
            expected=transformer,
            mistakes=TRANSFORMER_MISTAKES,
            examples=transformer_examples,
            atol=1e-5,  # float32 sums of a few products of size 1 to 10
        )
    ],
    forbids=ATTENTION_CALLS,
)
port.check_cases("PytorchTransformer", "equal to the NumPy model without positions", points=4, group="plain")
port.check_cases("PytorchTransformer", "equal to the NumPy model with positions", points=4, group="positions")
port.check_cases("PytorchTransformer", "for every length from 1 to the largest", points=2, group="lengths")
port.check_cases("PytorchTransformer", "large scores do not overflow", points=1, group="large")
check_gradients(port, "PytorchTransformer", points=2)


# 2.2 --------------------------------------------------------------------------------------------------------


def long_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Three lengths, the same model."""
    for n in public.LENGTHS:
        yield ported(
            rng, n, (2, 3, 2), pos=1, places=max(public.LENGTHS), want=["operations"], note=f"n = {n} places"
        )


vectorised = hw.question(
    "2.2",
    "All queries at once",
    minutes=5,
    difficulty="medium",
    entries=[Challenge("VectorisedTransformer", cases=long_cases)],
    forbids=ATTENTION_CALLS,
)


@vectorised.check("the number of operations does not grow with the length", points=6)
def _(answer: Answer) -> Wrong | None:
    trials = answer["VectorisedTransformer"]
    for trial in trials:
        if trouble := not_run("VectorisedTransformer", trial):
            return trouble
        if trouble := wrong_on(trial, _no_attention(trial)):
            return trouble
    problem, _ = public.operations_problem("VectorisedTransformer", trials)
    if not problem:
        return None
    counts = {"your forward": [int(trial.result["operations"]) for trial in trials]}
    shown = curve(
        "Tensor operations of your forward, by the number of places",
        counts,
        x="places",
        y="operations",
        at=list(public.LENGTHS),
    )
    return Wrong(f"{problem} (A right answer that loops keeps its points in 2.1.)", evidence=shown)


def _no_attention(trial: kit.Trial) -> str | None:
    """Why operations are not counted: the result is neither right nor wrong in a way that 2.1 names."""
    readings = [transformer, *TRANSFORMER_MISTAKES.values()]
    if any(kit.same(reading(*trial.args, **trial.kwargs), trial.output, atol=1e-5) for reading in readings):
        return None
    problem = kit.compare(
        transformer(*trial.args, **trial.kwargs), trial.output, atol=1e-5, what="the output"
    )
    return (
        f"On {trial.note} {problem} Operations are counted for a working head only: see what 2.1 says first."
    )


# 2.3 --------------------------------------------------------------------------------------------------------


def layer_case(
    rng: np.random.Generator, n: int, d: int, qk: int | None, scale: float = 1.0, **more: Any
) -> Case:
    """A case for ``Attention``; None leaves d_qk at its default."""
    size = qk or 64
    weights = {
        "query.weight": normal(rng, size, d, scale=scale),
        "key.weight": normal(rng, size, d, scale=scale),
        "value.weight": normal(rng, d, d),
    }
    kwargs = {"init": {"d_model": d} | ({"d_qk": qk} if qk else {}), "weights": weights} | (
        {"want": more.pop("want")} if "want" in more else {}
    )
    note = more.pop(
        "note", f"n = {n} tokens, d_model = {d}, " + (f"d_qk = {qk}" if qk else "d_qk left at its default")
    )
    return Case([normal(rng, n, d)], kwargs, note=note, probe="module", torch=True, **more)


def layer_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Small scale for the default size, so that scores stay moderate."""
    yield layer_case(rng, 5, 4, 3)
    yield layer_case(rng, 3, 6, 2)
    yield layer_case(rng, 1, 3, 5)
    yield layer_case(rng, 6, 5, None, scale=0.3)
    yield layer_case(rng, 4, 3, 4, scale=30.0, note="scores of about a thousand, where a naive exp overflows")
    yield layer_case(rng, 4, 3, 2, want=["gradients"], group="gradients", note="one backward pass")


def layer_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Two small ones, gradients with the second."""
    yield layer_case(rng, 4, 5, 3)
    yield layer_case(rng, 2, 3, 4, want=["gradients"])


def classifier_case(rng: np.random.Generator, n: int, d: int, classes: int, **more: Any) -> Case:
    """A case for ``DocumentClassifier``."""
    weights = {
        "attention.mix.weight": normal(rng, d, d),
        "head.weight": normal(rng, classes, d),
        "head.bias": normal(rng, classes),
    }
    note = f"a document of {n} tokens, {classes} classes"
    kwargs = {"init": {"d_model": d, "n_classes": classes}, "weights": weights} | more
    return Case([normal(rng, n, d)], kwargs, note=note, probe="classifier", torch=True)


def classifier_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Documents of several lengths."""
    for n, d, classes in ((4, 3, 2), (6, 5, 4), (1, 4, 3), (9, 2, 5)):
        yield classifier_case(rng, n, d, classes)


document = hw.question(
    "2.3",
    "An attention layer in a document classifier",
    minutes=15,
    difficulty="medium",
    entries=[
        Challenge(
            "Attention",
            cases=layer_cases,
            expected=layer,
            mistakes=mistakes(
                layer,
                {
                    "The softmax is over the wrong axis: it must be over the keys (the last axis).": (
                        "wrong axis"
                    ),
                    "The scores are not divided by √d_qk.": "unscaled",
                    "The scores are divided by d_qk (or twice by its root); divide once by √d_qk.": (
                        "divided by qk"
                    ),
                    "The scores are divided by √d_model; it is d_qk that counts.": "scaled by input",
                    "The weights are transposed before they meet the values.": "transposed weights",
                    "Queries and keys are swapped: row i of the scores belongs to query i.": (
                        "queries and keys swapped"
                    ),
                    "The values are the raw inputs: the value map is not used.": "raw values",
                    "The softmax is missing.": "no softmax",
                    "The output is transposed: rows must be tokens, (n, d_model).": "transposed output",
                    "The layer already averages over tokens; it must return one row a token, (n, d_model).": (
                        "mean of outputs"
                    ),
                },
            ),
            examples=layer_examples,
            atol=1e-5,
        ),
        Challenge(
            "DocumentClassifier",
            cases=classifier_cases,
            expected=classifier,
            mistakes=mistakes(
                classifier,
                {
                    "The tokens are summed; take their mean, so that long documents are not louder.": "sum",
                    "The largest entry over the tokens is taken; the mean is asked for.": "max",
                    "Only the first token is used; the mean over all tokens is asked for.": "first",
                    "Only the last token is used; the mean over all tokens is asked for.": "last",
                    "The attention layer is not used.": "no layer",
                    "The input is added to the layer's output; this question has no residual connection.": (
                        "residual"
                    ),
                    "These are probabilities; return the raw logits.": "softmax",
                    "These are log-probabilities; return the raw logits.": "log",
                    "A sigmoid is applied; return the raw logits.": "sigmoid",
                    "There is one row of logits a token; average over the tokens, so that the document has one.": (
                        "one logit a token"
                    ),
                },
            ),
            examples=lambda rng: [classifier_case(rng, 3, 2, 2), classifier_case(rng, 5, 3, 4)],
            atol=1e-5,
        ),
    ],
    forbids=ATTENTION_CALLS,
)
document.check_cases("Attention", "the attention layer", points=6)
check_gradients(document, "Attention", points=2)
document.check_cases("DocumentClassifier", "the mean over tokens and a linear head", points=4)


# 2.4 --------------------------------------------------------------------------------------------------------


def heads_case(
    rng: np.random.Generator,
    b: int,
    n: int,
    d: int,
    h: int,
    *,
    causal: bool = False,
    padding: Any = None,
    note: str = "",
    **more: Any,
) -> Case:
    """A case of 2.4; padding is a list of how many places at the end of each sequence are padding (negative: at the start)."""
    weights = {f"{name}.weight": normal(rng, d, d) for name in PROJECTIONS} | {
        f"{name}.bias": normal(rng, d) for name in PROJECTIONS
    }
    call: dict[str, Any] = {"causal": True} if causal else {}
    if padding is not None:
        places = np.arange(n)
        call["padding"] = np.array(
            [places >= n - count if count >= 0 else places < -count for count in padding]
        )
    kwargs = {"init": {"d_model": d, "n_heads": h}, "weights": weights, "call": call} | (
        {"want": more.pop("want")} if "want" in more else {}
    )
    note = note or f"a batch of {b}, n = {n}, d_model = {d}, {h} heads"
    return Case([normal(rng, b, n, d)], kwargs, note=note, probe="module", torch=True, **more)


def heads_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes that all differ; each kind of mask alone, then both, then queries with nothing to look at."""
    for b, n, d, h in ((2, 5, 6, 3), (3, 4, 8, 2), (1, 1, 4, 2), (2, 3, 5, 1), (1, 6, 6, 6)):
        yield heads_case(rng, b, n, d, h, group="plain")
    for b, n, d, h in ((2, 5, 6, 2), (1, 3, 4, 4)):
        yield heads_case(
            rng, b, n, d, h, causal=True, group="causal", note=f"a causal mask, {b}×{n} places, {h} heads"
        )
    for padding in ([0, 2, 3], [1, 0, 4]):
        yield heads_case(
            rng, 3, 5, 6, 2, padding=padding, group="padding", note=f"{padding} padded places at the end"
        )
    yield heads_case(
        rng,
        3,
        5,
        6,
        3,
        causal=True,
        padding=[0, 1, 2],
        group="padding",
        note="padding at the end and a causal mask",
    )
    yield heads_case(
        rng, 3, 4, 6, 2, padding=[0, 4, 2], group="blind", note="a sequence of nothing but padding"
    )
    yield heads_case(
        rng,
        2,
        4,
        6,
        3,
        causal=True,
        padding=[-2, 0],
        group="blind",
        note="padding at the start and a causal mask",
    )
    yield heads_case(
        rng, 2, 4, 6, 2, causal=True, want=["gradients"], group="gradients", note="one backward pass"
    )
    yield heads_case(
        rng,
        2,
        4,
        6,
        2,
        padding=[0, 4],
        want=["gradients"],
        group="gradients",
        note="one backward pass with a fully padded sequence",
    )


def heads_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Small ones for the notebook: no mask, causal, padding, all padding."""
    yield heads_case(rng, 1, 3, 4, 2)
    yield heads_case(rng, 1, 3, 4, 2, causal=True, note="a causal mask")
    yield heads_case(rng, 2, 3, 4, 2, padding=[0, 1], note="a padded place at the end of the second sequence")
    yield heads_case(
        rng,
        2,
        2,
        2,
        1,
        padding=[0, 2],
        want=["gradients"],
        note="a batch whose second sequence is nothing but padding",
    )


HEADS_MISTAKES = mistakes(
    numpy_heads,
    {
        "Heads are split on the wrong axis: reshape to (batch, n, heads, d_head) first, then swap n and heads.": (
            "heads split wrongly"
        ),
        "Heads are interleaved: head 0 owns the first d_head channels, so reshape to (batch, n, heads, d_head).": (
            "heads interleaved"
        ),
        "Heads are joined on the wrong axis: swap n and heads back before you reshape to (batch, n, d_model).": (
            "heads joined wrongly"
        ),
        "The output projection is missing: out_proj mixes the heads.": "no output projection",
        "The scores are not divided by √d_head.": "unscaled",
        "The scores are divided by √d_model; each head has only d_head = d_model / n_heads channels.": (
            "scaled by d_model"
        ),
        "The scores are divided by d_head (or twice by its root); divide once by √d_head.": (
            "divided by the head's size"
        ),
        "The softmax is over the wrong axis: each query's weights must sum to 1, over the keys (the last axis).": (
            "wrong axis"
        ),
        "The mask is applied after the softmax, so weights no longer sum to 1; −∞ (or −1e9) in the scores before it.": (
            "mask after the softmax"
        ),
        "The causal mask is inverted: a query may see itself and earlier places.": "causal inverted",
        "The causal mask hides the own place; a query sees itself too.": "causal hides the own place",
        "The causal mask is ignored.": "causal ignored",
        "The padding mask is inverted: True marks padding, which nobody may look at.": "padding inverted",
        "The padding mask hides queries; it must hide keys: shape it (batch, 1, 1, n).": "padded queries",
        "The padding mask is ignored.": "padding ignored",
        # Before the next: on such a query the two are the same, and elsewhere only the next is wrong.
        "A query with nothing to look at gets equal weights on masked places; its weights must all be 0.": (
            "uniform"
        ),
        "Masked scores are set to 0 instead of −∞ (or −1e9): a score of 0 still gets weight.": (
            "zero instead of minus infinity"
        ),
        "A query with nothing to look at gives NaN: the softmax of a row of −∞. Its weights must all be 0.": (
            "NaN"
        ),
        "The weights are averaged over the heads; return one map a head: (batch, heads, n, n).": (
            "weights averaged"
        ),
    },
)
heads = hw.question(
    "2.4",
    "Multi-head attention with masks",
    minutes=30,
    difficulty="hard",
    entries=[
        Challenge(
            "MultiHeadAttention",
            cases=heads_cases,
            expected=torch_heads,
            mistakes=HEADS_MISTAKES,
            examples=heads_examples,
            atol=1e-5,
        ),
    ],
    forbids=ATTENTION_CALLS,
)
heads.check_cases("MultiHeadAttention", "equal to nn.MultiheadAttention", points=5, group="plain")
heads.check_cases("MultiHeadAttention", "the causal mask", points=3, group="causal")
heads.check_cases("MultiHeadAttention", "the padding mask", points=3, group="padding")
heads.check_cases("MultiHeadAttention", "no NaN where nothing can be seen", points=3, group="blind")
check_gradients(heads, "MultiHeadAttention", points=2)


# 2.5a -------------------------------------------------------------------------------------------------------


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
        probe="module",
        torch=True,
        **more,
    )


def norm_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Inputs of one, two and three axes; then rows whose variance is near eps or zero."""
    for shape in ((4, 6), (2, 3, 5), (7,), (1, 4)):
        yield norm_case(rng, shape, offset=2.0)
    yield norm_case(rng, (3, 4), scale=3e-3, group="eps", note="rows that hardly vary")
    yield norm_case(rng, (3, 4), eps=0.5, group="eps", note="eps = 0.5")
    yield norm_case(rng, (2, 4), scale=0.0, offset=3.0, group="eps", note="rows that are constant")
    yield norm_case(rng, (3, 4), want=["gradients"], group="gradients", note="one backward pass")


def norm_examples(rng: np.random.Generator) -> Iterator[Case]:
    """A batch, and rows that hardly vary."""
    yield norm_case(rng, (2, 3, 4), offset=2.0)
    yield norm_case(rng, (2, 3), scale=3e-3, want=["gradients"], note="rows that hardly vary")


layer_norm = hw.question(
    "2.5a",
    "Layer normalisation",
    minutes=10,
    difficulty="easy",
    entries=[
        Challenge(
            "LayerNorm",
            cases=norm_cases,
            expected=torch_norm,
            mistakes=mistakes(
                numpy_norm,
                {
                    "The eps of the constructor is not used.": "default eps",
                    "The variance is the unbiased one (divided by d − 1); layer norm divides by d: unbiased=False.": (
                        "unbiased"
                    ),
                    "eps is left out: without it a constant row divides by zero.": "no eps",
                    "eps is added to the standard deviation; it belongs under the root, beside the variance.": (
                        "eps outside"
                    ),
                    "The root is missing: divide by √(variance + eps).": "variance",
                    "The mean is taken over the wrong axis, the tokens; layer norm looks at one token's features: the last axis.": (
                        "over tokens"
                    ),
                    "One mean is taken over everything; layer norm looks at one token's features: the last axis.": (
                        "over everything"
                    ),
                    "One mean is taken over a whole sequence; layer norm looks at one token's features: the last axis.": (
                        "per sequence"
                    ),
                    "The mean is not subtracted (that is RMS norm).": "not centred",
                    "weight and bias are not used.": "no affine",
                    "bias is not used.": "no shift",
                    "bias is added before weight multiplies: first weight, then bias.": "shift first",
                },
            ),
            examples=norm_examples,
            atol=2e-5,  # float32 rows with an offset lose digits when the mean is subtracted
            rtol=5e-4,
        )
    ],
    forbids=NORM_CALLS,
)
layer_norm.check_cases("LayerNorm", "normalises each token's features", points=4)
layer_norm.check_cases("LayerNorm", "eps under the root", points=3, group="eps")
check_gradients(layer_norm, "LayerNorm", points=1)


# 2.5b -------------------------------------------------------------------------------------------------------


def feed_weights(rng: np.random.Generator, d: int, d_ff: int) -> dict[str, Floats]:
    """Weights of the feed-forward network by name."""
    return {
        "linear1.weight": normal(rng, d_ff, d),
        "linear1.bias": normal(rng, d_ff),
        "linear2.weight": normal(rng, d, d_ff),
        "linear2.bias": normal(rng, d),
    }


def feed_case(rng: np.random.Generator, b: int, n: int, d: int, d_ff: int, **more: Any) -> Case:
    """A case of 2.5b."""
    kwargs = {"init": {"d_model": d, "d_ff": d_ff}, "weights": feed_weights(rng, d, d_ff)} | (
        {"want": more.pop("want")} if "want" in more else {}
    )
    return Case(
        [normal(rng, b, n, d)],
        kwargs,
        note=f"a batch of {b}, n = {n}, d_model = {d}, d_ff = {d_ff}",
        probe="module",
        torch=True,
        **more,
    )


def feed_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Several sizes; enough hidden units that each works for some token."""
    for b, n, d, d_ff in ((2, 3, 4, 8), (1, 5, 3, 7), (3, 1, 6, 2)):
        yield feed_case(rng, b, n, d, d_ff)
    yield feed_case(rng, 3, 6, 4, 8, want=["gradients"], group="gradients")


forward = hw.question(
    "2.5b",
    "The position-wise feed-forward network",
    minutes=5,
    difficulty="easy",
    entries=[
        Challenge(
            "FeedForward",
            cases=feed_cases,
            expected=feed_forward,
            mistakes=mistakes(
                feed_forward,
                {
                    "The ReLU between the two linear layers is missing.": "linear",
                    "The ReLU comes after the second layer; it belongs between the two.": "relu last",
                    "There is a ReLU after the second layer too; only one, between the two, is asked for.": (
                        "relu twice"
                    ),
                    "That is a GELU; this question asks for ReLU, as the original Transformer has it.": (
                        "gelu"
                    ),
                    "That is a tanh; this question asks for ReLU.": "tanh",
                    "The input is added; the residual connection belongs to the block, not here.": "residual",
                },
            ),
            examples=lambda rng: [feed_case(rng, 1, 2, 3, 4, want=["gradients"])],
            atol=1e-5,
        )
    ],
)
forward.check_cases("FeedForward", "linear, ReLU, linear at each place", points=3)
check_gradients(forward, "FeedForward", points=1)


# 2.5c -------------------------------------------------------------------------------------------------------


def block_case(
    rng: np.random.Generator,
    b: int,
    n: int,
    d: int,
    h: int,
    d_ff: int,
    *,
    norm_first: bool,
    padding: Any = None,
    **more: Any,
) -> Case:
    """A case of 2.5c."""
    weights = {
        "self_attn.in_proj_weight": normal(rng, 3 * d, d, scale=0.7),
        "self_attn.in_proj_bias": normal(rng, 3 * d),
        "self_attn.out_proj.weight": normal(rng, d, d, scale=0.7),
        "self_attn.out_proj.bias": normal(rng, d),
        **feed_weights(rng, d, d_ff),
        **{f"norm{number}.{part}": normal(rng, d) for number in (1, 2) for part in ("weight", "bias")},
    }
    init = {"d_model": d, "n_heads": h, "d_ff": d_ff} | ({"norm_first": True} if norm_first else {})
    kwargs: dict[str, Any] = {"init": init, "weights": weights} | (
        {"want": more.pop("want")} if "want" in more else {}
    )
    note = (
        f"{'pre' if norm_first else 'post'}-norm, a batch of {b}, n = {n}, d_model = {d}, {h} heads, d_ff ="
        f" {d_ff}"
    )
    if padding is not None:
        kwargs["call"] = {"padding": np.array([np.arange(n) >= n - count for count in padding])}
        note += f", {padding} padded places"
    return Case([normal(rng, b, n, d)], kwargs, note=note, probe="module", torch=True, **more)


def block_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Both norms at several sizes, then padding, then gradients."""
    for norm_first, group in ((False, "post"), (True, "pre")):
        for b, n, d, h, d_ff in ((2, 4, 6, 2, 9), (1, 3, 4, 1, 5), (3, 1, 8, 4, 6)):
            yield block_case(rng, b, n, d, h, d_ff, norm_first=norm_first, group=group)
    for norm_first in (False, True):
        yield block_case(rng, 3, 5, 4, 2, 6, norm_first=norm_first, padding=[0, 2, 4], group="padding")
        yield block_case(rng, 3, 5, 4, 2, 6, norm_first=norm_first, want=["gradients"], group="gradients")


def block_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Post-norm, pre-norm, padding."""
    yield block_case(rng, 1, 2, 4, 2, 3, norm_first=False)
    yield block_case(rng, 1, 2, 4, 2, 3, norm_first=True, want=["gradients"])
    yield block_case(rng, 2, 3, 4, 2, 3, norm_first=False, padding=[0, 1])


block = hw.question(
    "2.5c",
    "The encoder block, post-norm and pre-norm",
    minutes=20,
    difficulty="hard",
    entries=[
        Challenge(
            "EncoderBlock",
            cases=block_cases,
            expected=torch_block,
            mistakes=mistakes(
                numpy_block,
                {
                    "Pre-norm and post-norm are exchanged: post-norm (norm_first=False) normalises after adding, pre-norm normalises what goes into the sublayer.": (
                        "other norm"
                    ),
                    "Both residual connections are missing: each sublayer's result is added to its input.": (
                        "no residual"
                    ),
                    "The residual connection around the attention is missing.": "no residual 1",
                    "The residual connection around the feed-forward network is missing.": "no residual 2",
                    "Pre-norm: the normalised input is added back; add the input itself.": (
                        "residual of the normed"
                    ),
                    "Pre-norm: around the attention the normalised input is added back; add the input itself.": (
                        "residual of the normed 1"
                    ),
                    "Pre-norm: around the feed-forward network the normalised input is added back; add the input itself.": (
                        "residual of the normed 2"
                    ),
                    "Post-norm: the sublayer's result alone is normalised; add the input first, then normalise the sum.": (
                        "norm before adding"
                    ),
                    "norm1 is used twice; each sublayer has its own norm.": "one norm",
                    "norm1 and norm2 are exchanged.": "norms swapped",
                    "The layer norms are missing.": "no norm",
                    "The feed-forward network comes first; the attention comes first.": "feed-forward first",
                    "The feed-forward sublayer is missing.": "no feed-forward",
                    "The feed-forward network uses GELU; ReLU is asked for.": "gelu",
                    "The ReLU of the feed-forward network is missing.": "linear",
                    "The padding mask is ignored: pass it on as key_padding_mask.": "padding ignored",
                    "The padding mask is inverted: True marks padding.": "padding inverted",
                },
            ),
            examples=block_examples,
            atol=2e-5,
            rtol=5e-4,
        )
    ],
    forbids=("TransformerEncoderLayer", "TransformerEncoder", "Transformer", "TransformerDecoderLayer"),
)
block.check_cases("EncoderBlock", "post-norm equals nn.TransformerEncoderLayer", points=5, group="post")
block.check_cases("EncoderBlock", "pre-norm equals nn.TransformerEncoderLayer", points=5, group="pre")
block.check_cases("EncoderBlock", "padding is hidden", points=2, group="padding")
check_gradients(block, "EncoderBlock", points=2)


# 2.6 --------------------------------------------------------------------------------------------------------


def step_case(rng: np.random.Generator, count: int, batch: int, n: int, symbols: int) -> Case:
    """A case of ``train_step``: so many steps, each on a batch of its own."""
    batches = [rng.integers(symbols, size=(batch, n)) for _ in range(count)]
    kwargs = {"table": normal(rng, symbols, symbols), "places": normal(rng, n + 1, symbols), "lr": 0.5}
    note = f"{count} steps of SGD on a toy model (output 1: the losses; 2 and 3: its parameters afterwards)"
    return Case(batches, kwargs, note=note, probe="steps", torch=True)


def step_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Two or three steps each, so that gradients left over from the step before show."""
    for count, batch, n in ((2, 3, 4), (3, 4, 5), (2, 1, 3)):
        yield step_case(rng, count, batch, n, symbols=6)


def attention_maps(rng: np.random.Generator) -> Iterator[Case]:
    """Batches of attention maps; rows sum to 1."""
    for batch, n in ((1, 3), (4, 5), (3, 2)):
        yield Case(
            [softmax(rng.normal(size=(batch, n, n))).astype(np.float32)],
            note=f"{batch} maps of {n} × {n}",
            torch=True,
        )


REVERSE: dict[str, tuple[int | str, ...]] = {
    "E": (public.SYMBOLS, "d"),
    "pos": (public.PLACES, "d"),
    "Q": ("d", "qk"),
    "K": ("d", "qk"),
    "V": ("d", "v"),
    "U": ("v", public.SYMBOLS),
}
reverse = hw.question(
    "2.6",
    "Train a model that reverses sequences",
    minutes=15,
    difficulty="medium",
    # grading does not train: the weights come from the student's log and are judged by what they do
    claimed=True,
    entries=[
        Challenge(
            "train_step",
            cases=step_cases,
            expected=steps,
            mistakes=mistakes(
                steps,
                {
                    "Gradients of the step before are still there: call optimizer.zero_grad() before loss.backward().": (
                        "accumulated"
                    ),
                    "The parameters do not change: optimizer.step() is missing.": "no step",
                    "The target is the sequence itself; it must be reversed along the places.": (
                        "not reversed"
                    ),
                    "The batch is reversed instead of the places: flip axis 1.": "batch reversed",
                    "cross_entropy wants raw logits; a softmax before it flattens the loss.": "softmax twice",
                    "The loss is summed; take the mean over all places of the batch.": "sum",
                    "The logits are reshaped, not transposed: classes and places are mixed up. Flatten (batch, n) together instead.": (
                        "wrong axis"
                    ),
                },
            ),
            examples=lambda rng: [step_case(rng, 2, 2, 3, symbols=3)],
            atol=1e-5,
        ),
        Challenge(
            "antidiagonal_weight",
            cases=attention_maps,
            expected=antidiagonal,
            mistakes={
                "That is the main diagonal; the anti-diagonal runs from the top right to the bottom left.": (
                    lambda weights: np.asarray(np.mean(np.diagonal(weights, axis1=1, axis2=2)))
                ),
                "That is a sum; take the mean over queries and over the batch.": lambda weights: (
                    antidiagonal(weights) * weights[..., 0].size
                ),
                "Queries are added up; take the mean over them too.": lambda weights: (
                    antidiagonal(weights) * weights.shape[1]
                ),
                "That is the mean over all entries; only the anti-diagonal counts.": lambda weights: (
                    np.asarray(np.mean(weights))
                ),
                "That is the smallest weight; take the mean.": lambda weights: np.asarray(
                    np.diagonal(weights[:, :, ::-1], axis1=1, axis2=2).min()
                ),
            },
            atol=1e-5,
        ),
        *(Array(f"reverse_{name}", shape) for name, shape in REVERSE.items()),
        Array("trained_antidiagonal"),
    ],
)
RECORDED = [f"reverse_{name}" for name in REVERSE]
reverse.check_cases("train_step", "one training step", points=4)
reverse.check_cases("antidiagonal_weight", "the weight on the anti-diagonal", points=2)


@reverse.check("the trained model reverses", points=3, needs=RECORDED)
def _(answer: Answer) -> Wrong | None:
    tokens = np.random.default_rng(260).integers(
        public.SYMBOLS, size=(1000, public.PLACES)
    )  # other sequences than the notebook's
    weights = {name: answer[f"reverse_{name}"] for name in REVERSE}
    share, shown = public.reverse_accuracy(weights, tokens), reverse_map(weights, tokens[0])
    if share >= 0.99:  # training reaches 100% after some 200 of its 400 steps; guessing reaches 10%
        return None
    told = (
        f"The recorded weights put the right token at {share:.1%} of the places of 1,000 sequences; training"
        " reaches 100%."
    )
    if share < 0.3:
        return Wrong(
            f"{told} Did the training cell finish before you recorded, and does train_step reverse the"
            " target?",
            evidence=shown,
        )
    return Wrong(f"{told} Did the training stop too early?", evidence=shown)


def reverse_map(weights: dict[str, np.ndarray], tokens: np.ndarray) -> dict[str, Any]:
    """The attention map of 2.6's recorded model on one sequence (n,)."""
    labels = [f"{place}: {token}" for place, token in enumerate(tokens)]
    return attention(
        "Attention of your recorded model on one sequence",
        labels,
        {"": public.reverse_outputs(weights, tokens[None])[1][0]},
    )


@reverse.check("the claim about the figure", points=2, needs=[*RECORDED, "trained_antidiagonal"])
def _(answer: Answer) -> Wrong | None:
    model = {name: answer[f"reverse_{name}"] for name in REVERSE}
    _, weights = public.reverse_outputs(model, public.PROBE_SEQUENCES)
    found, expected = float(answer["trained_antidiagonal"]), float(antidiagonal(weights))
    if np.isclose(found, expected, rtol=1e-3, atol=1e-3):
        return None
    shown = reverse_map(model, public.PROBE_SEQUENCES[0])
    if np.isclose(found, float(np.diagonal(weights, axis1=1, axis2=2).mean()), rtol=1e-3, atol=1e-3):
        return Wrong(
            f"`trained_antidiagonal` is {found:.4g}, the mean weight on the main diagonal.", evidence=shown
        )
    return Wrong(
        f"`trained_antidiagonal` is {found:.4g}, but the recorded weights give {expected:.4g} on"
        " `probe_sequences`: the mean over all 200 sequences and 8 queries. Was the model trained again"
        " after you computed it?",
        evidence=shown,
    )


# 2.7 --------------------------------------------------------------------------------------------------------

JOBS = {
    "A": "mixes information between places, with weights that depend on their content",
    "B": "transforms each place by itself, with a nonlinearity",
    "C": "keeps the size of each token's activations in range, whatever the layers before did",
    "D": "lets one layer look at several places for different reasons at the same time",
    "E": "tells places apart, which otherwise would be a set without order",
}
OWNERS = {
    "A": "self-attention",
    "B": "the feed-forward network",
    "C": "layer norm",
    "D": "having several heads",
    "E": "positional encoding",
}


def job(name: str, correct: str) -> Choice:
    """One item to match with its job."""
    why = {
        letter: f"that is the job of {owner}; this part {JOBS[correct]}."
        for letter, owner in OWNERS.items()
        if letter != correct
    }
    return Choice(name, JOBS, correct, why, 1)


compared = hw.question(
    "2.7",
    "Transformers and recurrent networks",
    minutes=15,
    difficulty="medium",
    entries=[
        job("job_self_attention", "A"),
        job("job_heads", "D"),
        job("job_feed_forward", "B"),
        job("job_layer_norm", "C"),
        Choice(
            "path_length",
            options={
                "A": "RNN: about 100; self-attention layer: 1",
                "B": "RNN: 1; self-attention layer: about 100",
                "C": "both about 100",
                "D": "RNN: about 100; self-attention layer: about 10,000, one for each pair",
            },
            correct="A",
            why={
                "B": (
                    "it is the other way round: the RNN's state walks through every step, attention looks at"
                    " all places directly."
                ),
                "C": "attention has a direct connection between any two places, so its path is 1.",
                "D": (
                    "10,000 pairs is the amount of work; all pairs are computed side by side, so the path"
                    " is 1."
                ),
            },
            points=2,
        ),
        Choice(
            "training_parallel",
            options={
                "A": "because a Transformer has fewer parameters",
                "B": (
                    "because attention needs fewer multiplications than a recurrence for every sequence"
                    " length"
                ),
                "C": (
                    "because with known targets no place has to wait for another place's result; a recurrence"
                    " must go step by step"
                ),
                "D": "because it predicts all tokens of a new text at once when it generates",
            },
            correct="C",
            why={
                "A": (
                    "the number of parameters says nothing about what can run side by side, and Transformers"
                    " usually have more."
                ),
                "B": (
                    "attention needs of the order of n²·d multiplications, a recurrence n·d²: for long"
                    " sequences attention needs more."
                ),
                "D": (
                    "generation goes token by token in a Transformer too; the gain is in training, where all"
                    " targets are known."
                ),
            },
            points=2,
        ),
    ],
    written=Written(
        points=8,
        words=(80, 180),
        rubric={
            "How information travels: a state handed on step by step (bottleneck, long paths) against direct access to all places": (
                2
            ),
            "What self-attention contributes in encoder and decoder (masked there; cross-attention replaces the single context vector)": (
                2
            ),
            "Parallel training against sequential computation, and the quadratic price in the length": 2,
            "Order: built into the recurrence, but must be added as positions in a Transformer": 2,
        },
        examples={
            "full": (
                "A recurrent seq2seq model reads tokens one after another and hands a fixed-size state on;"
                " what the decoder gets of the first word has passed through every later step, so it fades,"
                " and steps cannot run side by side. In a Transformer every place looks at every place"
                " directly: the encoder's self-attention builds a vector for each token from the whole"
                " sentence, the decoder's masked self-attention does so for what is already written, and"
                " cross-attention looks back at all encoder tokens instead of one summary. With known targets"
                " all places train in parallel. The price is n² scores. A recurrence knows order by"
                " construction; attention treats its input as a set, so positions must be added."
            ),
            "half": (
                "RNNs process the words one after the other and forget long-range context, while a"
                " Transformer looks at all words at once with self-attention, which makes training parallel"
                " and fast, although attention over n words costs n² scores."
            ),
            "none": (
                "Transformers are newer and larger than RNNs and therefore more accurate. They are used in"
                " chatbots."
            ),
        },
    ),
)
