"""Trains the small decoder that question 2.8 of homework 2 loads: a character model of one novel.

    apt-get download r-cran-janeaustenr && dpkg-deb -x r-cran-janeaustenr_*.deb austen
    python solutions/train_hw2_decoder.py austen

The text is *Pride and Prejudice* (Jane Austen, 1813), which is in the public domain, as the Debian
package r-cran-janeaustenr carries it. The model has the parts of questions 2.4 and 2.5: four
pre-norm blocks with causal attention of four heads and a ReLU network, a last layer norm, and the
token embedding once more as the output layer. Its weights are named and laid out as GPT-2's are,
which is what the students map to the names of their own classes.

Writes the weights (float16, NumPy's .npz) and the training curve (JSON). The seed is fixed; other
processors or versions of torch round differently, so another machine finds slightly other weights.
"""

import argparse
import json
import math
import re
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

LETTERS = "\n !\"'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WIDTH, DEPTH, HEADS, CONTEXT = 128, 4, 4, 128
STEPS, BATCH, WARMUP, RATE = 1200, 32, 100, 2e-3
HELD_OUT = 20_000  # characters at the end of the book that training never sees


def novels(folder):
    """The character vectors of R's data file, each as one string: a novel, line by line."""
    rest = next(Path(folder).rglob("janeaustenr/data/Rdata.rdb")).read_bytes()
    while rest:
        unpacker = zlib.decompressobj()
        data, rest = unpacker.decompress(rest[4:]), unpacker.unused_data
        place = 14 + 4 + struct.unpack(">i", data[14:18])[0]  # behind the header
        lines, (count,) = [], struct.unpack(">i", data[place + 4 : place + 8])
        place += 8
        for _ in range(count):
            size = struct.unpack(">i", data[place + 4 : place + 8])[0]
            lines.append(data[place + 8 : place + 8 + size].decode())
            place += 8 + size
        yield "\n".join(lines)


def clean(novel):
    """One line a paragraph; no headings, no rows of stars, no marks of emphasis, no dates."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", novel)]
    paragraphs = [part.replace("_", "") for part in paragraphs]
    first = next(
        i for i, part in enumerate(paragraphs) if part.startswith("It is a truth")
    )
    kept = [part for part in paragraphs[first:] if part and set(part) <= set(LETTERS)]
    return "\n".join(kept) + "\n"


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        batch, n, _ = x.shape
        q, k, v = (
            part.view(batch, n, HEADS, -1).transpose(1, 2)
            for part in self.c_attn(x).chunk(3, -1)
        )
        later = torch.ones(n, n, dtype=torch.bool).triu(1)
        scores = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).masked_fill(
            later, -math.inf
        )
        mixed = scores.softmax(-1).to(v.dtype) @ v
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, n, WIDTH))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.attn, self.ln_2 = (
            nn.LayerNorm(WIDTH),
            Attention(),
            nn.LayerNorm(WIDTH),
        )
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)}
        )

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](torch.relu(self.mlp["c_fc"](self.ln_2(x))))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = (
            nn.Embedding(len(LETTERS), WIDTH),
            nn.Embedding(CONTEXT, WIDTH),
        )
        self.h = nn.ModuleList(Block() for _ in range(DEPTH))
        self.ln_f = nn.LayerNorm(WIDTH)
        for name, weights in self.named_parameters():
            if weights.dim() == 2:
                scale = 0.02 / math.sqrt(2 * DEPTH) if "c_proj" in name else 0.02
                nn.init.normal_(weights, std=scale)
            elif name.endswith("bias"):
                nn.init.zeros_(weights)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


def stored(model):
    """The weights as GPT-2 stores them: matrices of linear layers as (in, out), in float16."""
    arrays = {}
    for name, weights in model.state_dict().items():
        linear = weights.dim() == 2 and name not in ("wte.weight", "wpe.weight")
        arrays[name] = (weights.T if linear else weights).numpy().astype(np.float16)
    return arrays


def windows(data, starts):
    places = torch.as_tensor(starts)[:, None] + torch.arange(CONTEXT + 1)
    return data[places]


def loss_on(model, batch):
    return F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())


def held_out_loss(model, data):
    """Nats a character over the held-out text, in windows of CONTEXT that do not overlap."""
    with torch.no_grad():
        return loss_on(
            model, windows(data, range(0, len(data) - CONTEXT - 1, CONTEXT))
        ).item()


def train(text, steps, log):
    torch.manual_seed(0)
    tokens = torch.tensor([LETTERS.index(letter) for letter in text])
    training, held_out = tokens[:-HELD_OUT], tokens[-HELD_OUT:]
    model = Decoder()
    matrices = [weights for weights in model.parameters() if weights.dim() == 2]
    others = [weights for weights in model.parameters() if weights.dim() < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": 0.1},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=RATE,
        betas=(0.9, 0.98),
    )
    curve, recent, started = [], [], time.monotonic()
    for step in range(steps):
        warm = min(1, (step + 1) / WARMUP)
        rate = RATE * warm * (0.05 + 0.95 * (1 + math.cos(math.pi * step / steps)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = windows(training, torch.randint(len(training) - CONTEXT, (BATCH,)))
        with torch.autocast(
            "cpu", torch.bfloat16
        ):  # products in bfloat16: nearly twice as fast
            loss = loss_on(model, batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent.append(loss.item())
        if step == 0 or (step + 1) % 100 == 0:
            curve.append(
                {
                    "step": step + 1,
                    "training": round(sum(recent) / len(recent), 4),
                    "held_out": round(held_out_loss(model, held_out), 4),
                    "seconds": round(time.monotonic() - started),
                }
            )
            recent = []
            log(model, curve)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", help="where the package r-cran-janeaustenr was unpacked"
    )
    parser.add_argument("--out", type=Path, default=Path("austen.npz"))
    parser.add_argument("--curve", type=Path, default=Path("hw2_decoder.history.json"))
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    text = clean(
        next(novel for novel in novels(arguments.folder) if "PREJUDICE" in novel[:40])
    )
    print(
        f"{len(text)} characters, {len(set(text))} different; the last of them:\n{text[-300:]}"
    )

    def log(model, curve):
        print(curve[-1], flush=True)
        arguments.curve.write_text(json.dumps(curve, indent=0) + "\n")
        np.savez_compressed(arguments.out, **stored(model))

    model = train(text, arguments.steps, log)
    print(sum(weights.numel() for weights in model.parameters()), "parameters")


if __name__ == "__main__":
    main()
