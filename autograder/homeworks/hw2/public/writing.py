"""hw2, 2.8: how the kit drives what the student writes around a decoder, and what it counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw2.public.decoder import decoder_of, ready_made_parts
from autograder.kit import Trial, decode, encode, probe
from autograder.kit.shared.dispatch import undisturbed
from autograder.kit.shared.modules import MismatchError

DRAWS = 500  # calls of sample_next a case
FAR = 70.0  # a right answer's chi-squared is above it about once in 10^9 cases,
EXPECTED = 8.0  # with so many draws expected of a letter; rarer letters are taken together
COUNTED = (1, 8, 16, 24, 32)  # 2.8d: the steps whose work is counted, and the two that are compared
SHORT, LONG = 8, 32
MORE_WORK = 2.0  # LONG may cost so many times SHORT; with a cache 1.2 times, without one 4 times


def toy_weights(sizes: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
    """Random float32 weights of a small decoder by the student's names; both sides draw them anew."""
    rng = np.random.default_rng(seed)
    letters, d, _, depth, context = sizes.values()
    shapes: dict[str, tuple[int, ...]] = {"tokens.weight": (letters, d), "places.weight": (context, d)}
    for number in range(depth):
        own = f"blocks.{number}."
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= {f"{own}self_attn.{name}.weight": (d, d), f"{own}self_attn.{name}.bias": (d,)}
        shapes |= {f"{own}linear1.weight": (4 * d, d), f"{own}linear1.bias": (4 * d,)}
        shapes |= {f"{own}linear2.weight": (d, 4 * d), f"{own}linear2.bias": (d,)}
        shapes |= {f"{own}norm{which}.{part}": (d,) for which in (1, 2) for part in ("weight", "bias")}
    shapes |= {"norm.weight": (d,), "norm.bias": (d,)}
    return {
        name: (rng.normal(size=shape) * (1.0 if len(shape) == 1 else 2 / math.sqrt(d))).astype(np.float32)
        for name, shape in shapes.items()
    }


def toy_decoder(sizes: Mapping[str, int], seed: int) -> Any:
    """A small decoder of ready-made parts with random weights."""
    import torch

    model = decoder_of(ready_made_parts(), sizes)
    model.load_state_dict({name: torch.from_numpy(one) for name, one in toy_weights(sizes, seed).items()})
    return model


@probe("renamed")
def renamed_probe(renamed: Any, case: Mapping[str, Any]) -> Any:
    """Loads what the student's function makes of stored weights into a decoder and gives its logits."""
    import torch

    (stored, tokens), options = decode(case["args"]), decode({"fields": case["kwargs"]})
    state = renamed(dict(stored))
    if not isinstance(state, Mapping):
        raise MismatchError(f"it must return a dict from names to tensors, not a {type(state).__name__}")
    model = decoder_of(ready_made_parts(), options["sizes"])
    wanted = {name: tuple(one.shape) for name, one in model.state_dict().items()}
    problems = []
    if missing := [name for name in wanted if name not in state]:
        problems.append(f"the dict has no {', '.join(missing[:3])}{_more(missing)}")
    if extra := [str(name) for name in state if name not in wanted]:
        problems.append(f"the model has no {', '.join(extra[:3])}{_more(extra)}")
    for name, shape in wanted.items():
        if name in state and tuple(np.shape(state[name])) != shape and len(problems) < 4:
            problems.append(f"{name} has shape {tuple(np.shape(state[name]))}; the model wants {shape}")
    if problems:
        raise MismatchError("; ".join(problems))
    model.load_state_dict({name: torch.as_tensor(state[name]) for name in wanted})
    with torch.no_grad():
        return {"fields": {"result": encode(model(tokens[None])[0])}}


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 3} more" if len(names) > 3 else ""


@probe("loaded model")
def loaded_probe(model: Any, case: Mapping[str, Any]) -> Any:
    """The logits of the student's loaded model on one prompt (n,)."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise MismatchError(f"it is a {type(model).__name__}, not the model of build_decoder")
    (tokens,) = decode(case["args"])
    with torch.no_grad():
        return {"fields": {"result": encode(model(tokens[None])[0])}}


@probe("with a toy decoder")
def toy_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls the student's function with a small decoder and what stands in the case's args."""
    options = decode({"fields": case["kwargs"]})
    model = toy_decoder(options["sizes"], options["seed"])
    if model.training:
        model.eval()
    return {"fields": {"result": encode(function(model, *decode(case["args"])))}}


@probe("greedy")
def greedy_probe(write: Any, case: Mapping[str, Any]) -> Any:
    """Lets the student's ``write`` continue a prompt with the likeliest letter each time."""
    options, (tokens, count) = decode({"fields": case["kwargs"]}), decode(case["args"])
    letters = options["sizes"]["letters"]

    def choose(logits: Any) -> int:
        if tuple(np.shape(logits)) != (letters,):
            raise MismatchError(f"choose gets logits of shape {tuple(np.shape(logits))}, not ({letters},)")
        return int(logits.argmax())

    model = toy_decoder(options["sizes"], options["seed"])
    found = write(model, [int(token) for token in tokens], int(count), choose)
    return {"fields": {"result": encode(np.array([int(one) for one in found]))}}


@probe("draws")
def draws_probe(sample_next: Any, case: Mapping[str, Any]) -> Any:
    """How often each letter comes out of many calls."""
    (logits,), options = decode(case["args"]), decode({"fields": case["kwargs"]})
    counts = np.zeros(len(logits), int)
    for _ in range(DRAWS):
        token = sample_next(logits.clone(), **options)
        if not 0 <= int(token) < len(logits):
            raise MismatchError(f"it returned {token}; expected a token number from 0 to {len(logits) - 1}")
        counts[int(token)] += 1
    return {"fields": {"result": encode(counts)}}


def probabilities(logits: Any, temperature: float = 1.0, top_k: int | None = None) -> np.ndarray:
    """The distribution that ``sample_next`` is asked for, (letters,)."""
    scores = np.asarray(logits, np.float64) / temperature
    if top_k is not None:
        scores = np.where(scores >= np.sort(scores)[-top_k], scores, -np.inf)
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def drawn_far(counts: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether counts do not come from a distribution: by chi-squared, or where it is 0."""
    if counts[wanted == 0].any():
        return True
    mean = wanted * counts.sum()
    often = mean >= EXPECTED
    seen, means = (np.append(one[often], one[~often].sum()) for one in (counts, mean))
    kept = means > 0
    distance = np.square(seen - means)[kept] / np.maximum(means[kept], EXPECTED / 2)
    return bool(distance.sum() > FAR)


def sampling_problem(trials: Sequence[Trial]) -> str | None:
    """What is wrong with the letters that ``sample_next`` drew, or None."""
    for trial in trials:
        if trial.status != "ok":
            continue
        counts, logits = np.asarray(trial.output), np.asarray(trial.args[0])
        temperature, top_k = trial.kwargs.get("temperature", 1.0), trial.kwargs.get("top_k")
        if not drawn_far(counts, probabilities(logits, temperature, top_k)):
            continue
        told = f"`sample_next` on {trial.note}: "
        if len(set(np.flatnonzero(counts))) == 1:
            return f"{told}all {DRAWS} draws give the same letter. Draw, do not take the largest."
        if top_k is not None and (counts > 0).sum() > top_k:
            return f"{told}{(counts > 0).sum()} different letters come out; only the {top_k} likeliest may."
        others = {
            "as if every letter were equally likely": np.full(len(logits), 1 / len(logits)),
            "as if the temperature were 1: divide the logits by it": probabilities(logits, 1.0, top_k),
            "as if the logits were multiplied by the temperature; divide": probabilities(
                logits, 1 / temperature, top_k
            ),
            "as if the logits themselves were the weights; take the softmax": np.maximum(logits, 0)
            / max(np.maximum(logits, 0).sum(), 1e-9),
        }
        for words, wanted in others.items():
            if not drawn_far(counts, wanted):
                return f"{told}the letters come out {words}."
        shares = ", ".join(f"{share:.2f}" for share in counts / counts.sum())
        wanted = ", ".join(f"{share:.2f}" for share in probabilities(logits, temperature, top_k))
        return f"{told}the letters come out with the shares {shares}; expected about {wanted}."
    return None


@probe("token by token", measures=True)
def cached_probe(next_logits: Any, case: Mapping[str, Any]) -> Any:
    """Feeds tokens one at a time with one cache: the logits (n, letters), and the products of some steps."""
    import torch

    (tokens,), options = decode(case["args"]), decode({"fields": case["kwargs"]})
    model, logits, work = toy_decoder(options["sizes"], options["seed"]), [], []
    cache: list[Any] = []
    for step, token in enumerate(tokens.tolist(), 1):
        with torch.no_grad():
            if step in COUNTED:
                found, products = count_products(lambda token=token: next_logits(model, token, cache))
                work.append(products)
            else:
                found = next_logits(model, token, cache)
        logits.append(torch.as_tensor(found))
    result = {"result": encode(torch.stack(logits)), "products": encode(np.array(work))}
    return {"fields": result}


def count_products(function: Any) -> tuple[Any, int]:
    """Runs ``function`` and counts the products of two numbers that torch's matrix operations take."""
    from torch.utils._python_dispatch import TorchDispatchMode

    @undisturbed
    class Counter(TorchDispatchMode):
        products = 0

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = operation(*args, **(kwargs or {}))
            name = str(operation.overloadpacket).rpartition(".")[2].strip("_")
            tensors = [one for one in args if hasattr(one, "numel")]
            if name in ("mm", "bmm", "mv", "dot") and len(tensors) >= 2:
                self.products += result.numel() * tensors[0].shape[-1]
            elif name in ("addmm", "addmv", "baddbmm", "addbmm") and len(tensors) >= 3:
                self.products += result.numel() * tensors[1].shape[-1]
            elif name == "mul" and hasattr(result, "numel"):
                self.products += result.numel()
            elif name.startswith("scaled_dot_product") and len(tensors) >= 2:
                self.products += 2 * tensors[0].numel() * tensors[1].shape[-2]
            return result

    with Counter() as counter:
        result = function()
    return result, counter.products


def cache_problem(trials: Sequence[Trial]) -> str | None:
    """Whether a later step of ``next_logits`` costs much more than an early one; else None."""
    for trial in trials:
        if trial.status != "ok" or not isinstance(trial.result, Mapping) or len(trial.args[0]) < LONG:
            continue
        products = [int(one) for one in np.asarray(trial.result["products"])]
        early, late = products[COUNTED.index(SHORT)], products[COUNTED.index(LONG)]
        sizes = trial.kwargs["sizes"]
        told = f"`next_logits` on {trial.note}: step {SHORT} takes {early:,} products of two numbers"
        if early < 6 * sizes["depth"] * sizes["d_model"] ** 2:
            return f"{told}; the maps of one token alone are more. Is the work done outside PyTorch?"
        if late > MORE_WORK * early:
            return (
                f"{told}, step {LONG} takes {late:,}: the work of a step grows with the text before it, so"
                " writing costs the square of the length. Run the maps for the new token alone and keep keys"
                " and values of the earlier ones."
            )
    return None
