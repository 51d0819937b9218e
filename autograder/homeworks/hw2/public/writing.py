"""hw2, 2.8: how the kit drives what the student writes around a decoder, and what it counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw2.public.decoder import decoder_of, ready_made_parts, with_tensors
from autograder.kit import IN_PLACE, Trial, call_on, decode, encode, probe
from autograder.kit.shared.dispatch import undisturbed
from autograder.kit.shared.modules import MismatchError

DRAWS = 500  # calls of sample_next a case
FAR = 70.0  # a right answer's chi-squared is above it about once in 10^9 cases,
NAMED = 30.0  # draws from a known mistake's distribution are above it about once in 10^4 cases
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
    before = encode(stored)
    state = renamed(dict(stored))
    changed = encode(stored) != before
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
            problems.append(f"{name} has shape {tuple(np.shape(state[name]))}; the model needs {shape}")
    if problems:
        raise MismatchError("; ".join(problems))
    model.load_state_dict(with_tensors(state))
    with torch.no_grad():
        return {"fields": {"result": encode(model(tokens[None])[0]), "changed_inputs": changed}}


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
    return call_on(function, decode(case["args"]), given=[model])


@probe("greedy")
def greedy_probe(write: Any, case: Mapping[str, Any]) -> Any:
    """Lets the student's ``write`` continue a prompt with the likeliest letter each time."""
    options, (tokens, count) = decode({"fields": case["kwargs"]}), decode(case["args"])
    letters = options["sizes"]["letters"]

    called: list[bool] = []

    def choose(logits: Any) -> int:
        called.append(True)
        if tuple(np.shape(logits)) != (letters,):
            raise MismatchError(f"choose gets logits of shape {tuple(np.shape(logits))}, not ({letters},)")
        found = np.asarray(decode(encode(logits)))
        if found.dtype.kind == "f" and (found >= 0).all() and abs(found.sum() - 1) < 1e-3:
            raise MismatchError("choose gets probabilities; it must get the logits themselves")
        return int(found.argmax())

    model = toy_decoder(options["sizes"], options["seed"])
    prompt = [int(token) for token in tokens]
    found = write(model, prompt, int(count), choose)
    if not called and len(found) > len(tokens):
        raise MismatchError("it never calls choose, which must pick each letter")
    changed = prompt != tokens.tolist()
    return {"fields": {"result": encode(np.array([int(one) for one in found])), "changed_inputs": changed}}


@probe("draws")
def draws_probe(sample_next: Any, case: Mapping[str, Any]) -> Any:
    """How often each letter comes out of many calls."""
    (logits,), options = decode(case["args"]), decode({"fields": case["kwargs"]})
    counts, changed = np.zeros(len(logits), int), False
    for _ in range(DRAWS):
        given = logits.clone()
        token = sample_next(given, **options)
        changed |= not bool((given == logits).all())
        if not 0 <= int(token) < len(logits):
            raise MismatchError(f"it returned {token}; expected a token number from 0 to {len(logits) - 1}")
        counts[int(token)] += 1
    return {"fields": {"result": encode(counts), "changed_inputs": changed}}


# how often each letter came out, and what was given: logits (letters,), temperature, top_k
Drawn = tuple[np.ndarray, tuple[np.ndarray, float, int | None]]


def probabilities(logits: Any, temperature: float = 1.0, top_k: int | None = None) -> np.ndarray:
    """The distribution that ``sample_next`` is asked for, (letters,)."""
    scores = np.asarray(logits, np.float64) / temperature
    if top_k is not None:
        scores = np.where(scores >= np.sort(scores)[-top_k], scores, -np.inf)
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def distance(counts: np.ndarray, wanted: np.ndarray) -> float:
    """Chi-squared of counts under a distribution; infinite where a letter of probability 0 came out."""
    if counts[wanted == 0].any():
        return math.inf
    mean = wanted * counts.sum()
    often = mean >= EXPECTED
    seen, means = (np.append(one[often], one[~often].sum()) for one in (counts, mean))
    kept = means > 0
    return float((np.square(seen - means)[kept] / np.maximum(means[kept], EXPECTED / 2)).sum())


def drawn_far(counts: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether counts do not come from a distribution."""
    return distance(counts, wanted) > FAR


ONLY_TOP_K = (  # mistakes that do not show where top_k is None
    "as if the k likeliest were equally likely; keep their proportions",
    "as if the logits of all other letters were 0; e^0 = 1, so they must be −∞",
    "as if a letter's number were its rank among the k likeliest; topk(…).indices has the numbers",
    "as if the k least likely were kept; keep the k likeliest",
    "as if only k − 1 of them could; the one with the k-th largest logit may, too",
    "as if there were no top_k; only the k likeliest may",
)


def wrong_draws(logits: np.ndarray, temperature: float, top_k: int | None) -> list[tuple[str, np.ndarray]]:
    """What common mistakes draw from: how the letters come out, and the distribution (letters,)."""
    scores, positive = logits / temperature, np.maximum(logits, 0)
    order, places = np.argsort(-logits), np.arange(len(logits))
    kept = np.isin(places, order[:top_k])

    def among(which: np.ndarray, numbers: np.ndarray, others: float = -np.inf) -> np.ndarray:
        return probabilities(np.where(which, numbers, others))

    twice = "as if the softmax were taken twice"
    squared = "as if each probability were squared (which halves the temperature)"
    found = [
        ("as if every letter were equally likely", np.full(len(logits), 1 / len(logits))),
        ("as if the temperature were 1: divide the logits by it", among(kept, logits)),
        ("as if the logits were multiplied by the temperature; divide", among(kept, logits * temperature)),
        (
            "as if the logits themselves were the weights; take the softmax",
            positive / max(positive.sum(), 1e-9),
        ),
        (twice, among(kept, probabilities(logits) / temperature)),
        (twice, among(kept, probabilities(scores))),
        (twice, probabilities(among(kept, scores))),
        (squared, among(kept, 2 * scores)),
    ]
    if top_k is None:
        right = probabilities(scores)
        return [*found, found[0], *((words, right) for words in ONLY_TOP_K)]
    by_rank = np.zeros(len(logits))
    by_rank[:top_k] = probabilities(scores[order[:top_k]])
    uniform = kept / top_k
    with_top_k = [
        uniform,
        among(kept, scores, 0.0),
        by_rank,
        among(np.isin(places, order[-top_k:]), scores),
        among(np.isin(places, order[: top_k - 1]), scores),
        probabilities(scores),
    ]
    return [*found, (ONLY_TOP_K[0], uniform), *zip(ONLY_TOP_K, with_top_k, strict=True)]


def _mistake(drawn: Sequence[Drawn]) -> int | None:
    """The place in :func:`wrong_draws` of the mistake that all those counts come from, if there is one."""
    makes = [[distance(counts, wanted) for _, wanted in wrong_draws(*given)] for counts, given in drawn]
    distances = [max(one) for one in zip(*makes, strict=True)]
    return distances.index(min(distances)) if min(distances) <= NAMED else None


def sampling_problem(trials: Sequence[Trial], beside: Sequence[Trial] = ()) -> str | None:
    """What is wrong with the letters that ``sample_next`` drew, or None.

    Args:
        trials: to judge.
        beside: all trials, which a mistake explains best: some look alike at one temperature.
    """
    far, changed = [], False
    for trial in trials:
        if trial.status != "ok":
            continue
        changed |= trial.changed_inputs
        counts, options = _drawn(trial)
        if drawn_far(counts, probabilities(*options)):
            far.append((trial, counts, options))
    if not far:
        return f"`sample_next` {IN_PLACE}" if changed else None
    trial, counts, (logits, temperature, top_k) = far[0]
    told = f"`sample_next` on {trial.note}: "
    if len(set(np.flatnonzero(counts))) == 1:
        return f"{told}all {DRAWS} draws give the same letter. Draw a letter; do not take the largest logit."
    named = _mistake([_drawn(trial) for trial in beside or trials if trial.status == "ok"])
    if named is None:  # two mistakes; a name explains all that is wrong here
        named = _mistake([(seen, drawn) for _, seen, drawn in far])
    if named is not None:
        return f"{told}the letters come out {wrong_draws(logits, temperature, top_k)[named][0]}."
    if top_k is not None and (counts > 0).sum() > top_k:
        return f"{told}{(counts > 0).sum()} different letters come out; only the {top_k} likeliest may."
    shares = ", ".join(f"{share:.2f}" for share in counts / counts.sum())
    wanted = ", ".join(f"{share:.2f}" for share in probabilities(logits, temperature, top_k))
    return f"{told}the letters come out with the shares {shares}; expected about {wanted}."


def _drawn(trial: Trial) -> Drawn:
    options = trial.kwargs.get("temperature", 1.0), trial.kwargs.get("top_k")
    return np.asarray(trial.output), (np.asarray(trial.args[0], np.float64), *options)


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
    if SHORT > len(logits) > 1:
        _require_own_caches(next_logits, model, tokens.tolist(), logits)
    result = {"result": encode(torch.stack(logits)), "products": encode(np.array(work))}
    return {"fields": result}


def _require_own_caches(next_logits: Any, model: Any, tokens: list[int], logits: list[Any]) -> None:
    """Raises a MismatchError if logits change where another text is written in between."""
    import torch

    cache: list[Any] = []
    for token, before in zip(tokens, logits, strict=True):
        with torch.no_grad():
            again = torch.as_tensor(next_logits(model, token, cache))
            if again.shape != before.shape or not torch.allclose(again, before, 1e-3, 1e-3, equal_nan=True):
                raise MismatchError(
                    "its logits change if another text, with a cache of its own, is written in between. Keep"
                    " all that a later call needs in `cache`, not in the model or in a global variable"
                )
            next_logits(model, tokens[0], [])


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
        told = f"`next_logits` on {trial.note}: step {SHORT} takes {early:,} multiplications"
        if early < 6 * sizes["depth"] * sizes["d_model"] ** 2:
            return f"{told}; the maps of one token alone take more. Is the work done outside PyTorch?"
        if late > MORE_WORK * early:
            return (
                f"{told}, step {LONG} takes {late:,}: the work of a step grows with the text before it, so"
                " the cost of a text grows with the square of its length. Run the maps for the new token"
                " alone and keep the keys and values of the earlier ones."
            )
    return None
