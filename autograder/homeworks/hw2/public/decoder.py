"""hw2, 2.8: the decoder, made of the student's parts or of ready-made ones, and the file with its weights."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from autograder.kit.shared.viewer import attention_viewer

WEIGHTS_FILE = "austen_decoder_fp16.npz"
WEIGHTS_FOLDERS = [".", "data", "notebooks/data"]
LETTERS = "\n !\"'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DECODER_SIZES = {"letters": len(LETTERS), "d_model": 128, "n_heads": 4, "depth": 4, "context": 128}
HELD_OUT_TEXT = (  # 108 characters from chapter 60, which training never saw
    '"Because you were grave and silent, and gave me no encouragement."\n"But I was embarrassed."\n'
    '"And so was I."\n'
)


def to_tokens(text: str) -> list[int]:
    """The number of each character; one that the model does not know becomes a blank."""
    return [LETTERS.index(letter if letter in LETTERS else " ") for letter in text]


def to_text(tokens: Any) -> str:
    """The characters of token numbers, a list or a tensor (n,)."""
    return "".join(LETTERS[int(token)] for token in tokens)


def load_pretrained() -> dict[str, Any] | None:
    """The stored weights by their stored names, float32 tensors; None, with words, where the file is not."""
    import torch

    for folder in WEIGHTS_FOLDERS:
        path = Path(folder) / WEIGHTS_FILE
        if path.is_file():
            with np.load(path) as held:
                found = {name: torch.from_numpy(held[name].astype(np.float32)) for name in held.files}
            print(f"{sum(one.numel() for one in found.values()):,} weights from {path}.")
            return found
    print(
        f"{WEIGHTS_FILE} is not here yet. Put the file of that name (from the course's notebooks/data folder)"
        " beside this notebook; in Colab: Files, Upload. Then run this cell again. Questions 2.8a to 2.8d can"
        " be answered without it; only the text that your model writes needs it."
    )
    return None


@cache
def ready_made_parts() -> tuple[Any, Any, Any]:
    """Stand-ins for 2.4, 2.5a and 2.5b around torch's own layers, with the same names and results."""
    import torch
    from torch import nn

    class ReadyHeads(nn.Module):
        batch_first = False  # without it torch's layer looks for a shortcut

        def __init__(self, d_model: int, n_heads: int):
            super().__init__()
            self.n_heads: int = n_heads
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                setattr(self, name, nn.Linear(d_model, d_model))

        def forward(self, x: Any, causal: bool = False, padding: Any = None) -> Any:
            maps: Any = (self.q_proj, self.k_proj, self.v_proj)
            out: Any = self.out_proj
            n, attend = x.shape[1], nn.functional.multi_head_attention_forward
            output, weights = attend(  # type: ignore[misc, call-arg]  # the first arguments are joined
                *(3 * [x.transpose(0, 1)]),
                *(x.shape[2], self.n_heads, None, torch.cat([one.bias for one in maps])),
                *(None, None, False, 0.0, out.weight, out.bias),
                key_padding_mask=padding,
                attn_mask=torch.ones(n, n, dtype=torch.bool).triu(1) if causal else None,
                use_separate_proj_weight=True,
                **{f"{name}_proj_weight": one.weight for name, one in zip("qkv", maps, strict=True)},
                average_attn_weights=False,
            )
            return output.transpose(0, 1), weights

    class ReadyBlock(nn.TransformerEncoderLayer):
        def __init__(self, d_model: int, n_heads: int, d_ff: int, norm_first: bool = False):
            super().__init__(d_model, n_heads, d_ff, 0.0, batch_first=True, norm_first=norm_first)

        def forward(self, x: Any, padding: Any = None) -> Any:  # type: ignore[override]
            return super().forward(x, src_key_padding_mask=padding)

    return ReadyHeads, nn.LayerNorm, ReadyBlock


def decoder_of(parts: Sequence[Any], sizes: Mapping[str, int]) -> Any:
    """A decoder: tokens (batch, n) → logits (batch, n, letters).

    Args:
        parts: the classes of 2.4, 2.5a and 2.5b.
        sizes: letters, d_model, n_heads, depth and context.
    """
    import torch
    from torch import nn

    heads_class, norm_class, block_class = parts
    letters, d_model, n_heads, depth, context = sizes.values()

    class CausalHeads(heads_class):  # type: ignore[misc, valid-type]
        """2.4 where 2.5b has nn.MultiheadAttention: called with three inputs that are one, always causal."""

        def forward(self, x: Any, *_: Any, **__: Any) -> Any:
            output, weights = super().forward(x, causal=True)
            self.last_weights = weights.detach()  # for a look at them
            return output, weights

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n_heads, self.context = n_heads, context
            self.tokens, self.places = nn.Embedding(letters, d_model), nn.Embedding(context, d_model)
            self.blocks = nn.ModuleList()
            for _ in range(depth):
                block = block_class(d_model, n_heads, 4 * d_model, norm_first=True)
                block.self_attn = CausalHeads(d_model, n_heads)
                block.norm1, block.norm2 = norm_class(d_model), norm_class(d_model)
                self.blocks.append(block)
            self.norm = norm_class(d_model)

        def forward(self, tokens: Any) -> Any:
            places = torch.arange(tokens.shape[1], device=tokens.device)
            x = self.tokens(tokens) + self.places(places)
            for block in self.blocks:
                x = block(x)
            return self.norm(x) @ self.tokens.weight.T

    return Decoder().eval()


def stored_decoder(pretrained: Mapping[str, Any]) -> Any:
    """A ready-made model that computes with the weights as they are stored: tokens (batch, n) → logits."""
    import torch
    from torch.nn import functional

    def mapped(x: Any, layer: str) -> Any:
        return x @ pretrained[f"{layer}.weight"] + pretrained[f"{layer}.bias"]

    def normed(x: Any, layer: str) -> Any:
        return functional.layer_norm(
            x, x.shape[-1:], pretrained[f"{layer}.weight"], pretrained[f"{layer}.bias"]
        )

    class StoredDecoder(torch.nn.Module):
        context, n_heads = DECODER_SIZES["context"], DECODER_SIZES["n_heads"]

        def __init__(self) -> None:
            super().__init__()
            self.last_weights: dict[int, Any] = {}

        def forward(self, tokens: Any) -> Any:
            batch, n = tokens.shape
            x = pretrained["wte.weight"][tokens] + pretrained["wpe.weight"][:n]
            for number in range(DECODER_SIZES["depth"]):
                layer = f"h.{number}"
                wide = mapped(normed(x, f"{layer}.ln_1"), f"{layer}.attn.c_attn")
                split = (part.view(batch, n, self.n_heads, -1).transpose(1, 2) for part in wide.chunk(3, -1))
                queries, keys, values = split
                scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
                future = torch.ones(n, n, dtype=torch.bool).triu(1)
                weights = scores.masked_fill(future, -math.inf).softmax(-1)
                self.last_weights[number] = weights.detach()  # for a look at them
                x = x + mapped((weights @ values).transpose(1, 2).reshape(x.shape), f"{layer}.attn.c_proj")
                inner = mapped(normed(x, f"{layer}.ln_2"), f"{layer}.mlp.c_fc")
                x = x + mapped(inner.clamp(min=0), f"{layer}.mlp.c_proj")
            return normed(x, "ln_f") @ pretrained["wte.weight"].T

    return StoredDecoder().eval()


def with_tensors(state: Any) -> dict[str, Any]:
    """A dict from names to tensors, of one whose values may be NumPy arrays or lists of numbers.

    Raises:
        TypeError: it is no dict.
    """
    import torch

    if not isinstance(state, Mapping):
        raise TypeError(f"renamed must return a dict from names to tensors, not a {type(state).__name__}")
    return {
        name: one if isinstance(one, torch.Tensor) else torch.as_tensor(np.array(one))
        for name, one in state.items()
    }


def build_decoder(
    renamed: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    pretrained: Mapping[str, Any] | None,
    parts: Sequence[Any],
    own: bool = True,
) -> tuple[Any, Any]:
    """The decoder with its trained weights, and the one to go on with; what is lacking is said in words.

    Args:
        renamed: the student's function of 2.8a.
        pretrained: what :func:`load_pretrained` gave.
        parts: the student's classes of 2.4, 2.5a and 2.5b.
        own: whether to use them; else the ready-made ones.

    Returns:
        The model that ``renamed`` filled, or None if it could not be filled; and that model where it is
        right, else a ready-made one, so that nobody is stuck, or None without weights.
    """
    if pretrained is None:
        return None, None
    ready, model = stored_decoder(pretrained), None
    try:
        state = renamed({name: one.clone() for name, one in pretrained.items()})
        model = decoder_of(parts if own else ready_made_parts(), DECODER_SIZES)
        model.load_state_dict(with_tensors(state))
        right = _agree(model, ready)
    except NotImplementedError as error:
        print(f"Your answer to {error} is not written yet; a ready-made model stands in for yours.")
        return None, ready
    except Exception as error:  # the student's code may fail in any way; the cell goes on
        told = str(error)[:1000]
        print(
            f"{type(error).__name__}: {told}\nA ready-made model stands in for yours until your answer is"
            " correct."
        )
        return None, ready
    whose = "your own classes" if own else "ready-made classes"
    if not right:
        print(f"The weights load into {whose}, but the model gives wrong logits. Look at the check below.")
        print("A ready-made model stands in for yours until they are correct.")
        return model, ready
    print(f"The weights are in {whose}, and the model gives the correct logits.")
    return model, model


def _agree(model: Any, ready: Any) -> bool:
    """Whether two decoders give the same logits on a few words."""
    import torch

    tokens = torch.tensor([to_tokens("Mr. Bennet made no answer.")])
    with torch.no_grad():
        return bool(torch.allclose(model(tokens), ready(tokens), rtol=1e-3, atol=1e-2))


def show_names(pretrained: Mapping[str, Any] | None) -> None:
    """The names and shapes of one block and of what lies around the blocks, stored and wanted."""
    model = decoder_of(ready_made_parts(), DECODER_SIZES)
    wanted = {name: tuple(one.shape) for name, one in model.state_dict().items()}
    stored = {name: tuple(one.shape) for name, one in (pretrained or {}).items()}
    for title, names in (("stored", stored), ("your model", wanted)):
        print(f"{title}:")
        for name, shape in names.items():
            if not any(f".{number}." in name for number in range(1, 4)):
                print(f"  {name:34}{shape}")
    print("  … and blocks 1 to 3 like block 0")


def show_reading(model: Any, text: str, title: str, shown: Sequence[int] = (0, 2)) -> None:
    """Shows which letters each letter looks at, in the first and the last block of a decoder.

    Args:
        model: of :func:`build_decoder`; says what is lacking if it is None.
        text: a short one; each of its letters is a token.
        title: above the picture.
        shown: the block and the head that are picked at first: those of the title.
    """
    import torch

    if model is None:
        print(f"The attention appears here when {WEIGHTS_FILE} is there.")
        return
    with torch.no_grad():
        model(torch.tensor([to_tokens(text)]))
    kept = getattr(model, "last_weights", None)
    maps = list(kept.values()) if kept else [block.self_attn.last_weights for block in model.blocks]
    seen = torch.stack([maps[0][0], maps[-1][0]])  # (block, head, query, key)
    letters = ["␣" if letter == " " else letter for letter in text]
    names = ["0", str(len(maps) - 1)]
    attention_viewer(seen, letters, layers=names, title=title, shown=shown).show()
    near = seen.tril().triu(-3).sum(-1).mean(-1)
    for name, shares in zip(names, near.tolist(), strict=True):
        told = ", ".join(f"{share:.0%}" for share in shares)
        print(f"block {name}: attention on the letter itself and the three before it, by head: {told}")


def show_writing(
    model: Any,
    write: Any,
    sample_next: Any,
    beginning: str,
    temperatures: Sequence[float] = (0.8,),
    count: int = 300,
) -> None:
    """Prints what the student's model writes at each temperature; says what is lacking where it cannot."""
    if model is None:
        print(f"The text appears here when {WEIGHTS_FILE} is there.")
        return
    for temperature in temperatures:
        try:
            tokens = write(
                model,
                to_tokens(beginning),
                count,
                lambda logits, temperature=temperature: sample_next(logits, temperature),
            )
            text = to_text(tokens)
        except NotImplementedError:
            print("The text appears here when write and sample_next are there.")
            return
        except Exception as error:  # the student's code may fail in any way; the cell goes on
            print(f"At temperature {temperature:g}: {type(error).__name__}: {error}")
            continue
        paragraphs = [textwrap.fill(part, 90) for part in text.split("\n")]
        print(f"— temperature {temperature:g} —", *paragraphs, "", sep="\n")
