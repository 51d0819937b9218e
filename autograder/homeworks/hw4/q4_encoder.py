"""4.4: multi-head self-attention, and the pre-norm block around it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from autograder.declare import Challenge, drawn_as_heads
from autograder.homeworks.hw4.cases import attention_example, attention_inputs, block_inputs
from autograder.homeworks.hw4.common import ALWAYS_BOTH, BLOCK_CALLS, FLOAT32_ATOL, named_mistakes
from autograder.homeworks.hw4.homework import hw
from autograder.homeworks.hw4.transformer import attend, encoder


def attention_output(
    x: np.ndarray, init: Any = None, weights: Any = None, call: Any = None, mistake: str = "", **_: Any
) -> Any:
    """What the module of 4.4a returns."""
    output, maps = attend(x, weights, init["heads"], mistake)
    both = mistake == "always both" or (call and call.get("return_weights"))
    return [output, maps] if both else output


def block_output(
    x: np.ndarray, init: Any = None, weights: Any = None, call: Any = None, mistake: str = "", **_: Any
) -> Any:
    """What the module of 4.4b returns."""
    output, maps = encoder(x, weights, init["heads"], mistake)
    both = mistake == "always both" or (call and call.get("return_weights"))
    return [output, maps] if both else output


def first_sequence(result: Any) -> Any:
    """The maps (head, query, key) of the first sequence out of ``[output, weights]``."""
    if not isinstance(result, list):
        raise TypeError("no attention weights")
    return result[1][0]


ATTENTION_CALLS = (
    "scaled_dot_product_attention",
    "MultiheadAttention",
    "multi_head_attention_forward",
    "TransformerEncoderLayer",
)
RESHAPED = (
    "Reshape (b, n, dim) to (b, n, heads, d) first, then move the heads: reshaping to (b, heads, n, d) at"
    " once mixes tokens."
)

HEADS_ATTEND = (
    "The heads of one token attend to each other: move the heads before n (transpose(1, 2)), so that q @ kᵀ"
    " compares tokens."
)
FUSED = "Queries come first, then keys, then values."

self_attention = hw.question(
    "4.4a",
    "Multi-head self-attention",
    topic="self-attention and pre-norm block in PyTorch",
    minutes=18,
    difficulty="medium",
    asks={
        "multi-head self-attention, without torch's own": "equals multi-head attention with injected weights",
        "scores of about 1,000 do not overflow": "equals multi-head attention with injected weights",
        "weights (batch, heads, n, n) on demand": "returns the attention weights on demand",
    },
    forbids=ATTENTION_CALLS,
    entries=[
        Challenge(
            "MultiHeadSelfAttention",
            cases=attention_inputs,
            examples=attention_example,
            expected=attention_output,
            mistakes=named_mistakes(
                attention_output,
                {
                    "naive": (
                        "e^score has overflowed: use torch.softmax, or subtract each row's largest score"
                        " before the exponential."
                    ),
                    "no softmax": "These are the scores themselves: the softmax is missing.",
                    "sigmoid": (
                        "That is a sigmoid of each score; a softmax takes exponentials and divides by"
                        " their sum."
                    ),
                    "relu": (
                        "The weights are relu(score); a softmax takes exponentials and divides by their sum."
                    ),
                    "clipped": (
                        "The scores are clipped before the softmax; subtract each row's largest score"
                        " instead."
                    ),
                    "query as key": "Queries and keys come from one map (query, …); each has its own.",
                    "key as query": "Queries and keys come from one map (key, …); each has its own.",
                    "no scale": "The scores are not scaled: divide by √(dim / heads).",
                    "scale of dim": (
                        "You divided by √dim. Each head works with dim / heads features, so divide by √(dim /"
                        " heads)."
                    ),
                    "scale without root": "You divided by dim / heads; take its square root.",
                    "scale of heads": (
                        "You divided by the root of the number of heads; divide by that of the features of"
                        " one head, √(dim / heads)."
                    ),
                    "scale of tokens": (
                        "You divided by the root of the number of tokens; divide by that of the features of"
                        " one head, √(dim / heads)."
                    ),
                    "scaled up": "You multiplied by √(dim / heads); divide by it.",
                    "scaled after": (
                        "The scale comes after the softmax, so the rows no longer sum to 1. Divide the scores"
                        " before it."
                    ),
                    "swapped": (
                        "Queries and keys are swapped: row i must contain the scores of query i with all"
                        " keys."
                    ),
                    "key, value, query": f"{FUSED} Yours are in the order key, value, query.",
                    "value, key, query": f"{FUSED} Queries and values are swapped.",
                    "query, value, key": f"{FUSED} Keys and values are swapped.",
                    "keys as values": "You use the keys as values; use the map `value` for the values.",
                    "split by heads": (
                        "The outputs of `qkv` are distributed to the heads before they are split into"
                        " queries, keys and values. Split into the three first (chunk(3, dim=-1)), then into"
                        " heads."
                    ),
                    "weights turned": (
                        "The weights are right, but they are transposed before they multiply the values: row"
                        " i belongs to query i, so take weights @ v."
                    ),
                    "maps turned": (
                        "The second result is the weights, but transposed: row i must belong to query i."
                    ),
                    "heads attend": HEADS_ATTEND,
                    "heads attend, turned": f"{HEADS_ATTEND} You transpose only on the way back.",
                    "norm inside": ("The input is normalized first. The norm belongs to the block, in 4.4b."),
                    "no values": "The values are the tokens themselves: the map `value` is not used.",
                    "always both": ALWAYS_BOTH,
                    "causal": (
                        "Later tokens are masked, as in a decoder. An image has no later part: every token"
                        " attends to all tokens."
                    ),
                    "residual inside": (
                        "The input is added to the output. The residual belongs to the block, in 4.4b."
                    ),
                    "scores": (
                        "The second result is the scores before the softmax; return the weights after it."
                    ),
                    "queries": (
                        "The softmax is over the queries; each row must sum to 1 over the keys (dim=-1)."
                    ),
                    "whole map": (
                        "The softmax is over the whole map; each row must sum to 1 over the keys (dim=-1)."
                    ),
                    "interleaved": (
                        "The features are distributed to the heads one by one; head 0 must get the first dim"
                        " / heads features."
                    ),
                    "interleaved twice": (
                        "The features are distributed to the heads one by one, and merged in that way; head 0"
                        " must get the first dim / heads features."
                    ),
                    "reshaped": RESHAPED,
                    "reshaped twice": f"{RESHAPED} The way back has the same mistake.",
                    "over heads": (
                        "The softmax is over the heads; each row must sum to 1 over the keys (dim=-1)."
                    ),
                    "heads not merged": (
                        "The heads are not merged correctly: transpose back to (batch, n, heads, d) before"
                        " you reshape."
                    ),
                    "no output map": "The output map `out` is missing.",
                    "output map twice": "The output map `out` is applied twice.",
                    "one head": "All features are in one head: split them into `heads` groups first.",
                    "one head, scaled": (
                        "All features are in one head: split them into `heads` groups before you multiply."
                    ),
                },
            ),
            atol=FLOAT32_ATOL,
            picture=drawn_as_heads("Your attention weights of the first sequence", first_sequence),
        )
    ],
)
self_attention.check_cases(
    "MultiHeadSelfAttention", "equals multi-head attention with injected weights", points=5
)
self_attention.check_cases(
    "MultiHeadSelfAttention", "returns the attention weights on demand", points=2, group="weights"
)

block = hw.question(
    "4.4b",
    "The encoder block",
    minutes=15,
    difficulty="medium",
    asks={
        "the pre-norm block, without torch's own": "equals a pre-norm block with injected weights",
        "weights on demand": "hands the attention weights on",
    },
    forbids=BLOCK_CALLS,
    entries=[
        Challenge(
            "EncoderBlock",
            cases=block_inputs,
            examples=partial(block_inputs, sizes=((2, 3, 4, 2, 6),)),
            expected=block_output,
            mistakes=named_mistakes(
                block_output,
                {
                    "always both": ALWAYS_BOTH,
                    "post-norm": (
                        "That is post-norm, as in the original Transformer. Here each half reads a normalized"
                        " copy of x, and x is kept."
                    ),
                    "no norms": "Both norms are missing: each half reads a normalized copy of x.",
                    "no residuals": "Both residuals are missing: each half adds its output to x.",
                    "mlp first": "The MLP comes first; attention comes first.",
                    "norm at the end": (
                        "`norm2` is applied again at the end of the block; the output must not be normalized."
                    ),
                    "no norm1": "`norm1` is missing: attention must read norm1(x).",
                    "no norm2": "`norm2` is missing: the MLP must read norm2(x).",
                    "norm1 twice": "The second half uses `norm1` again; it has its own norm, `norm2`.",
                    "no residual 1": "The first residual is missing: x = x + attention(norm1(x)).",
                    "no residual 2": "The second residual is missing: x = x + mlp(norm2(x)).",
                    "residual of the norm": (
                        "You add to the normalized x. Add to x itself; only attention and the MLP read the"
                        " normalized x."
                    ),
                    "first residual again": (
                        "The second half adds its output to the block's input, so the output of attention is"
                        " lost. Add it to x after attention has changed x."
                    ),
                    "side by side": (
                        "Both halves read the block's input. The second must read the result of the first:"
                        " norm2 of the new x."
                    ),
                    "norm of the branch": (
                        "You normalize the outputs of attention and MLP. Normalize their inputs:"
                        " attention(norm1(x)), mlp(norm2(x))."
                    ),
                    "norms swapped": "The two norms are swapped: `norm1` comes before attention.",
                    "activation last": (
                        "The activation comes after the second linear map; it belongs between the two."
                    ),
                    "attention alone": (
                        "The MLP reads only the output of attention. Add that output to x first (x = x +"
                        " attended); norm2 reads that sum, and the second half is added to it."
                    ),
                    "tanh": "Your GELU is the tanh approximation; use nn.GELU() with its defaults.",
                    **{
                        mistake: f"The MLP's activation is {name}; the question asks for GELU."
                        for mistake, name in {
                            "relu": "ReLU",
                            "silu": "SiLU",
                            "leaky": "LeakyReLU",
                            "hyperbolic tangent": "tanh",
                            "sigmoid": "a sigmoid",
                        }.items()
                    },
                    "activation twice": (
                        "A second GELU follows the second linear map; keep only the one before it."
                    ),
                    "attention twice": "Attention is applied twice before the MLP; apply it once.",
                    "attention added twice": "The output of attention is added twice; add it once.",
                    "no activation": "The MLP has no activation between its two linear maps.",
                },
            ),
            atol=FLOAT32_ATOL,
            picture=drawn_as_heads("Attention weights of your block for the first sequence", first_sequence),
        )
    ],
)
block.check_cases("EncoderBlock", "equals a pre-norm block with injected weights", points=5)
block.check_cases("EncoderBlock", "hands the attention weights on", points=1, group="weights")
