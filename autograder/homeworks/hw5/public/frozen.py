"""The frozen encoder (5.5): a probe that watches it, and what can be said of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.homeworks.hw5.public.flags import check_flags
from autograder.kit import Trial, compare, decode, encode, probe, seed_torch
from autograder.kit.shared.encoders import stand_in_encoder
from autograder.kit.shared.modules import MismatchError, left_to_chance, require_module

STAYS_ON = (
    "After model.eval() the model is still in train mode, so dropout acts: eval() calls your train(False);"
    " hand the mode on with super().train(mode)."
)


@probe("frozen_encoder")
def frozen_encoder_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Builds the student's model on a watched stand-in encoder, predicts, and makes one training step.

    The case's args are ids (batch, n), mask (batch, n) and labels (batch,); its kwargs are ``seed`` of the
    encoder, ``hidden`` and ``weights`` of GRU and output.

    Returns:
        ``result`` the logits; ``random`` whether they follow from random numbers; ``alone`` the logits of
        each sentence by itself; ``masks`` what the encoder was given; ``training`` whether any part of it was
        in train mode after ``model.train()``; ``total`` and ``trainable`` counts; ``learns`` which of
        ``encoder``, ``gru``, ``output`` one step changed; ``hands_on`` whether train() returned the model;
        ``stays_on`` whether it was in train mode after ``model.eval()``; ``trains`` whether it was after
        ``model.train()``; ``dropped_between``, ``dropped`` whether dropout acted between the GRU's layers and
        before the output.
    """
    import torch

    ids, mask, labels = decode(case["args"])
    options = decode({"fields": case["kwargs"]})
    encoder = stand_in_encoder(options["seed"])
    seen: list[Any] = []

    def watch(module: Any, args: Any, kwargs: Any) -> None:
        given = kwargs.get("attention_mask", args[1] if len(args) > 1 else None)
        seen.append(
            (
                None if given is None else given.to(torch.int64),
                any(part.training for part in module.modules()),
            )
        )

    encoder.register_forward_pre_hook(watch, with_kwargs=True)
    seed_torch(0)
    model = cls(encoder, hidden=options["hidden"])
    require_module(model)
    own = {name: value for name, value in model.named_parameters() if not name.startswith("encoder.")}
    if set(own) != set(options["weights"]) or not any(part is encoder for part in model.modules()):
        extra, lacks = sorted(set(own) - set(options["weights"])), sorted(set(options["weights"]) - set(own))
        if (
            any(name.startswith("gru.") for name in own)
            and lacks
            and all("_reverse" in name for name in lacks)
        ):
            raise MismatchError("the GRU has only one direction: pass bidirectional=True")
        if any(name.startswith("gru.") for name in own) and lacks and all("_l1" in name for name in lacks):
            raise MismatchError("the GRU has only one layer: pass num_layers=layers")
        if not extra and not lacks:
            raise MismatchError(
                "the encoder that it is given is not among its parts: keep that object itself, self.encoder ="
                " encoder, not a copy of it"
            )
        raise MismatchError(
            f"parts must be called encoder, gru and output: missing parameters {lacks[:3]}, unexpected"
            f" {extra[:3]}"
        )
    with torch.no_grad():
        for name, value in options["weights"].items():
            if name == "output.weight" and own[name].shape[1] == options["hidden"]:
                raise MismatchError(
                    "`output` has `hidden` inputs; it reads both directions, 2 · hidden numbers"
                )
            if own[name].shape != value.shape:
                raise MismatchError(
                    f"with hidden={options['hidden']}: {name} has shape {tuple(own[name].shape)}; expected"
                    f" {tuple(value.shape)}"
                )
            own[name].copy_(value)
        model.eval()
        stays_on = model.training
        drawn = torch.get_rng_state()
        together = model(ids, mask)
        random = left_to_chance(drawn, together, lambda: model(ids, mask))
        singles = [model(row[keep][None], keep[keep][None]) for row, keep in zip(ids, mask, strict=True)]
        alone = torch.stack([single.reshape(()) for single in singles])
    masks = [given for given, _ in seen[:1]]
    hands_on = model.train() is model
    trains, dropped = model.training, _zeros_before_output(model, ids, mask)
    between = getattr(getattr(model, "gru", None), "dropout", None)
    in_train_mode = any(part.training for part in encoder.modules())
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    solver = torch.optim.SGD(model.parameters(), lr=0.5)
    logits = model(ids, mask).reshape(-1)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    if loss.requires_grad:
        loss.backward()
    solver.step()
    learns = sorted(
        {
            name.split(".")[0]
            for name, value in model.named_parameters()
            if not torch.equal(value, before[name])
        }
    )
    found = {
        "result": encode(together),
        "random": random,
        "alone": encode(alone),
        "squeezed": any(single.ndim == 0 for single in singles),
        "masks": encode(masks),
        "training": in_train_mode or any(training for _, training in seen),
        "total": sum(value.numel() for value in model.parameters()),
        "trainable": sum(value.numel() for value in model.parameters() if value.requires_grad),
        "learns": learns,
        "hands_on": hands_on,
        "stays_on": stays_on,
        "trains": trains,
        "dropped": dropped,
        "dropped_between": between != 0,
    }
    return {"fields": found}


def _zeros_before_output(model: Any, ids: Any, mask: Any) -> bool:
    """Whether ``output`` reads numbers that a dropout has set to 0, as far as that can be seen."""
    read: list[bool] = []
    hook = model.output.register_forward_pre_hook(lambda _, args: read.append(bool((args[0] == 0).any())))
    for _ in range(6):  # a right answer drops none of 24 numbers or more once in a thousand calls
        model(ids, mask)
        if not read or read[-1]:
            break
    hook.remove()
    return not read or read[-1]


def dropout_problem(trial: Trial) -> str | None:
    """Whether dropout acts between the GRU's layers and before the output, in train mode (5.5)."""
    if trial.result["stays_on"]:
        return STAYS_ON
    if not trial.result["trains"]:
        return (
            "After model.train() the whole model is in evaluation mode, so no dropout acts. Only the encoder"
            " must stay in evaluation mode."
        )
    if not trial.result["dropped_between"]:
        return "`gru` has no dropout between its layers: pass dropout=dropout to nn.GRU."
    if not trial.result["dropped"]:
        return "In train mode, `output` reads the final states without dropout: put a dropout before it."
    return None


def batch_problem(trial: Trial) -> str | None:
    """Whether each sentence gets the same logit alone as in its padded batch (5.5)."""
    problem = compare(
        np.asarray(trial.result["alone"]),
        trial.result["result"],
        rtol=1e-4,
        atol=1e-4,
        what="the batch's logits",
    )
    if problem is None and trial.result["squeezed"]:
        return (
            "One sentence alone gives a logit of shape (), expected (1,): squeeze only the last axis,"
            " squeeze(-1)."
        )
    if problem is None:
        return None
    if trial.result["stays_on"]:
        return STAYS_ON
    if trial.result["random"]:
        return (
            "A sentence gets a different logit in each call, even in evaluation mode, so it does alone and in"
            " a batch, too: something random is left on."
        )
    return (
        "A sentence alone gets a different logit than in a padded batch: the padding has an effect. The GRU"
        " must stop at the last real token (pack_padded_sequence), and the encoder must get the mask."
    )


def mask_problem(trial: Trial) -> str | None:
    """Whether the encoder was given the attention mask (5.5)."""
    masks, right = trial.result["masks"], np.asarray(trial.args[1]).astype(int)
    given = masks[0] if masks else None
    if not masks:
        return "The encoder was never called."
    if given is None:
        return (
            "The encoder got no attention_mask, so real tokens attend to padding: pass attention_mask=mask."
        )
    if np.array_equal(given, 1 - right):
        return "The attention_mask is inverted: it must be 1 at real tokens and 0 at padding."
    return (
        None
        if np.array_equal(given, right)
        else "The encoder got an attention_mask that is not the batch's mask."
    )


def frozen_problem(trial: Trial) -> str | None:
    """Whether the encoder stays as it is: eval mode always, no training (5.5)."""
    if "encoder" in trial.result["learns"]:
        return (
            "One training step changed the encoder: gradients flow through it. Frozen means"
            " requires_grad_(False), or no_grad in forward."
        )
    if trial.result["training"]:
        return (
            "After model.train() the encoder is in train mode, so its dropout makes the 'frozen' features"
            " random. Override train() so that the encoder stays in eval mode."
        )
    if not trial.result["hands_on"]:
        return (
            "Your train() does not return the model, so model.eval(), which calls it, returns None. End it"
            " with `return self`."
        )
    return None


def learning_problem(trial: Trial) -> str | None:
    """Whether GRU and linear head learn, and only their parameters are trainable (5.5)."""
    if lacking := {"gru", "output"} - set(trial.result["learns"]):
        return f"One training step did not change {' and '.join(sorted(lacking))}: that part must learn."
    heads = sum(np.asarray(value).size for value in trial.kwargs["weights"].values())
    if trial.result["trainable"] != heads:
        return (
            f"{trial.result['trainable']:,} parameters are trainable (requires_grad), but GRU and linear head"
            f" have {heads:,}. Set requires_grad_(False) only on the encoder."
        )
    return None


check_flags(
    "5.5",
    "FrozenEncoderGRU",
    mask_problem,
    batch_problem,
    frozen_problem,
    learning_problem,
    dropout_problem,
)
