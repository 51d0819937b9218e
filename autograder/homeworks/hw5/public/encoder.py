"""The pretrained encoder of 5.5: its architecture, its weights, and three models trained alike (5.5b).

A small Transformer encoder over the given word vectors. ``solutions/train_hw5_encoder.py`` distilled it from
MiniLM on the training sentences, without their labels. Its interface is that of transformers' ``BertModel``,
as far as 5.5 uses it.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from autograder.homeworks.hw5.public.sentences import data_bytes

ENCODER = "movie_encoder_fp16.npz"
ENCODER_SHA256 = "e7854a9894f7d69f70b420ec8356125786f2f334d007d04f0e1c4d4c840adacd"


@dataclass(frozen=True)
class WordEncoderConfig:
    """Sizes of the pretrained encoder."""

    word_size: int = 50
    hidden_size: int = 128
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    intermediate_size: int = 256
    max_position_embeddings: int = 128
    hidden_dropout_prob: float = 0.1


class WordEncoderOutput(NamedTuple):
    """last_hidden_state (batch, n, hidden_size)."""

    last_hidden_state: Any


def make_word_encoder(table: Any, config: WordEncoderConfig | None = None) -> Any:
    """A new encoder with random weights over the rows of ``table`` (n_words, word_size), which it copies."""
    import torch
    from torch import nn

    sizes = config or WordEncoderConfig()

    class WordEncoder(nn.Module):  # here, so that the kit can be imported without torch
        def __init__(self) -> None:
            super().__init__()
            self.config, d = sizes, sizes.hidden_size
            self.words = nn.Embedding.from_pretrained(torch.as_tensor(table), freeze=True)
            self.widen = nn.Linear(sizes.word_size, d)
            self.places = nn.Embedding(sizes.max_position_embeddings, d)
            self.norm = nn.LayerNorm(d)
            self.dropout = nn.Dropout(sizes.hidden_dropout_prob)
            layer = nn.TransformerEncoderLayer(
                d,
                sizes.num_attention_heads,
                sizes.intermediate_size,
                sizes.hidden_dropout_prob,
                activation="gelu",
                batch_first=True,
            )
            self.layers = nn.TransformerEncoder(layer, sizes.num_hidden_layers, enable_nested_tensor=False)

        def forward(self, input_ids: Any, attention_mask: Any = None) -> WordEncoderOutput:
            last = self.config.max_position_embeddings - 1
            places = torch.arange(input_ids.shape[1], device=input_ids.device).clamp(max=last)
            x = self.dropout(self.norm(self.widen(self.words(input_ids)) + self.places(places)))
            hidden = None if attention_mask is None else attention_mask == 0
            return WordEncoderOutput(self.layers(x, src_key_padding_mask=hidden))

    return WordEncoder()


def load_encoder(vectors: Any) -> Any:
    """The pretrained encoder over the word vectors, in eval mode: ids are rows of ``vectors.table``.

    Raises:
        DataUnavailableError: its file (1 MB) is neither at hand nor to be had; the message says what to do.
    """
    import torch

    encoder = make_word_encoder(vectors.table)
    with np.load(io.BytesIO(data_bytes(ENCODER, ENCODER_SHA256)), allow_pickle=False) as stored:
        state = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files}
    encoder.load_state_dict({**state, "words.weight": encoder.words.weight})
    return encoder.eval()


Sentence = Sequence[int]


def train_alike(
    models: Mapping[str, Any],
    pad_batch: Any,
    train: tuple[Sequence[Sentence], Sequence[int]],
    validation: tuple[Sequence[Sentence], Sequence[int]],
    epochs: int = 4,
    device: Any = "cpu",
) -> dict[str, np.ndarray]:
    """Trains models alike and says which validation sentences each gets right.

    AdamW, 64 sentences a batch, a fifth of the words made unknown, a fixed number of epochs: nothing is
    chosen on validation, so it does not flatter.

    Args:
        models: by name; ids and mask (batch, n) -> logits (batch,). Only parameters that require a gradient
            learn.
        pad_batch: the answer to 5.1b.
        train: token numbers of each sentence, and labels.
        validation: likewise.
        epochs: of each model.
        device: where models and batches are.

    Returns:
        By name a bool for each validation sentence.
    """
    import torch

    right = {}
    for name, model in models.items():
        model.to(device)
        learned = [value for value in model.parameters() if value.requires_grad]
        print(f"{name}: {sum(value.numel() for value in learned):,} parameters are trained", flush=True)
        adam = torch.optim.AdamW(learned, lr=1e-3)
        draw, started = torch.Generator().manual_seed(0), time.monotonic()
        labels = torch.tensor(train[1], dtype=torch.float32)
        for epoch in range(1, epochs + 1):
            model.train()
            for rows in torch.randperm(len(labels), generator=draw).split(64):
                ids, mask = pad_batch([train[0][row] for row in rows])
                ids = torch.where(mask & (torch.rand(ids.shape, generator=draw) < 0.2), 1, ids)
                logits = model(ids.to(device), mask.to(device))
                wanted = labels[rows].to(device)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
                adam.zero_grad()
                loss.backward()
                adam.step()
            spent = time.monotonic() - started
            print(
                f"  epoch {epoch} of {epochs}, {spent:.0f} s, about {spent / epoch * (epochs - epoch):.0f} s"
                " left",
                flush=True,
            )
        model.eval()
        found = []
        with torch.no_grad():
            for start in range(0, len(validation[0]), 200):
                ids, mask = pad_batch(validation[0][start : start + 200])
                found.append((model(ids.to(device), mask.to(device)) > 0).cpu().numpy())
        model.cpu()
        right[name] = np.concatenate(found) == (np.asarray(validation[1]) == 1)
    return right


def start_from(model: Any, vectors: Any) -> Any:
    """The model with word vectors of GloVe where it has an embedding of that shape."""
    import torch

    for parameter in model.parameters():
        if parameter.shape == vectors.table.shape:
            parameter.data.copy_(torch.from_numpy(vectors.table))
    return model
