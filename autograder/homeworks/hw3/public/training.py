"""Training the head of this homework on 3.1 to 3.3, and the trained weights beside the designed ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from autograder.homeworks.hw3.public.model import attend, with_places
from autograder.kit import show_matrices
from autograder.kit.shared.slider import frames_slider, heat

Example = tuple[np.ndarray, np.ndarray, np.ndarray]  # input (n, d), target (n, out), rows that count


def copy_example(rng: np.random.Generator) -> Example:
    """3.1: one to six tokens, which the output repeats."""
    x = np.eye(3)[rng.integers(3, size=rng.integers(1, 7))]
    return x, x, np.arange(len(x))


def first_token_example(rng: np.random.Generator) -> Example:
    """3.2: one to four tokens; every output row is the first."""
    x = np.eye(3)[rng.integers(3, size=rng.integers(1, 5))]
    return x, np.repeat(x[:1], len(x), axis=0), np.arange(len(x))


def unique_example(rng: np.random.Generator) -> Example:
    """3.3: CLS and one to four tokens; 1 where a token occurs once, -1 where it is repeated."""
    tokens = rng.integers(1, 4, size=rng.integers(1, 5))
    signs = [[1.0 if (tokens == token).sum() == 1 else -1.0] for token in tokens]
    return np.eye(4)[np.r_[0, tokens]], np.array([[0.0], *signs]), np.arange(1, len(tokens) + 1)


class Task(NamedTuple):
    """What is learned: sizes of the head, examples, and a sequence to look at, by its tokens."""

    d: int
    out: int
    pos_dim: int
    places: int
    example: Callable[[np.random.Generator], Example]
    shown: tuple[int, ...]
    names: str


TASKS = {
    "3.1": Task(3, 3, 0, 6, copy_example, (0, 1, 2, 2), "ABC"),
    "3.2": Task(3, 3, 4, 4, first_token_example, (0, 1, 2, 2), "ABC"),
    "3.3": Task(4, 1, 4, 5, unique_example, (0, 1, 2, 1, 3), "SABC"),
}
STEPS, RATE, START, QK = 10_001, 0.1, 0.25, 8


def train_head(task: str, steps: int = STEPS, seed: int = 0) -> dict[str, np.ndarray]:
    """Trains the head of this homework: one random sequence a step, squared error, plain SGD with rate 0.1.

    Args:
        task: "3.1", "3.2" or "3.3".
        steps: how many.
        seed: of the random start and of the sequences.

    Returns:
        ``Q``, ``K`` (d, 8) and ``V`` (d, out), with places ``pos`` too, float32, ``losses`` (steps,), and
        ``frames``, the attention (20, n, n) on the task's shown sequence in the first 2,000 steps.
    """
    import torch

    d, out, pos_dim, places, make_example, _, _ = TASKS[task]
    start, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    shapes = {
        "pos": (places, pos_dim),
        "Q": (d + pos_dim, QK),
        "K": (d + pos_dim, QK),
        "V": (d + pos_dim, out),
    }
    weights = {
        name: (START * torch.randn(shape, generator=start)).requires_grad_() for name, shape in shapes.items()
    }
    pos, Q, K, V = weights.values()
    optimizer = torch.optim.SGD([pos, Q, K, V], lr=RATE)
    losses, frames = [], []
    shown = torch.eye(d)[list(TASKS[task].shown)]
    for step in range(steps):
        if step % 100 == 0 and step < 2000:
            with torch.no_grad():
                seen = torch.cat([shown, pos[: len(shown)]], dim=1)
                frames.append(torch.softmax((seen @ Q) @ (seen @ K).T / QK**0.5, dim=1).numpy())
        x, target, rows = (torch.as_tensor(part) for part in make_example(rng))
        x = torch.cat([x.float(), pos[: len(x)]], dim=1)
        attention = torch.softmax((x @ Q) @ (x @ K).T / QK**0.5, dim=1)
        loss = torch.nn.functional.mse_loss((attention @ (x @ V))[rows], target.float()[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 2500 == 0 and step:
            print(
                f"{task}, step {step:6,} of {steps:,}: mean loss of the last 500 {np.mean(losses[-500:]):.5f}"
            )
    found = {name: value.detach().numpy().copy() for name, value in weights.items()}
    return found | {"losses": np.array(losses), "frames": np.array(frames)}


def head_panels(x: np.ndarray, Q: Any, K: Any, V: Any) -> dict[str, np.ndarray]:
    """The matrices of one head, and its attention and output on x (n, d)."""
    output, weights = attend(x, Q, K, V)
    return {"Q": Q, "K": K, "V": V, "attention": weights, "output": output}


def compare_heads(task: str, trained: Mapping[str, Any], designed: Mapping[str, Any]) -> None:
    """Draws your head and the trained one on the same sequence, piece by piece; for 3.3 prints the signs.

    Args:
        task: "3.1", "3.2" or "3.3".
        trained: what :func:`train_head` gave.
        designed: ``Q``, ``K``, ``V`` and, with places, ``pos``; left out where it does not fit.
    """
    one_hot = np.eye(TASKS[task].d)[list(TASKS[task].shown)]
    rows: dict[str, dict[str, np.ndarray]] = {}
    for label, head in (("designed", designed), ("trained", trained)):
        try:
            weights = {name: np.asarray(head[name], float) for name in ("Q", "K", "V")}
            pos = np.asarray(head.get("pos", np.zeros((6, 0))), float)
            rows[label] = head_panels(with_places(one_hot, pos), *weights.values())
        except (ValueError, TypeError, KeyError, IndexError):
            print(f"The {label} head of {task} is not drawn: it is missing or its shapes do not fit.")
    if not rows:
        return
    letters = ["CLS" if name == "S" else name for name in (TASKS[task].names[t] for t in TASKS[task].shown)]
    attended = [np.asarray(panels["attention"]) for panels in rows.values()]
    told = "one head"
    if len(attended) == 2:
        apart = float(np.abs(attended[0] - attended[1]).max())
        told = f"attention differs by up to {apart:.2f}"
        told = "different matrices, nearly the same attention" if apart < 0.15 else told
    features = ["CLS" if name == "S" else name for name in TASKS[task].names[: TASKS[task].d]]
    features += [f"pos {number}" for number in range(1, 20)]
    show_matrices(
        rows,
        title=f"{task} on {' '.join(letters)}: {told}",
        names=dict.fromkeys("QKV", (features, ()))
        | {"attention": (letters, letters), "output": (letters, ())},
    )
    if len(frames := trained.get("frames", ())) > 1:
        frames_slider(
            heat(list(frames), "attention", letters, letters),
            [f"step {100 * frame:,}" for frame in range(len(frames))],
            f"Training {task}: how attention changes",
        ).show()
    if task == "3.3":
        print("place     expected  " + "  ".join(rows))
        for place, (token, expected) in enumerate(zip("ABAC", "-+-+", strict=True), start=1):
            signs = ["-+"[int(panels["output"][place, 0] > 0)] for panels in rows.values()]
            print(f"{place} ({token})     {expected}         " + "         ".join(signs))
