"""hw5 in public: movie sentences, encoders, probes that drive the student's functions, and what can be said of a run.

The visible checks judge by property (what was called, in which mode, what changed); no solution stands here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw5.sentences import (
    LABELS,
    PAD,
    UNKNOWN,
    DataUnavailableError,
    Vectors,
    glove_tokens,
    load_glove,
    load_train_validation,
)
from autograder.kit import Trial, compare, decode, encode, name_to_come, probe, show_figure, visible_check
from autograder.kit.shared.checkpoints import CheckpointError, load_into, read_checkpoint
from autograder.kit.shared.encoders import BERT_BASE, find_encoder, make_encoder, stand_in_encoder
from autograder.kit.shared.modules import MismatchError

CHECKPOINT = "hw5_sentiment.pt"
CHECKPOINT_BYTES = 8_000_000  # a float32 table of all word vectors has 3.5 MB
N_WORDS, D_MODEL = 17_375, 50  # of the GloVe table, padding and unknown included
MIN_COUNT = 3  # 5.2: rarer words of the training sentences share the unknown word's column

# A trained attention classifier (5.4's kind, its word vectors tuned), as far as 27 words go: without
# positions and with a
# linear head, all that it does with words is a score for each pair, q(i)·k(j)/√64, and a vote, v(j)·output,
# for each word.
_SPELLED = (
    "the film is not very . , good great funny moving clever fresh charming interesting beautiful enjoyable "
    "bad dull boring awful stupid tedious predictable lifeless bland terrible"
)
GIVEN_WORDS = _SPELLED.split()
GOOD, BAD = GIVEN_WORDS[7:17], GIVEN_WORDS[17:]
GIVEN_BIAS = -0.187
GIVEN_VOTES = 0.001 * np.array(
    json.loads("""
        [-2042,7157,874,-6083,1273,-1838,3451,7236,7012,6591,10956,2498,2803,11195,
         3996,12427,12244,-11666,-7079,-9874,-8512,-13107,-8469,-4052,-6701,-5972,-5496]
        """)
)
GIVEN_SCORES = 0.001 * np.array(
    json.loads("""
        [
        [-1086,-1953,-1203,-424,-175,-1079,-1334,-42,-801,-281,124,-806,343,94,-539,123,1031,948,1043,1559,1135,866,1569,785,1479,696,659],
        [-4002,-5015,-3189,-1855,-536,-3640,-3873,-893,-3192,520,-845,-758,423,1420,-974,451,3764,1680,2914,4588,3086,3138,4926,2440,3978,2261,1534],
        [-1662,-2386,-1592,-1033,-435,-1654,-1743,-239,-1233,-196,119,-807,226,515,-723,334,1588,462,1016,1648,943,635,1924,848,1598,701,316],
        [-266,-2078,-1157,-125,-934,-482,-943,-921,-1100,-1402,-751,-1339,-238,-1766,-1547,-1875,-1343,447,34,433,300,270,460,-284,484,-4,210],
        [-1597,-2260,-1598,-1512,-882,-1708,-1628,-784,-1477,-235,-178,-870,13,451,-1009,74,1109,-352,631,1198,396,172,1362,386,1216,532,-171],
        [-1117,-2093,-1329,-586,-463,-1153,-1386,-336,-1070,-527,-114,-865,192,-184,-874,-318,688,671,774,1316,871,659,1503,591,1300,544,431],
        [-1354,-1324,-1094,-1313,-484,-1403,-1182,-162,-730,-27,430,-558,221,1014,-379,899,1630,-434,451,642,175,-350,995,489,1001,321,-189],
        [-1614,-987,-1130,-2159,-938,-1645,-1015,-607,-954,89,394,-548,23,1520,-491,1304,1689,-1584,1,12,-679,-1199,344,12,515,214,-1002],
        [-1789,-1043,-1212,-2140,-776,-1796,-1214,-579,-1042,234,456,-459,43,1726,-370,1637,2069,-1365,312,356,-324,-910,768,299,1045,381,-740],
        [-3016,-3598,-2429,-1847,-604,-2862,-2789,-919,-2570,651,-676,-394,241,1413,-945,518,2757,578,1960,3306,1890,2093,3528,1550,2673,1715,628],
        [-1578,-152,-714,-2454,-690,-1697,-807,-138,-222,669,1017,-171,-51,2597,228,2481,2561,-2210,-204,-399,-990,-1766,-178,67,253,-11,-1217],
        [-1940,-3081,-1654,-436,38,-1731,-2059,-468,-1971,482,-748,-316,525,435,-703,-220,1700,1686,2088,3310,2267,2686,3337,1544,2422,1614,1248],
        [-1655,-1656,-1354,-1519,-330,-1683,-1433,-231,-994,375,262,-427,437,1468,-360,1284,2110,-69,1093,1524,646,412,1650,823,1485,945,-22],
        [-2464,-1341,-1366,-2407,-438,-2349,-1626,-454,-1278,1296,235,261,148,2766,-12,2207,3174,-1039,1065,1530,374,241,1732,875,1419,991,-462],
        [-2422,-2998,-2087,-1627,-716,-2367,-2333,-820,-2014,205,-492,-733,-59,940,-987,402,2014,328,1399,2476,1361,1320,2554,1043,2055,1229,369],
        [-3107,-1493,-1636,-3086,-612,-2928,-1988,-415,-1384,1471,496,284,64,3530,202,2913,4167,-1590,969,1473,147,-216,1783,1015,1573,1039,-804],
        [-2294,-1335,-1357,-2686,-898,-2288,-1481,-880,-1433,830,39,-107,-240,2308,-317,1707,2560,-1713,469,891,-231,-567,1140,381,976,594,-946],
        [-1,-2862,-1244,1161,-143,-85,-1088,-607,-1433,-1171,-1132,-1060,484,-2457,-1664,-2739,-1637,2788,1304,2415,2044,2691,2216,615,1417,976,1666],
        [-893,-3234,-1565,618,30,-824,-1712,-539,-1809,-267,-1198,-662,561,-1345,-1239,-1851,-215,2849,2127,3458,2670,3461,3094,1262,2138,1626,1783],
        [-141,-2669,-1046,1117,218,-245,-1150,-407,-1379,-448,-1131,-494,529,-1737,-1194,-2181,-929,2785,1653,2989,2325,3179,2707,980,1613,1297,1685],
        [-162,-2689,-1179,940,-199,-209,-1091,-729,-1544,-953,-1344,-868,210,-2258,-1467,-2634,-1454,2410,1216,2341,1923,2635,2103,584,1302,1021,1416],
        [366,-3034,-991,1894,173,284,-949,-594,-1484,-1115,-1614,-788,491,-3095,-1628,-3545,-2207,3354,1457,2771,2447,3476,2559,745,1388,1080,2015],
        [-668,-3123,-1375,759,48,-651,-1557,-629,-1718,-374,-1308,-724,397,-1555,-1181,-1961,-474,2752,1969,3322,2579,3271,2961,1086,2050,1465,1739],
        [-653,-2424,-1205,100,-351,-694,-1226,-757,-1480,-545,-885,-768,131,-1135,-1171,-1522,-443,1442,1127,2022,1427,1797,1905,552,1261,860,885],
        [-411,-1704,-832,338,133,-396,-934,-2,-623,18,-498,-287,330,-629,-427,-866,101,1650,1211,1970,1515,1932,1561,716,1115,859,1000],
        [-395,-2283,-1040,565,-151,-412,-1129,-735,-1460,-518,-1213,-478,223,-1550,-1099,-2056,-885,1926,1282,2188,1649,2313,2078,662,1219,929,1092],
        [-356,-1807,-936,281,-208,-344,-781,-437,-1066,-640,-595,-647,195,-1181,-970,-1310,-545,1341,720,1415,1087,1405,1331,351,959,626,721]
        ]
        """)
)  # thousandths; row: the word that looks, column: the word looked at


def given_scores(tokens: Sequence[str]) -> np.ndarray:
    """The given model's scores between the tokens of a sentence, (n, n): row i looks at column j."""
    rows = [GIVEN_WORDS.index(token) for token in tokens]
    return GIVEN_SCORES[np.ix_(rows, rows)]


def given_votes(tokens: Sequence[str]) -> np.ndarray:
    """What each token would add to the logit if all attention were on it, (n,)."""
    return GIVEN_VOTES[[GIVEN_WORDS.index(token) for token in tokens]]


def fit_logistic(features: Any, labels: Any, l2: float = 1e-4, steps: int = 60) -> tuple[Any, Any]:
    """Logistic regression by LBFGS from zero: minimises the mean cross entropy plus l2/2·|w|².

    Args:
        features: (sentences, d) float tensor.
        labels: (sentences,) of 0 and 1.
        l2: strength of the penalty.
        steps: at most.

    Returns:
        Weights (d,) and bias (), tensors.
    """
    import torch

    weights, bias = torch.zeros(features.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    solver = torch.optim.LBFGS([weights, bias], max_iter=steps, line_search_fn="strong_wolfe")
    target = torch.as_tensor(labels, dtype=torch.float32)

    def closure() -> Any:
        solver.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(features @ weights + bias, target)
        loss = loss + 0.5 * l2 * weights.square().sum()
        loss.backward()
        return loss

    solver.step(closure)
    return weights.detach(), bias.detach()


def frequent_columns(
    sequences: Sequence[Sequence[int]], n_words: int = N_WORDS, min_count: int = MIN_COUNT
) -> tuple[np.ndarray, int]:
    """Columns for a bag of words: a table id → column and the number of columns.

    Words that occur at least ``min_count`` times in the sequences get columns 2, 3, …; all others share
    column 1.
    """
    counts = np.bincount(np.concatenate([np.asarray(sequence) for sequence in sequences]), minlength=n_words)
    kept = [word for word in np.flatnonzero(counts >= min_count) if word > UNKNOWN]
    columns = np.full(n_words, UNKNOWN)
    columns[PAD] = PAD
    columns[kept] = np.arange(2, len(kept) + 2)
    return columns, len(kept) + 2


def load_checkpoint(model: Any, file: str = CHECKPOINT) -> Any:
    """Loads your checkpoint into your model, as the grader does, and returns the model in eval mode."""
    from pathlib import Path

    load_into(model, read_checkpoint(Path(file), CHECKPOINT_BYTES), file)
    return model.eval()


@contextlib.contextmanager
def when_answered() -> Iterator[None]:
    """Lets a cell that needs earlier answers say which one is missing, and go on."""
    try:
        yield
    except NotImplementedError as error:
        print(f"This cell needs an answer that is still missing: {error}. Come back after it.")
    except (CheckpointError, DataUnavailableError) as error:
        print(error)
    except NameError as error:
        print(name_to_come(error))


def show_curves(history: Mapping[str, Sequence[float]], best: int, title: str) -> None:
    """Draws train loss and validation accuracy by epoch; a line marks the epoch that was kept (from 1)."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for axis, (name, values) in zip(axes, history.items(), strict=True):
        axis.plot(range(1, len(values) + 1), values, marker="o", color="#0072b2")
        axis.axvline(best, color="#d55e00", linestyle="--", label=f"kept: epoch {best}")
        axis.set(xlabel="epoch", ylabel=name)
        axis.legend()
    figure.suptitle(title)
    show_figure(figure)


def show_interaction(interaction: Any) -> None:
    """Draws the (10, 10) interactions of 5.8 with good words in rows, bad words in columns, zero in the middle of the scale."""
    import matplotlib.pyplot as plt

    values = np.asarray(interaction, dtype=float)
    bound = float(np.abs(values).max()) or 1.0
    figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
    image = axis.imshow(values, cmap="PuOr", vmin=-bound, vmax=bound)
    axis.set_xticks(range(10), BAD, rotation=40, ha="right")
    axis.set_yticks(range(10), GOOD)
    axis.set(
        title='5.8 "not" against "very": good words minus bad words', xlabel="bad word", ylabel="good word"
    )
    for (row, column), value in np.ndenumerate(values):
        axis.text(
            column,
            row,
            f"{value:+.1f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if abs(value) > 0.6 * bound else "black",
        )
    figure.colorbar(image, ax=axis, label="interaction (logits)")
    show_figure(figure)


# probes -----------------------------------------------------------------------------------------------------


@probe("frozen_encoder")
def frozen_encoder_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Builds the student's model on a stand-in encoder that is watched, predicts, and makes one training step.

    The case's args are ids (batch, n), mask (batch, n) and labels (batch,); its kwargs are ``seed`` of the
    encoder,
    ``hidden`` and ``weights`` of GRU and output.

    Returns:
        ``result`` the logits; ``alone`` the logits of each sentence by itself; ``masks`` what the encoder was
        given;
        ``training`` whether any part of it was in train mode after ``model.train()``; ``total``,
        ``trainable`` counts;
        ``learns`` which of ``encoder``, ``gru``, ``output`` one step changed; ``hands_on`` whether train()
        returned the model.
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
    torch.manual_seed(0)
    model = cls(encoder, hidden=options["hidden"])
    own = {name: value for name, value in model.named_parameters() if not name.startswith("encoder.")}
    if set(own) != set(options["weights"]) or not any(part is encoder for part in model.modules()):
        extra, lacks = sorted(set(own) - set(options["weights"])), sorted(set(options["weights"]) - set(own))
        raise MismatchError(
            f"parts must be called encoder, gru and output: parameters lacking {lacks[:3]}, not expected"
            f" {extra[:3]}"
        )
    with torch.no_grad():
        for name, value in options["weights"].items():
            if own[name].shape != value.shape:
                raise MismatchError(
                    f"with hidden={options['hidden']}: {name} has shape {tuple(own[name].shape)}; expected"
                    f" {tuple(value.shape)}"
                )
            own[name].copy_(value)
        model.eval()
        together = model(ids, mask)
        alone = torch.stack(
            [
                model(row[keep][None], keep[keep][None]).reshape(())
                for row, keep in zip(ids, mask, strict=True)
            ]
        )
    masks = [given for given, _ in seen[:1]]
    hands_on = model.train() is model
    in_train_mode = any(part.training for part in encoder.modules())
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    solver = torch.optim.SGD(model.parameters(), lr=0.5)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(ids, mask).reshape(-1), labels)
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
        "alone": encode(alone),
        "masks": encode(masks),
        "training": in_train_mode or any(training for _, training in seen),
        "total": sum(value.numel() for value in model.parameters()),
        "trainable": sum(value.numel() for value in model.parameters() if value.requires_grad),
        "learns": learns,
        "hands_on": hands_on,
    }
    return {"fields": found}


def _toy(options: Mapping[str, Any]) -> Any:
    """A tiny classifier, mean of fixed vectors → dropout → linear, that notes how it is called."""
    import torch
    from torch import nn

    class Toy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = options["table"]
            self.dropout = nn.Dropout(options.get("dropout", 0.0))
            self.linear = nn.Linear(self.table.shape[1], 1)
            self.training_seen: list[bool] = []
            self.gradients_seen: list[bool] = []

        def forward(self, ids: Any, mask: Any) -> Any:
            self.training_seen.append(self.training)
            self.gradients_seen.append(torch.is_grad_enabled())
            weight = mask[..., None].float()
            mean = (self.table[ids] * weight).sum(1) / weight.sum(1)
            return self.linear(self.dropout(mean)).squeeze(-1)

    toy = Toy()
    with torch.no_grad():
        toy.linear.weight.copy_(options["weight"][None])
        toy.linear.bias.copy_(options["bias"])
    toy.train(options["start_in_train"])
    return toy


@probe("training")
def training_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Runs ``train_epoch(model, batches, optimizer)`` or ``evaluate(model, batches)`` on a toy model.

    The case's kwargs are ``table``, ``weight``, ``bias``, ``dropout``, ``start_in_train``, ``batches`` (lists
    of ids,
    mask, labels) and ``lr`` (None for evaluate).

    Returns:
        ``result``: [loss, weight, bias] after training, [loss, accuracy] for evaluation; ``modes`` and
            ``gradients``
        seen in forward; ``mode_after``; ``changed`` whether any weight changed; ``left_gradients``.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    model, batches = _toy(options), [tuple(batch) for batch in options["batches"]]
    weight, bias = model.linear.weight.detach().clone(), model.linear.bias.detach().clone()
    if options["lr"] is None:
        answer = function(model, batches)
        result = list(answer) if isinstance(answer, tuple | list) else answer
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=options["lr"])
        loss = function(model, batches, optimizer)
        result = [loss, model.linear.weight[0], model.linear.bias[0]]
    found = {
        "result": encode(result),
        "modes": model.training_seen,
        "gradients": model.gradients_seen,
        "mode_after": model.training,
        "changed": not (torch.equal(model.linear.weight, weight) and torch.equal(model.linear.bias, bias)),
    }
    return {"fields": found}


@probe("keep_best")
def keep_best_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Runs ``keep_best(model, epochs, train_one_epoch, validate)`` on a scripted training.

    Each epoch adds 1 to the only weight (from 0) and to a buffer; ``validate`` gives the scripted accuracy of
    that weight.

    Returns:
        ``result``: [what the function returned, the weight and the buffer that the model has in the end].
    """
    import torch

    accuracies = decode(case["args"])[0].tolist()
    model: Any = torch.nn.Linear(1, 1, bias=False)
    model.register_buffer("steps", torch.zeros(()))
    calls = {"train": 0, "validate": 0}
    with torch.no_grad():
        model.weight.zero_()

    def train_one_epoch() -> None:
        calls["train"] += 1
        with torch.no_grad():
            model.weight += 1
            model.steps += 1

    def validate() -> float:
        calls["validate"] += 1
        epoch = round(model.weight.item())
        return float(accuracies[epoch - 1]) if 1 <= epoch <= len(accuracies) else 0.5

    returned = function(model, len(accuracies), train_one_epoch, validate)
    kept = [model.weight.item(), model.steps.item()]
    return {
        "fields": {
            "result": encode([returned, *kept]),
            "trained": calls["train"],
            "validated": calls["validate"],
        }
    }


@probe("predict")
def predict_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Runs ``predict_sentiment(text, model, encode, labels)`` with a scripted model and a label map in the given order.

    The case's args are the text; its kwargs are ``scale`` and ``shift`` (logit = shift + scale · number of
    letters) and
    ``labels``, pairs of number and name.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    problems: list[str] = []

    class Scripted(torch.nn.Module):
        def forward(self, ids: Any, mask: Any) -> Any:
            if ids.ndim != 2 or ids.shape[0] != 1 or tuple(mask.shape) != tuple(ids.shape):
                problems.append(
                    f"the model got ids of shape {tuple(ids.shape)} and a mask of shape {tuple(mask.shape)};"
                    " expected (1, n) twice"
                )
            if ids.dtype != torch.int64 or mask.dtype != torch.bool:
                problems.append(
                    f"the model got ids of {ids.dtype} and a mask of {mask.dtype}; expected int64 and bool"
                )
            if not bool(mask.all()):
                problems.append(
                    "the mask hides real tokens: with one sentence there is no padding, all of it is True"
                )
            noise = 25.0 if self.training else 0.0  # as dropout would, only more visibly
            return options["shift"] + noise + options["scale"] * (ids * mask).sum(1).to(torch.float32)

    model = Scripted().train(True)
    answer = function(
        decode(case["args"])[0],
        model,
        lambda text: [len(word) for word in text.split()],
        dict(options["labels"]),
    )
    result = list(answer) if isinstance(answer, tuple | list) else answer
    return {"fields": {"result": encode(result), "problems": problems[:1], "mode_after": model.training}}


# what can be said of a run ----------------------------------------------------------------------------------


def batch_problem(trial: Trial) -> str | None:
    """Whether each sentence gets the same logit alone as in its padded batch (5.5)."""
    problem = compare(
        np.asarray(trial.result["alone"]),
        trial.result["result"],
        rtol=1e-4,
        atol=1e-4,
        what="the batch's logits",
    )
    if problem is None:
        return None
    return (
        "A sentence gets another logit alone than in a padded batch: the padding takes part. The GRU must"
        " stop at the last real token (pack_padded_sequence), and the encoder must be told the mask."
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
            "Your train() does not return the model, so model.eval(), which calls it, gives None. End it with"
            " `return self`."
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
            f" have {heads:,}. Set requires_grad_(False) on the encoder, nowhere else."
        )
    return None


def train_mode_problem(trial: Trial) -> str | None:
    """Whether training runs in train mode, with one forward pass a batch (5.6b)."""
    result, batches = trial.result, len(trial.kwargs["batches"])
    if not all(result["modes"]):
        return (
            "The model was in evaluation mode while it trained, so dropout was off: call model.train() first."
        )
    if len(result["modes"]) != batches:
        return (
            f"The model was called {len(result['modes'])} times for {batches} batches; one forward pass a"
            " batch is asked."
        )
    if not result["changed"]:
        return "No weight changed: is there a backward() and an optimizer.step() for each batch?"
    return None


def evaluation_mode_problem(trial: Trial) -> str | None:
    """Whether evaluation runs in eval mode without gradients, changes nothing and restores the mode (5.6c)."""
    result = trial.result
    if any(result["modes"]):
        return (
            "The model was in train mode while it was evaluated, so dropout was on: call model.eval() first."
        )
    if any(result["gradients"]):
        return "Evaluation kept track of gradients: wrap it in torch.no_grad(), it costs memory and time."
    if result["changed"]:
        return "Evaluation changed the weights."
    if result["mode_after"] != trial.kwargs["start_in_train"]:
        before, after = (
            "train" if mode else "evaluation"
            for mode in (trial.kwargs["start_in_train"], result["mode_after"])
        )
        return (
            f"The model came in {before} mode and left in {after} mode: restore model.training as you"
            " found it."
        )
    return None


def predict_problem(trial: Trial) -> str | None:
    """Whether the model was asked properly (5.7b)."""
    if trial.result["problems"]:
        return f"{trial.result['problems'][0]}."
    return (
        None
        if trial.result["mode_after"]
        else "The model came in train mode and left in evaluation mode: restore it."
    )


def pair_problem(pair: Any) -> str | None:
    """Whether two sentences differ in order only (5.2)."""
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
        return "`same_average_pair` should return two sentences as texts."
    first, second = (glove_tokens(text) for text in pair)
    if not 4 <= len(first) <= 30 or not 4 <= len(second) <= 30:
        return f"Sentences of 4 to 30 tokens are asked; yours have {len(first)} and {len(second)}."
    if first == second:
        return "The two sentences have the same tokens in the same order, so they are the same sentence."
    if sorted(first) != sorted(second):
        one, other = (
            [token for token in a if a.count(token) > b.count(token)]
            for a, b in ((first, second), (second, first))
        )
        return (
            f"The averages differ: only the first has {' '.join(one) or 'nothing'}, only the second has"
            f" {' '.join(other) or 'nothing'}."
        )
    if not {"not", "n't", "no", "never", "without", "nothing", "hardly"} & set(first):
        return (
            "Use a negation (not, n't, no, never, without, nothing, hardly) whose place decides the meaning."
        )
    return None


def _flags(question: str, name: str, *problems: Any) -> None:
    @visible_check(question)
    def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
        lines: list[tuple[bool | None, str]] = []
        for trial in answers[name][:3]:
            for problem in (problem(trial) for problem in problems) if trial.status == "ok" else ():
                if problem:
                    return [(False, f"On {trial.note}: {problem}")]
        return [*lines, (True, "Modes, masks and gradients are as they should be.")]


_flags("5.5", "FrozenEncoderGRU", mask_problem, batch_problem, frozen_problem, learning_problem)
_flags("5.6b", "train_epoch", train_mode_problem)
_flags("5.6c", "evaluate", evaluation_mode_problem)
_flags("5.7b", "predict_sentiment", predict_problem)


@visible_check("5.2")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    trials = answers.get("same_average_pair") or []
    if not trials or trials[0].status != "ok":
        return []
    problem = pair_problem(trials[0].output)
    return [
        (
            problem is None,
            problem or "The two sentences have the same tokens in another order: their averages are equal.",
        )
    ]


__all__ = [
    "BERT_BASE",
    "LABELS",
    "Vectors",
    "find_encoder",
    "load_glove",
    "load_train_validation",
    "make_encoder",
]  # for notebooks
