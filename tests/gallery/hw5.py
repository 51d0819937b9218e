"""Answers to hw5: other right ones and plausible wrong ones. Data: one answer a line where it fits."""

from __future__ import annotations

import io

import numpy as np
import torch

from autograder.author.gallery import right, wrong
from tests.gallery import ROOT

ON_HIDDEN_SENTENCES = "only the hidden sentences tell what the model makes of them, which the check cell does not have"
ON_PAPER = "the numbers are the answer, and a check cell that knew them would give them away"
IN_THE_LOG = "the claim stands in the log alone, which the check cell does not read"

TOKENS, VOCABULARY, UNKNOWN = "tokens", "the vocabulary", "unknown words have number 1"
MASK, LETTER_51 = "ids and mask", "unknown_or_padding"
AVERAGE, COUNTS, AVERAGE_FIT, BAG_FIT, PAIR = (
    "the mean over real tokens", "counts", "averaged vectors: the fitted weights", "bag of words: the fitted weights", "a pair that averaging cannot tell apart",
)
LOGITS, ATTENTION = "logits", "attention weights"
PASSED, ALONE, FROZEN, LEARN = (
    "the attention mask is passed on", "the same logit alone and in a batch", "the encoder is frozen and stays in eval mode", "only GRU and linear learn",
)
TOTAL, TRAINABLE = "total parameters with BERT-base", "trainable parameters with BERT-base"
PAIRED, MEASURED = "the paired difference", "accuracy with its error"
SHARE, STEP, TRAIN_MODE = "the share of right answers", "loss and weights after one epoch", "training runs in train mode"
MEANS, EVAL_MODE, BEST = "loss and accuracy over sentences", "evaluation mode, nothing changed, mode restored", "the best epoch's weights come back"
SINGLE = "one sentence alone"
HIDDEN, LABEL, ASKED, COMPARISON = (
    "accuracy on hidden sentences", "label and probability", "the model is asked properly and left as it was", "model_comparison",
)
LOGIT, ORDER, INTERACTION, RECEIVED, WITHOUT, CLAIM = (
    "logit from scores and votes", "the pair's logits", "the interaction of not and the adjective", "attention received", "the logit without not", "heatmap_claim",
)


def saved(value) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


WEIGHTS = torch.load(ROOT / "solutions" / "hw5_sentiment.pt", weights_only=True)
FLIPPED = {**WEIGHTS, "output.weight": -WEIGHTS["output.weight"], "output.bias": -WEIGHTS["output.bias"]}
UNTRAINED = {name: torch.from_numpy(np.random.default_rng(5).normal(scale=0.1, size=tuple(value.shape))).half() for name, value in WEIGHTS.items()}


def checkpoint(value) -> dict[str, dict[str, bytes]]:
    return {"attachments": {"hw5_sentiment.pt": value if isinstance(value, bytes) else saved(value)}}


FEED = """
x = self.embed(ids)
w = {mask}.unsqueeze(2).float()
mean = {mean}
return {out}
"""


def feed(mask="mask", mean="(x * w).sum(1) / w.sum(1)", out="self.output(torch.tanh(self.hidden(mean))).squeeze(-1)"):
    return {"5.3 forward": FEED.format(mask=mask, mean=mean, out=out)}


ATTEND = """
x = self.embed(ids)
scores = {scores}
weights = {weights}
mixed = weights @ {values}
w = {mean_mask}.unsqueeze(2).float()
logits = {out}
return (logits, weights) if return_weights else logits
"""


def attend(
    scores="self.Qm(x) @ self.Km(x).transpose(1, 2) / 8", weights="scores.masked_fill(~mask[:, None, :], -torch.inf).softmax(-1)", values="self.Vm(x)",
    mean_mask="mask", out="self.output((mixed * w).sum(1) / w.sum(1)).squeeze(-1)",
):
    return {"5.4 forward": ATTEND.format(scores=scores, weights=weights, values=values, mean_mask=mean_mask, out=out)}


GRU = """
{before}states = self.encoder(input_ids=ids{given}).last_hidden_state
packed = nn.utils.rnn.pack_padded_sequence(states, mask.sum(1), batch_first=True, enforce_sorted=False)
_, final = self.gru(packed)
return {out}
"""


def gru(before="", given=", attention_mask=mask.long()", out="self.output(self.dropout(torch.cat([final[-2], final[-1]], 1))).squeeze(1)"):
    return {"5.5 forward": GRU.format(before=before, given=given, out=out)}


NO_PACKING = """
states = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
_, final = self.gru(states)
return self.output(self.dropout(torch.cat([final[-2], final[-1]], 1))).squeeze(1)
"""
UNFROZEN = """
self.encoder = encoder
self.gru = nn.GRU(encoder.config.hidden_size, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout)
self.dropout = nn.Dropout(dropout)
self.output = nn.Linear(2 * hidden, 1)
"""
EVERYTHING_FROZEN = """
self.encoder = encoder
self.gru = nn.GRU(encoder.config.hidden_size, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout)
self.dropout = nn.Dropout(dropout)
self.output = nn.Linear(2 * hidden, 1)
self.requires_grad_(False)
self.output.requires_grad_(True)
"""

TRAIN = """
{mode}
losses, sizes = [], []
for ids, mask, labels in batches:
    {zero}
    loss = {loss}
    loss.backward()
    {step}
    losses.append(loss.item())
    sizes.append(len(labels))
return {back}
"""


def train(mode="model.train()", zero="optimizer.zero_grad()", loss="nn.functional.binary_cross_entropy_with_logits(model(ids, mask), labels)",
          step="optimizer.step()", back="float(np.average(losses, weights=sizes))"):
    return {"5.6b": TRAIN.format(mode=mode, zero=zero, loss=loss, step=step, back=back)}


EVALUATE = """
mode = model.training
{mode}
losses, rights = [], []
with {context}:
    for ids, mask, labels in batches:
        logits = model(ids, mask)
        losses.append(nn.functional.binary_cross_entropy_with_logits({shown}, labels, reduction="none").detach())
        rights.append((({right}) == (labels > 0.5)).float())
{after}
return {back}
"""


def evaluate(mode="model.eval()", context="torch.no_grad()", shown="logits", right="logits > 0", after="model.train(mode)",
             back="torch.cat(losses).mean().item(), torch.cat(rights).mean().item()"):
    return {"5.6c": EVALUATE.format(mode=mode, context=context, shown=shown, right=right, after=after, back=back)}


PREDICT = """
ids = torch.tensor([encode(text)])
mode = model.training
{mode}
with torch.no_grad():
    logit = model(ids, {mask}).item()
{after}
probability = 1 / (1 + np.exp(-logit))
return {back}
"""


def predict(mode="model.eval()", mask="torch.ones_like(ids).bool()", after="model.train(mode)", back='labels[1 if logit > 0 else 0], float(probability)'):
    return {"5.7b": PREDICT.format(mode=mode, mask=mask, after=after, back=back)}


LOGIT_58 = """
s = np.array(scores, dtype=float)
{forbid}
a = np.exp(s - s.max({axis}, keepdims=True))
a = a / a.sum({axis}, keepdims=True)
{after}
return {back}
"""


def logit(forbid="s[:, list(forbidden)] = -1e300", axis="1", after="pass", back="bias + float(np.mean(a @ votes))"):
    return {"5.8 function": LOGIT_58.format(forbid=forbid, axis=axis, after=after, back=back)}


def measures(**changed: str) -> dict[str, str]:
    """The reference's measures by another way, some of them changed; the tables speak for themselves."""
    lines = {
        "order_logits": "np.array([f('not good , bad'), f('not bad , good')])",
        "interaction": "np.array([[f(F.format('not', g)) - f(F.format('very', g)) - f(F.format('not', b)) + f(F.format('very', b)) for b in BAD] for g in GOOD])",
        "received": "np.array([6 * soft(F.format('not', w)).mean(0)[3:5] for w in GOOD + BAD])",
        "without_not": "np.array([f(F.format('not', g), 3) - f(F.format('not', g)) for g in GOOD])",
    } | changed
    return {"5.8 measures": SOFT + "".join(f"{name} = {code}\n" for name, code in lines.items())}


SOFT = """
F = "the film is {} {} ."

def soft(sentence, out=None):
    s = given_scores(sentence.split()).copy()
    if out is not None:
        s[:, out] = -1e9
    return torch.softmax(torch.from_numpy(s), 1).numpy()

def f(sentence, out=None):
    return GIVEN_BIAS + float((soft(sentence, out) @ given_votes(sentence.split())).mean())

"""

EXAMPLES = [
    # 5.1a
    right("5.1a", "with loops and dicts", {
        "5.1a tokens": """
endings = ["n't", "'s", "'re", "'ve", "'m", "'ll", "'d"]
tokens = []
for piece in re.sub(r"(n't\\b|'(?:s|re|ve|m|ll|d)\\b)", r" \\1 ", text.lower()).split():
    if piece in endings:
        tokens.append(piece)
        continue
    run = ""
    for mark in piece + " ":
        if mark.isalnum() or mark == "_":
            run += mark
            continue
        if run:
            tokens.append(run)
        run = ""
        if mark != " ":
            tokens.append(mark)
return tokens
""",
        "5.1a vocabulary": """
counts = {}
for tokens in texts:
    for word in tokens:
        counts[word] = counts.get(word, 0) + 1
words = sorted(word for word in counts if counts[word] >= min_count)
words.sort(key=counts.get, reverse=True)
return ["<pad>", "<unk>"] + words
""",
        "5.1a unknown": "return np.array([index[token] if token in index else 1 for token in tokens])",
    }),
    wrong("5.1a", "split at blanks", {"5.1a tokens": "return text.lower().split()"}, loses=[TOKENS], says="splitting at spaces is not enough"),
    wrong("5.1a", "hyphens kept within words", {"5.1a tokens": """return re.findall(r"n't\\b|'(?:s|re|ve|m|ll|d)\\b|[\\w-]+?(?=n't\\b)|\\w+(?:-\\w+)*|[^\\w\\s]", text.lower())"""}, loses=[TOKENS], says="Hyphens are marks, too"),
    wrong("5.1a", "capitals kept", {"5.1a tokens": """return re.findall(r"n't\\b|'(?:s|re|ve|m|ll|d)\\b|\\w+?(?=n't\\b)|\\w+|[^\\w\\s]", text)"""}, loses=[TOKENS], says="lower-case the text first"),
    wrong("5.1a", "words with apostrophes kept whole", {"5.1a tokens": """return re.findall(r"[a-z0-9]+(?:'[a-z0-9]+)*|[^\\sa-z0-9]", text.lower())"""}, loses=[TOKENS], says="You do not split words with apostrophes"),
    wrong("5.1a", "isn and 't", {"5.1a tokens": """return re.findall(r"'(?:t|s|re|ve|m|ll|d)\\b|\\w+|[^\\w\\s]", text.lower())"""}, loses=[TOKENS], says="the n belongs to n't"),
    wrong("5.1a", "apostrophes split", {"5.1a tokens": 'return re.findall(r"\\w+|[^\\w\\s]", text.lower())'}, loses=[TOKENS], says="You make every apostrophe a token"),
    wrong("5.1a", "isn, ' and t", {"5.1a tokens": """return re.findall(r"n't\\b|'(?:s|re|ve|m|ll|d)\\b|\\w+|[^\\w\\s]", text.lower())"""}, loses=[TOKENS], says="ends before an n't"),
    wrong("5.1a", "marks that stand together", {"5.1a tokens": """return re.findall(r"n't\\b|'(?:s|re|ve|m|ll|d)\\b|\\w+?(?=n't\\b)|\\w+|[^\\w\\s]+", text.lower())"""}, loses=[TOKENS], says="each mark is a separate token"),
    wrong("5.1a", "an s behind an opening quote", {"5.1a tokens": """return re.findall(r"n't|'(?:s|re|ve|m|ll|d)|\\w+?(?=n't)|\\w+|[^\\w\\s]", text.lower())"""}, loses=[TOKENS], says="only at the end of a word"),
    wrong("5.1a", "no special tokens", {"5.1a vocabulary": "c = Counter(w for t in texts for w in t)\nreturn sorted((w for w in c if c[w] >= min_count), key=lambda w: (-c[w], w))"}, loses=[VOCABULARY], says="<pad> comes first"),
    wrong("5.1a", "more than min_count", {"5.1a vocabulary": "c = Counter(w for t in texts for w in t)\nreturn ['<pad>', '<unk>'] + sorted((w for w in c if c[w] > min_count), key=lambda w: (-c[w], w))"}, loses=[VOCABULARY], says="exactly min_count times stays"),
    wrong("5.1a", "unknown as padding", {"5.1a unknown": "return [index.get(token, 0) for token in tokens]"}, loses=[UNKNOWN], says="became 0, which is padding"),
    wrong("5.1a", "unknown dropped", {"5.1a unknown": "return [index[token] for token in tokens if token in index]"}, loses=[UNKNOWN], says="were dropped"),
    wrong("5.1a", "None for unknown words", {"5.1a unknown": "return [index.get(token) for token in tokens]"}, loses=[UNKNOWN], says="should hold numbers, but it holds None"),
    wrong("5.1a", "unknown raises", {"5.1a unknown": "return [index[token] for token in tokens]"}, loses=[UNKNOWN], says="KeyError"),
    # 5.1b
    right("5.1b", "torch's pad_sequence and lengths", {"5.1b": """
lengths = torch.tensor([len(s) for s in sequences])
ids = nn.utils.rnn.pad_sequence([torch.tensor(s) for s in sequences], batch_first=True)
return ids, torch.arange(ids.shape[1]) < lengths[:, None]
"""}),
    wrong("5.1b", "mask inverted", {"5.1b": "ids = nn.utils.rnn.pad_sequence([torch.tensor(s) for s in sequences], batch_first=True)\nreturn ids, ids == 0"}, loses=[MASK], shows="matrix", says="The mask is inverted"),
    wrong("5.1b", "unknown words hidden", {"5.1b": "ids = nn.utils.rnn.pad_sequence([torch.tensor(s) for s in sequences], batch_first=True)\nreturn ids, ids > 1"}, loses=[MASK], says="hides unknown words"),
    wrong("5.1b", "padded with the unknown word", {"5.1b": "n = max(map(len, sequences))\nreturn torch.tensor([list(s) + [1] * (n - len(s)) for s in sequences]), torch.tensor([[True] * len(s) + [False] * (n - len(s)) for s in sequences])"}, loses=[MASK], says="You padded with 1"),
    wrong("5.1b", "padded on the left", {"5.1b": "n = max(map(len, sequences))\nreturn torch.tensor([[0] * (n - len(s)) + list(s) for s in sequences]), torch.tensor([[False] * (n - len(s)) + [True] * len(s) for s in sequences])"}, loses=[MASK], says="padded on the left"),
    wrong("5.1b", "a mask of numbers", {"5.1b": "ids = nn.utils.rnn.pad_sequence([torch.tensor(s) for s in sequences], batch_first=True)\nreturn ids, (ids > 0).long()"}, loses=[MASK], says="expected bool"),
    wrong("5.1b", "ids as floats", {"5.1b": "ids = nn.utils.rnn.pad_sequence([torch.tensor(s) for s in sequences], batch_first=True)\nreturn ids.float(), ids != 0"}, loses=[MASK], says="ids of float32"),
    wrong("5.1b", "the wrong letter", {"5.1b choice": 'unknown_or_padding = "A"'}, loses=[LETTER_51], says="takes no part in any mean"),
    # 5.2
    right("5.2", "loops and another pair", {
        "5.2 average": "return torch.stack([table[row[keep]].mean(0) for row, keep in zip(ids, mask)])",
        "5.2 counts": "return torch.stack([torch.bincount(row[keep], minlength=n_words).float() for row, keep in zip(ids, mask)])",
        "5.2 pair": 'return "It is never dull, it is funny.", "It is never funny, it is dull."',
    }),
    wrong("5.2", "padding averaged and counted", {
        "5.2 average": "return table[ids].mean(1)", "5.2 counts": "return nn.functional.one_hot(ids, n_words).sum(1).float()",
    }, loses=[AVERAGE, COUNTS], says="Padding is averaged, too"),
    wrong("5.2", "mean over features", {"5.2 average": "return table[ids].mean(2)"}, loses=[AVERAGE], says="average over the tokens (axis 1)"),
    wrong("5.2", "divided by the padded length, presence instead of counts", {
        "5.2 average": "return (table[ids] * mask[..., None]).mean(1)",
        "5.2 counts": "return (torch.zeros(len(ids), n_words).scatter_add_(1, ids, mask.float()) > 0).float()",
    }, loses=[AVERAGE, COUNTS], says="divide by the padded length"),
    wrong("5.2", "labels flipped in the fit", claims={"average_weights": np.r_[1.0, np.zeros(49)], "average_bias": -9.0}, loses=[AVERAGE_FIT], says="Did the fitting cell run", visible=IN_THE_LOG),
    wrong("5.2", "weights made up", claims={"average_weights": np.ones(50), "bag_weights": np.ones(5912)}, loses=[AVERAGE_FIT, BAG_FIT], says="validation sentences right", visible=IN_THE_LOG),
    wrong("5.2", "divided by the batch's real tokens, mask of the counts inverted", {"5.2 average": "return (table[ids] * mask[..., None]).sum(1) / mask.sum()", "5.2 counts": "return torch.zeros(len(ids), n_words).scatter_add_(1, ids, (~mask).float())"}, loses=[AVERAGE, COUNTS], says="real tokens in the whole batch"),
    wrong("5.2", "a bag of the whole table", claims={"bag_weights": np.zeros(17375)}, loses=[BAG_FIT], says="17,375 numbers", visible=IN_THE_LOG),
    right("5.2", "another word that negates", {"5.2 pair": 'return "none of it is good , all is bad", "none of it is bad , all is good"'}),
    wrong("5.2", "a pair with other words", {"5.2 pair": 'return "this film is not good", "this film is very good"'}, loses=[PAIR], says="More often in the first: 'not'; in the second: 'very'"),
    wrong("5.2", "the same sentence twice", {"5.2 pair": 'return "this film is not good", "This film is NOT good"'}, loses=[PAIR], says="the same sentence"),
    wrong("5.2", "no negation", {"5.2 pair": 'return "the dog bites the man", "the man bites the dog"'}, loses=[PAIR], says="Use a negation"),
    # 5.3
    right("5.3", "loops over sentences", {"5.3 forward": "means = torch.stack([self.embed(row[keep]).mean(0) for row, keep in zip(ids, mask)])\nreturn self.output(self.hidden(means).tanh()).flatten()"}),
    right("5.3", "a table with padding_idx and einsum", {
        "5.3 layers": "self.embed = nn.Embedding(n_words, d_model, padding_idx=0)\nself.hidden = nn.Linear(d_model, hidden)\nself.output = nn.Linear(hidden, 1)",
        "5.3 forward": "share = mask.float() / mask.sum(1, keepdim=True)\nreturn self.output(torch.tanh(self.hidden(torch.einsum('bn,bnd->bd', share, self.embed(ids)))))[:, 0]",
    }),
    wrong("5.3", "mean over features", feed(mean="x.mean(2)"), loses=[LOGITS], says="it must be over tokens"),
    wrong("5.3", "padding averaged", feed(mean="x.mean(1)"), loses=[LOGITS], says="Padding is averaged, too"),
    wrong("5.3", "mask inverted", feed(mask="(~mask)", mean="(x * w).sum(1) / w.sum(1).clamp(min=1)"), loses=[LOGITS], says="wrong way around"),
    wrong("5.3", "sigmoid before the loss", feed(out="torch.sigmoid(self.output(torch.tanh(self.hidden(mean)))).squeeze(-1)"), loses=[LOGITS], says="Return raw logits"),
    wrong("5.3", "every axis of size 1 squeezed", feed(out="self.output(torch.tanh(self.hidden(mean))).squeeze()"), loses=[LOGITS], says="has shape ()"),
    wrong("5.3", "relu", feed(out="self.output(torch.relu(self.hidden(mean))).squeeze(-1)"), loses=[LOGITS], says="That is a ReLU"),
    wrong("5.3", "a column of logits", feed(out="self.output(torch.tanh(self.hidden(mean)))"), loses=[LOGITS], says="has shape"),
    wrong("5.3", "divided by the padded length", feed(mean="(x * w).mean(1)"), loses=[LOGITS], says="divide by the padded length"),
    wrong("5.3", "detached", feed(out="self.output(torch.tanh(self.hidden(mean))).squeeze(-1).detach()"), loses=[LOGITS], says="No gradient reaches `embed.weight`"),
    wrong("5.3", "dropout that is always on", feed(out="self.output(nn.functional.dropout(torch.tanh(self.hidden(mean)))).squeeze(-1)"), loses=[LOGITS], says="F.dropout is on unless it is told"),
    wrong("5.3", "no bias in the hidden layer", {"5.3 layers": "self.embed = nn.Embedding(n_words, d_model)\nself.hidden = nn.Linear(d_model, hidden, bias=False)\nself.output = nn.Linear(hidden, 1)"}, loses=[LOGITS], says="it has no parameter hidden.bias"),
    wrong("5.3", "tanh before the hidden layer", feed(out="self.output(self.hidden(torch.tanh(mean))).squeeze(-1)"), loses=[LOGITS], says="The tanh is on the mean"),
    wrong("5.3", "the last token", feed(mean="x[torch.arange(len(ids)), mask.sum(1) - 1]"), loses=[LOGITS], says="You classify the last token"),
    wrong("5.3", "divided by the root of the length", feed(mean="(x * w).sum(1) / w.sum(1).sqrt()"), loses=[LOGITS], says="the square root of the number"),
    # 5.4
    right("5.4", "one sentence at a time", {"5.4 forward": """
logits, maps = [], torch.zeros(*ids.shape, ids.shape[1])
for row, (tokens, keep) in enumerate(zip(ids, mask)):
    x = self.embed(tokens[keep])
    a = torch.softmax(self.Qm(x) @ self.Km(x).T / 64**0.5, 1)
    n = len(x)
    maps[row, :n, :n] = a.detach()
    logits.append(self.output((a @ self.Vm(x)).mean(0))[0])
logits = torch.stack(logits)
return (logits, maps) if return_weights else logits
"""}),
    right("5.4", "an additive mask of −1e9", attend(values="self.Vm(x)", weights="torch.softmax(scores + torch.where(mask, 0.0, -1e9)[:, None, :], 2)")),
    wrong("5.4", "the attention transposed", {"5.4 forward": attend()["5.4 forward"].replace("(logits, weights)", "(logits, weights.mT)")}, loses=[ATTENTION], says="the attention is transposed"),
    wrong("5.4", "softmax before the head", attend(out="torch.sigmoid(self.output((mixed * w).sum(1) / w.sum(1))).squeeze(-1)"), loses=[LOGITS], says="Return raw logits"),
    wrong("5.4", "padding attended", attend(weights="scores.softmax(-1)"), loses=[LOGITS, ATTENTION], shows="attention", says="Padding is attended to"),
    wrong("5.4", "every axis of size 1 squeezed", attend(out="self.output((mixed * w).sum(1) / w.sum(1)).squeeze()"), loses=[LOGITS], says="has shape ()"),
    wrong("5.4", "no mask at all", attend(weights="scores.softmax(-1)", out="self.output(mixed.mean(1)).squeeze(-1)"), loses=[LOGITS, ATTENTION], says="the mask must act twice"),
    wrong("5.4", "padding averaged", attend(out="self.output(mixed.mean(1)).squeeze(-1)"), loses=[LOGITS], says="the mean must run over real tokens"),
    wrong("5.4", "mask inverted", attend(weights="scores.masked_fill(mask[:, None, :], -1e30).softmax(-1)"), loses=[LOGITS, ATTENTION], says="The mask is inverted in the attention"),
    wrong("5.4", "queries masked as well", attend(weights="scores.masked_fill(~(mask[:, :, None] & mask[:, None, :]), -torch.inf).softmax(-1)"), loses=[LOGITS], says="the softmax of these rows is NaN"),
    wrong("5.4", "no scale", attend(scores="self.Qm(x) @ self.Km(x).transpose(1, 2)"), loses=[LOGITS, ATTENTION], says="lack the scale"),
    wrong("5.4", "softmax over queries", attend(weights="scores.masked_fill(~mask[:, None, :], -1e30).softmax(1)"), loses=[LOGITS, ATTENTION], says="runs over the queries"),
    wrong("5.4", "queries and keys swapped", attend(scores="self.Km(x) @ self.Qm(x).transpose(1, 2) / 8"), loses=[LOGITS, ATTENTION], says="Queries and keys are swapped"),
    wrong("5.4", "values forgotten", attend(values="x"), loses=[LOGITS], says="the map Vm is not used"),
    wrong("5.4", "scale of the word vectors", attend(scores="self.Qm(x) @ self.Km(x).transpose(1, 2) / x.shape[-1] ** 0.5"), loses=[LOGITS, ATTENTION], says="√d of the word vectors"),
    wrong("5.4", "divided by the padded length", attend(out="self.output((mixed * w).mean(1)).squeeze(-1)"), loses=[LOGITS], says="divide by the padded length"),
    right("5.4", "torch's own function, which is noted for the instructor", {"5.4 forward": attend()["5.4 forward"].replace("mixed = weights @ self.Vm(x)", "mixed = nn.functional.scaled_dot_product_attention(self.Qm(x), self.Km(x), self.Vm(x), mask[:, None, :])")}, noted="uses `scaled_dot_product_attention`"),
    wrong("5.4", "one map for queries and keys", attend(scores="self.Qm(x) @ self.Qm(x).transpose(1, 2) / 8"), loses=[LOGITS, ATTENTION], says="come from one map (Qm, …)"),
    wrong("5.4", "attention without gradients", attend(weights="scores.detach().masked_fill(~mask[:, None, :], -torch.inf).softmax(-1)"), loses=[LOGITS], says="No gradient reaches `Qm.weight`, `Km.weight`"),
    wrong("5.4", "weights forgotten", {"5.4 forward": attend()["5.4 forward"].replace("(logits, weights) if return_weights else logits", "logits")}, loses=[ATTENTION], says="should return two values"),
    wrong("5.4", "padding gets the score −20, which is high among low scores", attend(weights="scores.masked_fill(~mask[:, None, :], -20.0).softmax(-1)"), loses=[LOGITS, ATTENTION], says="high among low scores. Set them to −∞"),
    wrong("5.4", "mask inverted, with −∞", attend(weights="scores.masked_fill(mask[:, None, :], -torch.inf).softmax(-1)"), loses=[LOGITS, ATTENTION], says="all scores are −∞, and their softmax is NaN"),
    wrong("5.4", "softmax over queries, with −∞", attend(weights="scores.masked_fill(~mask[:, None, :], -torch.inf).softmax(1)"), loses=[LOGITS, ATTENTION], says="a column of padding is −∞ alone"),
    wrong("5.4", "word vectors of padding set to 0 instead of a mask", {"5.4 forward": attend(weights="scores.softmax(-1)")["5.4 forward"].replace("self.embed(ids)", "self.embed(ids) * mask[..., None]")}, loses=[LOGITS, ATTENTION], says="still gets the weight e⁰"),
    # 5.5
    right("5.5", "gradients kept by requires_grad alone; the GRU over lengths", gru() | {"5.5 mode": "def train(self, mode=True):\n    super().train(mode)\n    self.encoder.train(False)\n    return self"}),
    right("5.5", "states of each sentence cut by hand", {"5.5 forward": """
with torch.no_grad():
    states = self.encoder(ids, mask.int())[0]
finals = []
for row, keep in zip(states, mask):
    _, final = self.gru(row[keep][None])
    finals.append(final[-2:].reshape(-1))
return self.output(self.dropout(torch.stack(finals)))[:, 0]
"""}),
    wrong("5.5", "the mask not passed on", gru(given=""), loses=[LOGITS, PASSED, ALONE], says="pass attention_mask=mask"),
    wrong("5.5", "the mask inverted", gru(given=", attention_mask=(~mask).long()"), loses=[LOGITS, PASSED, ALONE], says="inverted"),
    wrong("5.5", "the GRU reads padding", {"5.5 forward": NO_PACKING}, loses=[LOGITS, ALONE], says="pack_padded_sequence"),
    wrong("5.5", "gradients through the encoder", gru() | {"5.5 layers": UNFROZEN}, loses=[FROZEN, LEARN, TRAINABLE], says="gradients flow through it"),
    wrong("5.5", "states detached, but requires_grad left on", {"5.5 layers": UNFROZEN, "5.5 forward": gru()["5.5 forward"].replace("_state\n", "_state.detach()\n")}, loses=[LEARN, TRAINABLE], says="parameters are trainable"),
    wrong("5.5", "train mode reaches the encoder", {"5.5 mode": "pass"}, loses=[FROZEN], says="Override train()"),
    wrong("5.5", "the GRU frozen too", {"5.5 layers": EVERYTHING_FROZEN}, loses=[LEARN, TRAINABLE], says="did not change gru"),
    wrong("5.5", "a sigmoid", gru(out="torch.sigmoid(self.output(torch.cat([final[-2], final[-1]], 1))).squeeze(1)"), loses=[LOGITS], says="Return raw logits"),
    wrong("5.5", "directions and sentences mixed by a reshape", gru(out="self.output(final[-2:].reshape(len(ids), -1)).squeeze(1)"), loses=[LOGITS, ALONE], says="a reshape to (batch, ·) mixes"),
    wrong("5.5", "directions swapped", gru(out="self.output(torch.cat([final[-1], final[-2]], 1)).squeeze(1)"), loses=[LOGITS], says="directions are swapped"),
    wrong("5.5", "counts without the head, and everything trainable", {"5.5 counts": "bert_total = 109482240\nbert_trainable = 112241409"}, loses=[TOTAL, TRAINABLE], says="That is the encoder alone", visible=ON_PAPER),
    wrong("5.5", "counts without the pooler, one direction", {"5.5 counts": "bert_total = 111650817\nbert_trainable = 1379585"}, loses=[TOTAL, TRAINABLE], says="left out the pooler", visible=ON_PAPER),
    wrong("5.5", "the first layer's states", gru(out="self.output(torch.cat([final[0], final[1]], 1)).squeeze(1)"), loses=[LOGITS], says="These are the first layer's states"),
    wrong("5.5", "every axis of size 1 squeezed", gru(out="self.output(self.dropout(torch.cat([final[-2], final[-1]], 1))).squeeze()"), loses=[ALONE], says="One sentence alone gives a logit of shape ()"),
    wrong("5.5", "no dropout before the output", gru(out="self.output(torch.cat([final[-2], final[-1]], 1)).squeeze(1)"), loses=[LOGITS], says="reads the final states without dropout"),
    wrong("5.5", "no dropout between the layers", {"5.5 layers": UNFROZEN.replace("self.encoder = encoder", "self.encoder = encoder.requires_grad_(False)").replace(", dropout=dropout)", ")")}, loses=[LOGITS], says="no dropout between its layers"),
    wrong("5.5", "lengths that must be sorted", {"5.5 forward": gru()["5.5 forward"].replace(", enforce_sorted=False", "")}, loses=[LOGITS, PASSED, ALONE, FROZEN, LEARN], says="must be sorted"),
    wrong("5.5", "the output reads one direction", {"5.5 layers": UNFROZEN.replace("self.encoder = encoder", "self.encoder = encoder.requires_grad_(False)").replace("2 * hidden", "hidden")} | gru(out="self.output(self.dropout(final[-1])).squeeze(1)"), loses=[LOGITS, PASSED, ALONE, FROZEN, LEARN, TOTAL, TRAINABLE], says="it reads both directions"),
    wrong("5.5", "train() returns nothing", {"5.5 mode": "def train(self, mode=True):\n    super().train(mode)\n    self.encoder.eval()"}, loses=[FROZEN], says="does not return the model"),
    wrong("5.5", "train() does not hand the mode on", {"5.5 mode": "def train(self, mode=True):\n    super().train()\n    self.encoder.eval()\n    return self"}, loses=[LOGITS, ALONE], says="the model is still in train mode"),
    wrong("5.5", "dropout that is always on", gru(out="self.output(nn.functional.dropout(torch.cat([final[-2], final[-1]], 1), 0.25)).squeeze(1)"), loses=[LOGITS, ALONE], says="something random is left on"),
    wrong("5.5", "a copy of the encoder", {"5.5 layers": UNFROZEN.replace("self.encoder = encoder", "self.encoder = copy.deepcopy(encoder).requires_grad_(False)")}, loses=[LOGITS, PASSED, ALONE, FROZEN, LEARN], says="not a copy of it"),
    wrong("5.5", "counts in millions", {"5.5 counts": "bert_total = 112.24\nbert_trainable = 2.76"}, loses=[TOTAL, TRAINABLE], says="a whole number", visible=ON_PAPER),
    # 5.5b
    right("5.5b", "by counts of who alone is right", {"5.5b pair": """
n = len(right_one)
first, second = int((right_one & ~right_other).sum()), int((right_other & ~right_one).sum())
mean = (first - second) / n
return mean, ((first + second) / n - mean**2) ** 0.5 / n**0.5
"""}),
    right("5.5b", "torch", {"5.5b pair": "d = torch.as_tensor(right_one).double() - torch.as_tensor(right_other).double()\nreturn [d.mean(), d.std(correction=0) / len(d) ** 0.5]"}),
    wrong("5.5b", "two independent samples", {"5.5b pair": "a, b = np.asarray(right_one, float), np.asarray(right_other, float)\nreturn a.mean() - b.mean(), np.sqrt((a.var() + b.var()) / len(a))"}, loses=[PAIRED], says="two independent samples"),
    wrong("5.5b", "the spread", {"5.5b pair": "d = np.asarray(right_one, float) - np.asarray(right_other, float)\nreturn d.mean(), d.std()"}, loses=[PAIRED], says="smaller by a factor of √n"),
    wrong("5.5b", "divided by n", {"5.5b pair": "d = np.asarray(right_one, float) - np.asarray(right_other, float)\nreturn d.mean(), d.std() / len(d)"}, loses=[PAIRED], says="divide by √n"),
    wrong("5.5b", "the other sign", {"5.5b pair": "d = np.asarray(right_other, float) - np.asarray(right_one, float)\nreturn d.mean(), d.std() / len(d) ** 0.5"}, loses=[PAIRED], says="The sign is wrong"),
    wrong("5.5b", "percent", {"5.5b pair": "d = 100 * (np.asarray(right_one, float) - np.asarray(right_other, float))\nreturn d.mean(), d.std() / len(d) ** 0.5"}, loses=[PAIRED], says="These are percentages"),
    wrong("5.5b", "ddof 1", {"5.5b pair": "d = np.asarray(right_one, float) - np.asarray(right_other, float)\nreturn d.mean(), d.std(ddof=1) / len(d) ** 0.5"}, loses=[PAIRED], says="with ddof=1"),
    wrong("5.5b", "the sign lost", {"5.5b pair": "d = np.asarray(right_one, float) - np.asarray(right_other, float)\nreturn abs(d.mean()), d.std() / len(d) ** 0.5"}, loses=[PAIRED], says="The sign is lost"),
    right("5.5b", "one array of float32", {"5.5b error": "r = np.asarray(right, dtype=np.float32)\nreturn np.array([r.mean(), r.std() / np.sqrt(np.float32(len(r)))])"}),
    right("5.5b", "by the spread", {"5.5b error": "return float(np.mean(right)), float(np.std(right)) / len(right) ** 0.5"}),
    wrong("5.5b", "not divided by √n", {"5.5b error": "return np.mean(right), np.std(right)"}, loses=[MEASURED], says="divide by √n"),
    wrong("5.5b", "n outside the root", {"5.5b error": "return np.mean(right), np.std(right) / len(right)"}, loses=[MEASURED], says="outside the root"),
    wrong("5.5b", "the root forgotten", {"5.5b error": "return np.mean(right), np.var(right) / len(right)"}, loses=[MEASURED], says="The root is missing"),
    # 5.6a
    right("5.6a", "by the rounded sigmoid", {"5.6a": "return float((torch.round(torch.sigmoid(logits)) == labels).float().mean())"}),
    wrong("5.6a", "logits against 0.5", {"5.6a": "return ((logits > 0.5) == (labels > 0.5)).float().mean().item()"}, loses=[SHARE], says="probability 0.5 is logit 0"),
    wrong("5.6a", "the number", {"5.6a": "return ((logits > 0) == (labels > 0.5)).float().sum().item()"}, loses=[SHARE], says="not their share"),
    wrong("5.6a", "flipped labels", {"5.6a": "return ((logits < 0) == (labels > 0.5)).float().mean().item()"}, loses=[SHARE], says="a label is flipped"),
    wrong("5.6a", "floor division", {"5.6a": "return ((logits > 0) == (labels > 0.5)).sum().item() // len(labels)"}, loses=[SHARE], says="divide with /"),
    wrong("5.6a", "recall", {"5.6a": "return (logits > 0)[labels > 0.5].float().mean().nan_to_num().item()"}, loses=[SHARE], says="That is the recall"),
    wrong("5.6a", "rounded logits", {"5.6a": "return (torch.round(logits) == labels).float().mean().item()"}, loses=[SHARE], says="apply the sigmoid first"),
    wrong("5.6a", "two sigmoids", {"5.6a": "return ((torch.sigmoid(torch.sigmoid(logits)) > 0.5) == (labels > 0.5)).float().mean().item()"}, loses=[SHARE], says="apply the sigmoid twice"),
    wrong("5.6a", "F1", {"5.6a": "said, true = logits > 0, labels > 0.5\nreturn (2 * (said & true).sum() / (said.sum() + true.sum()).clamp(min=1)).item()"}, loses=[SHARE], says="That is the F1 score"),
    # 5.6b
    right("5.6b", "gradients cleared after the step, loss class", train(zero="pass", loss="nn.BCEWithLogitsLoss()(model(ids, mask), labels)", step="optimizer.step(); optimizer.zero_grad()")),
    wrong("5.6b", "eval mode left on", train(mode="model.eval()"), loses=[TRAIN_MODE], says="call model.train() first"),
    wrong("5.6b", "no zero_grad", train(zero="pass"), loses=[STEP], says="Gradients accumulate"),
    wrong("5.6b", "a sigmoid before the loss", train(loss="nn.functional.binary_cross_entropy_with_logits(torch.sigmoid(model(ids, mask)), labels)"), loses=[STEP], says="which applies it itself"),
    wrong("5.6b", "no step", train(step="pass"), loses=[STEP], says="optimizer.step()"),
    wrong("5.6b", "the batches' losses added", train(back="float(np.sum(losses))"), loses=[STEP], says="losses of the batches are added"),
    wrong("5.6b", "mean of batch means", train(back="float(np.mean(losses))"), loses=[STEP], says="averaged over sentences"),
    wrong("5.6b", "labels flipped", train(loss="nn.functional.binary_cross_entropy_with_logits(model(ids, mask), 1 - labels)"), loses=[STEP], says="labels are flipped"),
    wrong("5.6b", "gradients cleared before the step", train(zero="pass", step="optimizer.zero_grad()\n    optimizer.step()"), loses=[STEP], says="with no zero_grad() between the two"),
    wrong("5.6b", "padding told to be real", train(loss="nn.functional.binary_cross_entropy_with_logits(model(ids, torch.ones_like(mask)), labels)"), loses=[STEP], says="told that padding is real"),
    wrong("5.6b", "summed loss", train(loss="nn.functional.binary_cross_entropy_with_logits(model(ids, mask), labels, reduction='sum')", back="float(np.sum(losses) / np.sum(sizes))"), loses=[STEP], says="use the mean of each batch"),
    wrong("5.6b", "means added, divided by the sentences", train(back="float(np.sum(losses) / np.sum(sizes))"), loses=[STEP], says="multiply each mean by the size of its batch"),
    wrong("5.6b", "labels in front of logits", train(loss="nn.functional.binary_cross_entropy_with_logits(labels, model(ids, mask))"), loses=[STEP], says="arguments of the loss are swapped"),
    wrong("5.6b", "averaged over tokens", {"5.6b": train()["5.6b"].replace("sizes.append(len(labels))", "sizes.append(mask.sum().item())")}, loses=[STEP], says="averaged over tokens"),
    right("5.6b", "gradients clipped to 1, which changes none of these", train(step="nn.utils.clip_grad_norm_(model.parameters(), 1.0); optimizer.step()")),
    # 5.6c
    right("5.6c", "inference mode and means", evaluate(context="torch.inference_mode()")),
    wrong("5.6c", "train mode left on", evaluate(mode="pass"), loses=[EVAL_MODE], says="call model.eval() first"),
    wrong("5.6c", "gradients kept", evaluate(context="torch.enable_grad()"), loses=[EVAL_MODE], says="torch.no_grad()"),
    wrong("5.6c", "gradients switched off and left off", evaluate(mode="torch.set_grad_enabled(False); model.eval()"), loses=[EVAL_MODE], says="left recording of gradients changed"),
    wrong("5.6c", "a seed set", evaluate(mode="torch.manual_seed(0); model.eval()"), loses=[EVAL_MODE], says="left the seed of torch's random numbers changed"),
    wrong("5.6c", "the model never asked", {"5.6c": "return 0.0, 0.0"}, loses=[MEANS, EVAL_MODE], says="The model was never called"),
    wrong("5.6c", "mode not restored", evaluate(after="pass"), loses=[EVAL_MODE], says="restore model.training"),
    wrong("5.6c", "always train mode after", evaluate(after="model.train()"), loses=[EVAL_MODE], says="in train mode afterwards"),
    wrong("5.6c", "means of batches", evaluate(back="float(np.mean([x.mean() for x in losses])), float(np.mean([x.mean() for x in rights]))"), loses=[MEANS], says="must be over sentences"),
    wrong("5.6c", "accuracy by batch", evaluate(back="torch.cat(losses).mean().item(), float(np.mean([x.mean() for x in rights]))"), loses=[MEANS], says="Accuracy is averaged over batches"),
    wrong("5.6c", "sigmoid before the loss", evaluate(shown="torch.sigmoid(logits)"), loses=[MEANS], says="which applies it itself"),
    wrong("5.6c", "logits against 0.5", evaluate(right="logits > 0.5"), loses=[MEANS], says="probability 0.5 is logit 0"),
    wrong("5.6c", "loss by batch", evaluate(back="float(np.mean([one.mean() for one in losses])), torch.cat(rights).float().mean().item()"), loses=[MEANS], says="The loss is averaged over batches"),
    wrong("5.6c", "the mode of the outer module alone", evaluate(mode="model.training = False"), loses=[EVAL_MODE], says="was in train mode while it was evaluated"),
    wrong("5.6c", "accuracy first", evaluate(back="torch.cat(rights).float().mean().item(), torch.cat(losses).mean().item()"), loses=[MEANS], says="are swapped"),
    # 5.6d
    right("5.6d", "tensors cloned, every epoch kept", {"5.6d": """
accuracies, states = [], []
for _ in range(epochs):
    train_one_epoch()
    accuracies.append(validate())
    states.append({name: value.clone() for name, value in model.state_dict().items()})
model.load_state_dict(states[int(np.argmax(accuracies))])
return accuracies
"""}),
    wrong("5.6d", "state_dict not copied", {"5.6d": "accuracies, best = [], None\nfor _ in range(epochs):\n    train_one_epoch()\n    accuracies.append(validate())\n    if accuracies[-1] >= max(accuracies):\n        best = model.state_dict()\nmodel.load_state_dict(best)\nreturn accuracies"}, loses=[BEST], says="the live tensors, not copies"),
    wrong("5.6d", "the later of a tie", {"5.6d": "accuracies, best = [], None\nfor _ in range(epochs):\n    train_one_epoch()\n    accuracies.append(validate())\n    if accuracies[-1] >= max(accuracies):\n        best = copy.deepcopy(model.state_dict())\nmodel.load_state_dict(best)\nreturn accuracies"}, loses=[BEST], says="replace the best only if"),
    wrong("5.6d", "the worst kept", {"5.6d": "accuracies, best = [], None\nfor _ in range(epochs):\n    train_one_epoch()\n    accuracies.append(validate())\n    if accuracies[-1] < min(accuracies[:-1], default=2):\n        best = copy.deepcopy(model.state_dict())\nmodel.load_state_dict(best)\nreturn accuracies"}, loses=[BEST], says="The worst epoch was kept"),
    wrong("5.6d", "parameters only", {"5.6d": "accuracies, best = [], None\nfor _ in range(epochs):\n    train_one_epoch()\n    accuracies.append(validate())\n    if accuracies[-1] > max(accuracies[:-1], default=-1):\n        best = {n: p.detach().clone() for n, p in model.named_parameters()}\nmodel.load_state_dict(best, strict=False)\nreturn accuracies"}, loses=[BEST], says="the buffers are not"),
    wrong("5.6d", "only what is better than one half", {"5.6d": "accuracies, best, state = [], 0.5, copy.deepcopy(model.state_dict())\nfor _ in range(epochs):\n    train_one_epoch()\n    accuracies.append(validate())\n    if accuracies[-1] > best:\n        best, state = accuracies[-1], copy.deepcopy(model.state_dict())\nmodel.load_state_dict(state)\nreturn accuracies"}, loses=[BEST], says="all below one half"),
    wrong("5.6d", "the best accuracy returned", {"5.6d": "best = max(((train_one_epoch(), validate(), copy.deepcopy(model.state_dict()))[1:] for _ in range(epochs)), key=lambda pair: pair[0])\nmodel.load_state_dict(best[1])\nreturn best[0]"}, loses=[BEST], says="has shape (); expected (4,)"),
    # 5.7a
    right("5.7a", "a float32 file", {}, **checkpoint(saved({name: value.float() for name, value in WEIGHTS.items()}))),
    wrong("5.7a", "never trained", **checkpoint(UNTRAINED), loses=[HIDDEN], shows="matrix", says="points rise from 60% to 78%", visible=ON_HIDDEN_SENTENCES),
    wrong("5.7a", "labels flipped", **checkpoint(FLIPPED), loses=[HIDDEN], shows="matrix", says="its labels are flipped", visible=ON_HIDDEN_SENTENCES),
    wrong("5.7a", "the class changed after the training", {"5.7a layers": "self.embed = nn.Embedding(n_words, d_model)\nself.Qm = nn.Linear(d_model, 32, bias=False)\nself.Km = nn.Linear(d_model, 32, bias=False)\nself.Vm = nn.Linear(d_model, d_model, bias=False)\nself.output = nn.Linear(d_model, 1)\nself.dropout = nn.Dropout(0.5)"}, loses=[HIDDEN, SINGLE], says="Did the class change after the training?"),
    right("5.7a", "the epoch saved along", **checkpoint({"model": WEIGHTS, "epoch": 9})),
    wrong("5.7a", "squeezed, so one sentence gives a number", {"5.7a forward": "x = self.embed(ids)\ns = (self.Qm(x) @ self.Km(x).transpose(1, 2) / 8).masked_fill(~mask[:, None], -torch.inf)\ny = torch.softmax(s, 2) @ self.Vm(x)\nreturn self.output((y * mask[..., None]).sum(1) / mask.sum(1)[:, None]).squeeze()"}, loses=[SINGLE], says="squeeze(1)"),
    wrong("5.7a", "a damaged file", **checkpoint(b"PK not a checkpoint"), loses=[HIDDEN, SINGLE], says="was not loaded"),
    wrong("5.7a", "probabilities instead of logits", {"5.7a forward": "x = self.embed(ids)\ns = (self.Qm(x) @ self.Km(x).transpose(1, 2) / 8).masked_fill(~mask[:, None], -torch.inf)\ny = torch.softmax(s, 2) @ self.Vm(x)\nreturn torch.sigmoid(self.output((y * mask[..., None]).sum(1) / mask.sum(1)[:, None]))[:, 0]"}, loses=[HIDDEN], says="return logits, not probabilities"),
    wrong("5.7a", "the attention returned as well", {"5.7a forward": "x = self.embed(ids)\nreturn self.output(x.mean(1))[:, 0], self.Qm(x)"}, loses=[HIDDEN, SINGLE], says="should return one tensor, but it returned a tuple"),
    wrong("5.7a", "a column of logits", {"5.7a forward": "return self.output(self.embed(ids).mean(1))"}, loses=[HIDDEN, SINGLE], says="should give one logit for each sentence"),
    wrong("5.7a", "labels instead of logits", {"5.7a forward": "x = self.embed(ids)\ns = (self.Qm(x) @ self.Km(x).transpose(1, 2) / 8).masked_fill(~mask[:, None], -torch.inf)\ny = torch.softmax(s, 2) @ self.Vm(x)\nlogits = self.output((y * mask[..., None]).sum(1) / mask.sum(1)[:, None])[:, 0]\nreturn (logits > 0).float()"}, loses=[SINGLE], says="return logits, not labels"),
    wrong("5.7a", "the same for every sentence", {"5.7a forward": "return self.output.bias.expand(len(ids))"}, loses=[HIDDEN], shows="matrix", says="Every sentence gets the same output"),
    right("5.7a", "logits of a tenth, so that one sentence alone has one from 0 to 1", {"5.7a forward": "x = self.embed(ids)\ns = (self.Qm(x) @ self.Km(x).transpose(1, 2) / 8).masked_fill(~mask[:, None], -torch.inf)\ny = torch.softmax(s, 2) @ self.Vm(x)\nlogits = self.output((y * mask[..., None]).sum(1) / mask.sum(1)[:, None])[:, 0]\nreturn 0.1 * logits + 0.0 * ids[:, 0]"}),
    # 5.7b
    right("5.7b", "unsqueezed ids and the map by number", predict(back="{k: labels[k] for k in (0, 1)}[int(logit > 0)], 1 - 1 / (1 + np.exp(logit))")),
    wrong("5.7b", "label order of the map", predict(back="list(labels.values())[int(logit > 0)], float(probability)"), loses=[LABEL], says="in whatever order the map was written"),
    wrong("5.7b", "flipped label map", predict(back="labels[0 if logit > 0 else 1], float(probability)"), loses=[LABEL], says="The label is flipped"),
    wrong("5.7b", "train mode left on", predict(mode="pass"), loses=[LABEL], says="so dropout was on"),
    wrong("5.7b", "the logit returned", predict(back="labels[int(logit > 0)], logit"), loses=[LABEL], says="The second value is the logit"),
    wrong("5.7b", "probability of the label", predict(back="labels[int(logit > 0)], float(max(probability, 1 - probability))"), loses=[LABEL], says="that of the positive class"),
    wrong("5.7b", "mode not restored", predict(after="pass"), loses=[ASKED], says="restore the mode"),
    wrong("5.7b", "a mask of numbers", predict(mask="torch.ones_like(ids)"), loses=[ASKED], says="expected int64 and bool"),
    wrong("5.7b", "a ranking that the numbers do not carry", {"5.7b choice": 'model_comparison = "A"'}, loses=[COMPARISON], says="92 against 91 is what chance gives"),
    wrong("5.7b", "no difference claimed", {"5.7b choice": 'model_comparison = "C"'}, loses=[COMPARISON], says="does not show that there is none"),
    wrong("5.7b", "the model never asked", {"5.7b": "return labels[1], 0.5"}, loses=[LABEL, ASKED], says="the model was never called"),
    wrong("5.7b", "the logit against 0.5", predict(back="labels[int(logit > 0.5)], float(probability)"), loses=[LABEL], says="You compare the logit with 0.5"),
    wrong("5.7b", "names of one's own", predict(back="('positive' if logit > 0 else 'negative'), float(probability)"), loses=[LABEL], says="a map may contain other names"),
    wrong("5.7b", "the names sorted", predict(back="sorted(labels.values())[int(logit > 0)], float(probability)"), loses=[LABEL], says="use the number: labels[1] is positive"),
    wrong("5.7b", "label and probability of the negative class", predict(back="labels[0 if logit > 0 else 1], float(1 - probability)"), loses=[LABEL], says="Label and probability are those of the negative class"),
    # 5.8
    right("5.8", "torch, and all measures by another way", logit() | measures()),
    right("5.8", "forbidden columns left out, lists recorded", {"5.8 function": "keep = [j for j in range(len(votes)) if j not in forbidden]\ns = np.asarray(scores, float)[:, keep]\na = np.exp(s - s.max(1, keepdims=True))\nreturn bias + sum((row / row.sum()) @ np.asarray(votes)[keep] for row in a) / len(a)"}),
    wrong("5.8", "softmax over queries", logit(axis="0") | measures(), loses=[LOGIT], says="runs over the queries"),
    wrong("5.8", "summed over queries", logit(back="bias + float(np.sum(a @ votes))") | measures(), loses=[LOGIT], says="the classifier takes their mean"),
    wrong("5.8", "struck out after the softmax", logit(forbid="pass", after="a[:, list(forbidden)] = 0") | measures(), loses=[LOGIT], says="no longer sum to 1"),
    wrong("5.8", "queries forbidden", logit(forbid="s[list(forbidden)] = -1e300") | measures(), loses=[LOGIT], says="You forbid queries"),
    wrong("5.8", "queries forbidden, with −∞", logit(forbid="s[list(forbidden)] = -np.inf") | measures(), loses=[LOGIT], says="the softmax of these rows is NaN"),
    wrong("5.8", "overflow", {"5.8 function": "s = np.array(scores, dtype=float)\ns[:, list(forbidden)] = -np.inf\na = np.exp(s) / np.exp(s).sum(1, keepdims=True)\nreturn float((a @ votes).mean() + bias)"}, loses=[LOGIT], says="large scores"),
    wrong("5.8", "interaction transposed, probabilities of the pair", measures(interaction="np.array([[f(F.format('not', g)) - f(F.format('very', g)) - f(F.format('not', b)) + f(F.format('very', b)) for g in GOOD] for b in BAD])", order_logits="1 / (1 + np.exp(-np.array([f('not good , bad'), f('not bad , good')])))"), loses=[INTERACTION, ORDER], says="yours are swapped", visible=ON_PAPER),
    wrong("5.8", "attention not scaled, sign of the change turned", measures(received="np.array([soft(F.format('not', w)).mean(0)[3:5] for w in GOOD + BAD])", without_not="np.array([f(F.format('not', g)) - f(F.format('not', g), 3) for g in GOOD])"), loses=[RECEIVED, WITHOUT], shows="matrix", says="1 is an even share", visible=ON_PAPER),
    wrong("5.8", "without the very", measures(interaction="np.array([[f(F.format('not', g)) - f(F.format('not', b)) for b in BAD] for g in GOOD])"), loses=[INTERACTION], shows="matrix", says="f(not good) − f(very good)", visible=ON_PAPER),
    wrong("5.8", "the tempting reading", {"5.8 choice": 'heatmap_claim = "A"'}, loses=[CLAIM], says="an even share"),
    wrong("5.8", "unimportant", {"5.8 choice": 'heatmap_claim = "C"'}, loses=[CLAIM], says="a small weight can carry a large vote"),
    wrong("5.8", "forbidden scores of −100", logit(forbid="s[:, list(forbidden)] = -100.0") | measures(), loses=[LOGIT], says="−100 is high among low scores"),
    wrong("5.8", "the first forbidden place only", logit(forbid="s[:, list(forbidden)[:1]] = -1e300") | measures(), loses=[LOGIT], says="place 0 and 5 forbidden"),
    # 5.9
    right("5.9", "lower case with dots", 'claim_1 = "a."\nclaim_2 = "a"\nclaim_3 = "b"\nclaim_4 = "(a)"'),
    wrong("5.9", "all correct", 'claim_1 = "A"\nclaim_2 = "A"\nclaim_3 = "A"\nclaim_4 = "A"', loses=["claim_3"], says="those that one query gives to all keys"),
    wrong("5.9", "all wrong", 'claim_1 = "B"\nclaim_2 = "B"\nclaim_3 = "B"\nclaim_4 = "B"', loses=["claim_1", "claim_2", "claim_4"], says="three learned linear maps"),
    wrong("5.9", "words", 'claim_1 = "yes"\nclaim_2 = "A"\nclaim_3 = "no"\nclaim_4 = "A"', loses=["claim_1", "claim_3"], says="one of the letters"),
    wrong("5.9", "True and False", "claim_1 = claim_2 = claim_4 = True\nclaim_3 = False", loses=["claim_1", "claim_2", "claim_3", "claim_4"], says="but it is True"),
]
