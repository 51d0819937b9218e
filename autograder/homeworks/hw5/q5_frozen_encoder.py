"""5.5: a frozen encoder with a GRU on top, and its parameters counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from autograder.declare import Array, Case, Challenge, Wrong
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.common import (
    COLUMN,
    PROBABILITY,
    Weights,
    cases_check,
    flag_check,
    sigmoid,
    token_batch,
    variants,
)
from autograder.homeworks.hw5.homework import hw
from autograder.kit.shared.encoders import BERT_BASE, EncoderConfig, stand_in_encoder


def gru_sizes(d: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a 2-layer bidirectional torch GRU over d features, and of the linear output."""
    sizes: dict[str, tuple[int, ...]] = {}
    for layer, width in enumerate((d, 2 * hidden)):
        for end in ("", "_reverse"):
            sizes[f"gru.weight_ih_l{layer}{end}"] = (3 * hidden, width)
            sizes[f"gru.weight_hh_l{layer}{end}"] = (3 * hidden, hidden)
            sizes[f"gru.bias_ih_l{layer}{end}"] = sizes[f"gru.bias_hh_l{layer}{end}"] = (3 * hidden,)
    return sizes | {"output.weight": (1, 2 * hidden), "output.bias": (1,)}


def encoder_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Batches of unequal lengths over stand-in encoders with other weights and GRUs of other sizes."""
    for rows, n, hidden in ((3, 5, 4), (4, 8, 6), (5, 12, 4)):
        ids, mask = (
            part[::-1].copy() for part in token_batch(rng, rows, n, 64)
        )  # the longest sentence is not first
        weights = {
            name: (0.6 * rng.normal(size=shape)).astype(np.float32)
            for name, shape in gru_sizes(16, hidden).items()
        }
        labels = (np.arange(rows) % 2).astype(np.float32)
        options = {"seed": int(rng.integers(1_000_000)), "hidden": hidden, "weights": weights}
        yield Case(
            [ids, mask, labels],
            options,
            f"{rows} sentences of up to {n} tokens, hidden={hidden}",
            probe="frozen_encoder",
            torch=True,
        )


def encoded_logits(
    ids: np.ndarray,
    mask: np.ndarray,
    labels: np.ndarray,
    seed: int,
    hidden: int,
    weights: Weights,
    variant: str = "",
) -> np.ndarray:
    """The stand-in encoder, then a GRU by its equations over the real tokens, and the linear map."""
    import torch

    encoder = stand_in_encoder(seed).double()
    w = {name: np.asarray(value, float) for name, value in weights.items()}
    given = {"unmasked": np.ones_like(mask), "inverted": ~mask}.get(variant, mask)
    with torch.no_grad():
        states = encoder(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(given.astype(np.int64))
        ).last_hidden_state.numpy()
    tops = []
    for row, keep in zip(states, mask, strict=True):
        x = row if variant in ("padding read", "last place") else row[keep]
        for layer in range(1 if variant == "first layer" else 2):
            ahead = gru_states(x, w, f"_l{layer}", hidden)
            back = gru_states(x[::-1], w, f"_l{layer}_reverse", hidden)[::-1]
            x = np.concatenate([ahead, back], axis=1)
        last = np.concatenate([x[-1, :hidden], x[0, hidden:]])
        last = {
            "last output": x[-1],
            "last place": x[-1],
            "swapped": np.roll(last, hidden),
            "mean": x.mean(0),
            "first place": x[0],
            "forward twice": np.tile(last[:hidden], 2),
        }.get(variant, last)
        tops.append(last)
    read = np.array(tops)
    if variant == "reshaped":
        read = np.concatenate([read[:, :hidden], read[:, hidden:]]).reshape(len(read), -1)
    found = read @ w["output.weight"][0] + w["output.bias"][0]
    return sigmoid(found) if variant == "probability" else found[:, None] if variant == "column" else found


def gru_states(x: np.ndarray, w: Weights, end: str, hidden: int) -> np.ndarray:
    """A GRU by its equations (torch's documentation): x (n, d) → states (n, hidden)."""
    state, states = np.zeros(hidden), []
    for row in x:
        a = w[f"gru.weight_ih{end}"] @ row + w[f"gru.bias_ih{end}"]
        b = w[f"gru.weight_hh{end}"] @ state + w[f"gru.bias_hh{end}"]
        r, z = sigmoid(a[:hidden] + b[:hidden]), sigmoid(a[hidden : 2 * hidden] + b[hidden : 2 * hidden])
        new = np.tanh(a[2 * hidden :] + r * b[2 * hidden :])
        state = (1 - z) * new + z * state
        states.append(state)
    return np.array(states)


frozen = hw.question(
    "5.5",
    "A frozen encoder with a GRU on top",
    minutes=32,
    difficulty="hard",
    asks={
        "logits from the final states of both directions": "logits",
        "dropout between the GRU's layers and before `output`": "logits",
        "the mask reaches the encoder": "the attention mask is passed on",
        "the GRU stops at the last real token": "the same logit alone and in a batch",
        "encoder frozen, and in eval mode even after train()": "the encoder is frozen and stays in eval mode",
        "only gru and output learn": "only GRU and linear learn",
        "both counts on BERT-base": [
            "total parameters with BERT-base",
            "trainable parameters with BERT-base",
        ],
    },
    topic="frozen encoder, recurrent head",
    entries=[
        Challenge(
            "FrozenEncoderGRU",
            cases=encoder_cases,
            examples=lambda rng: list(encoder_cases(rng))[:1],
            expected=encoded_logits,
            mistakes=variants(
                encoded_logits,
                {
                    "unmasked": (
                        "The encoder was not given the attention mask: real tokens attend to padding."
                    ),
                    "inverted": "The attention mask is inverted: it must be 1 at real tokens.",
                    "padding read": (
                        "The GRU also reads the padding: pack the states (pack_padded_sequence) so that it"
                        " stops at the last real token."
                    ),
                    "last output": (
                        "You take the outputs at the last place; the backward direction has only read one"
                        " token there. Take h_n of both directions."
                    ),
                    "last place": (
                        "You take the outputs at the last place of the padded batch. Pack the states, and"
                        " take h_n of both directions."
                    ),
                    "reshaped": (
                        "h_n[-2:] has the axes (direction, batch, hidden); a reshape to (batch, ·) mixes"
                        " sentences. Take torch.cat([h_n[-2], h_n[-1]], dim=1)."
                    ),
                    "first layer": (
                        "These are the first layer's states, h_n[0] and h_n[1]; take the top layer's,"
                        " h_n[-2] and h_n[-1]."
                    ),
                    "first place": (
                        "You take the outputs at the first place; the forward direction has only read one"
                        " token there. Take h_n of both directions."
                    ),
                    "mean": "You take the mean of the outputs; take the final states h_n of both directions.",
                    "forward twice": "The forward state is in both places; the second must be h_n[-1].",
                    "swapped": (
                        "The directions are swapped: forward (h_n[-2]) first, then backward (h_n[-1])."
                    ),
                    "probability": PROBABILITY,
                    "column": COLUMN,
                },
            ),
            rtol=1e-3,
            atol=1e-4,  # float32 through layer norms and two GRU layers
        ),
        Array("bert_total"),
        Array("bert_trainable"),
    ],
)

cases_check(frozen, "FrozenEncoderGRU", "logits", 3, public.dropout_problem)
flag_check(frozen, "FrozenEncoderGRU", "the attention mask is passed on", 2, public.mask_problem)
flag_check(frozen, "FrozenEncoderGRU", "the same logit alone and in a batch", 1, public.batch_problem)
flag_check(
    frozen, "FrozenEncoderGRU", "the encoder is frozen and stays in eval mode", 2, public.frozen_problem
)
flag_check(frozen, "FrozenEncoderGRU", "only GRU and linear learn", 1, public.learning_problem)


def count_problem(name: str, found: float, right: int, known: Mapping[int, str]) -> Wrong | None:
    """Whether a whole number is exact; names the slips that lead to other numbers."""
    if found == right:
        return None
    advice = known.get(int(found), "Count with p.numel() over the parameters.")
    if found != round(found):
        return Wrong(f"`{name}` is {found:,g}; give the exact number of parameters, a whole number.")
    return Wrong(f"`{name}` is {found:,.0f}, off by {found - right:+,.0f}. {advice}")


def encoder_parameters(c: EncoderConfig = BERT_BASE) -> int:
    """BERT's parameters by formula: embeddings, layers, pooler."""
    d, wide = c.hidden_size, c.intermediate_size
    embeddings = (c.vocab_size + c.max_position_embeddings + c.type_vocab_size) * d + 2 * d
    layer = 4 * (d * d + d) + (d * wide + wide) + (wide * d + d) + 2 * 2 * d
    return embeddings + c.num_hidden_layers * layer + (d * d + d)


def head_parameters(d: int, hidden: int) -> int:
    """Parameters of GRU and linear output by formula."""
    return sum(int(np.prod(shape)) for shape in gru_sizes(d, hidden).values())


BERT_HEAD = head_parameters(768, 256)
BERT_TOTAL = encoder_parameters() + BERT_HEAD
POOLER, ONE_WAY = (
    768 * 768 + 768,
    sum(int(np.prod(shape)) for name, shape in gru_sizes(768, 256).items() if "_reverse" in name),
)
NARROW = 3 * 256 * 256  # the second layer of a GRU of one direction reads 256 numbers, not 512


@frozen.check("total parameters with BERT-base", points=1, needs=["bert_total"])
def all_parameters_are_counted(bert_total: np.ndarray) -> Wrong | None:
    """Compares the count with the formula for encoder and head."""
    slips = {
        BERT_TOTAL - BERT_HEAD: "That is the encoder alone, without GRU and linear head.",
        BERT_HEAD: "These are the trainable parameters, without the encoder.",
        BERT_TOTAL - POOLER: (
            "You left out the pooler. It belongs to the encoder, although this model does not use it."
        ),
        BERT_TOTAL - 256: "`output` reads both directions, 2·256 numbers.",
        BERT_TOTAL - ONE_WAY - NARROW - 256: "That is a GRU of one direction.",
        BERT_TOTAL - ONE_WAY: "That is a GRU of one direction.",
        BERT_TOTAL - ONE_WAY - NARROW: "That is a GRU of one direction.",
    }
    return count_problem("bert_total", float(bert_total), BERT_TOTAL, slips)


@frozen.check("trainable parameters with BERT-base", points=1, needs=["bert_trainable"])
def trainable_parameters_are_counted(bert_trainable: np.ndarray) -> Wrong | None:
    """Compares the count with the formula for the head alone."""
    slips = {
        BERT_TOTAL: "That is the number of all parameters: is the encoder frozen with requires_grad_(False)?",
        BERT_HEAD - 513: "That is the GRU without the linear head.",
        BERT_HEAD - 256: "`output` reads both directions, 2·256 numbers.",
        BERT_HEAD - ONE_WAY - NARROW - 256: "That is a GRU of one direction.",
        BERT_HEAD - ONE_WAY: "That is a GRU of one direction.",
        BERT_HEAD - ONE_WAY - NARROW: "That is a GRU of one direction.",
        BERT_HEAD + POOLER: "The pooler belongs to the frozen encoder.",
        head_parameters(16, 256): (
            "That is the head on the 16-dimensional stand-in; BERT-base has 768 features."
        ),
    }
    return count_problem("bert_trainable", float(bert_trainable), BERT_HEAD, slips)
