"""hw1's gallery. A region's text replaces the solution in the source; see autograder/author/gallery.py."""

from dataclasses import replace

from autograder.author.gallery import right, wrong

GIVES_AWAY = "a check of this one number would give the answer away"

# 1.1
VALUES, LARGE, ONE = "output and weights", "large scores do not overflow", "a single key"


def single(scores: str = "keys @ query / np.sqrt(len(query))", weights: str = "e = np.exp(s - s.max())\nw = e / e.sum()", back: str = "w @ values, w") -> str:
    return f"s = {scores}\n{weights}\nreturn {back}"


EXAMPLES = [
    right("1.1", "einsum and the log of a sum", "s = np.einsum('d,nd->n', query, keys) * keys.shape[1] ** -0.5\nw = np.exp(s - np.logaddexp.reduce(s))\nreturn np.einsum('n,nv->v', w, values), w"),
    right("1.1", "with the 2-d formulas, float32 at the end", "s = query[None] @ keys.T / np.sqrt(keys.shape[1])\nw = np.exp(s - s.max(axis=1, keepdims=True))\nw /= w.sum(axis=1, keepdims=True)\nreturn (w @ values)[0].astype(np.float32), w[0].astype(np.float32)"),
    wrong("1.1", "no scale", single("keys @ query"), loses=[VALUES], says="scale 1/√d_k is missing"),
    wrong("1.1", "√2 for every d_k", single("keys @ query / np.sqrt(2)"), loses=[VALUES], says="divided by √2, whatever d_k is"),
    wrong("1.1", "divided by d_k", single("keys @ query / len(query)"), loses=[VALUES], says="it is √d_k, once"),
    wrong("1.1", "multiplied by the root", single("keys @ query * np.sqrt(len(query))"), loses=[VALUES], says="You multiplied by √d_k"),
    wrong("1.1", "scaled by d_v", single("keys @ query / np.sqrt(values.shape[1])"), loses=[VALUES], says="scaled by √d_v"),
    wrong("1.1", "scaled by √n", single("keys @ query / np.sqrt(len(keys))"), loses=[VALUES], says="scaled by √n, the number of keys"),
    wrong("1.1", "naive softmax", single(weights="e = np.exp(s)\nw = e / e.sum()"), loses=[LARGE], says="overflowed"),
    wrong("1.1", "the mean subtracted", single(weights="e = np.exp(s - s.mean())\nw = e / e.sum()"), loses=[LARGE], says="not another number"),
    wrong("1.1", "squeezed, so one key gives a number", single(back="np.squeeze(w @ values), np.squeeze(w)"), loses=[ONE], says="expected (1,)"),
    wrong("1.1", "no softmax", single(weights="w = s"), loses=[VALUES, LARGE, ONE], says="the softmax is missing"),
    wrong("1.1", "swapped results", single(back="w, w @ values"), loses=[VALUES, LARGE, ONE], says="return the output first"),
    wrong("1.1", "the output alone", single(back="w @ values"), loses=[VALUES, LARGE, ONE], says="should return 2 things"),
    wrong("1.1", "changes its input", "keys *= 1 / np.sqrt(len(query))\n" + single("keys @ query"), loses=[VALUES, LARGE, ONE], says="changed its inputs in place"),
    wrong("1.1", "weighs the values in place", single(back="(values.__imul__(w[:, None]).sum(axis=0), w)"), loses=[VALUES, LARGE], says="Work on a copy"),
    wrong("1.1", "the mean of the values", single(back="values.mean(axis=0), w"), loses=[VALUES, LARGE], says="the weights are not used"),
    wrong("1.1", "cosine", single("keys @ query / np.linalg.norm(keys, axis=1) / np.linalg.norm(query)"), loses=[VALUES, LARGE], says="The scores are cosines"),
    wrong("1.1", "absolute scores", single("np.abs(keys @ query) / np.sqrt(len(query))"), loses=[VALUES, LARGE], says="The scores are absolute values"),
    wrong("1.1", "the largest absolute score subtracted", single(weights="e = np.exp(s - np.abs(s).max())\nw = e / e.sum()"), loses=[LARGE], says="not the largest absolute one or 0"),
    wrong("1.1", "a search for the largest score that starts from 0", single(weights="top = 0\nfor score in s:\n    top = max(top, score)\ne = np.exp(s - top)\nw = e / e.sum()"), loses=[LARGE], says="not the largest absolute one or 0"),
    wrong("1.1", "the L1 distance", single("-np.abs(keys - query).sum(axis=1) / np.sqrt(len(query))"), loses=[VALUES], says="distances Σ|k − q| with a minus"),
]

# 1.2
WEIGHT = "the weight"


def cat(weight: str, word: str = "C") -> dict[str, str]:
    return {"1.2 word": f"cat_word = {word!r}", "1.2 weight": f"cat_weight = {weight}"}


ROW = "(lambda s: np.exp(s) / np.exp(s).sum())"
EXAMPLES += [
    right("1.2", "rounded by hand, a lower-case letter with a stray space", cat("0.501", " c ")),
    wrong("1.2", "itself", cat(f"{ROW}(embeddings @ embeddings[1] / 3**0.5)[1]", "B"), loses=["cat_word", WEIGHT], says="looks at itself", visible=GIVES_AWAY),
    wrong("1.2", "mat, and no scale", cat(f"{ROW}(embeddings @ embeddings[1])[2]", "F"), loses=["cat_word", WEIGHT], says="the scale 1/√3 is missing", visible=GIVES_AWAY),
    wrong("1.2", "column instead of row", cat(f"{ROW}(embeddings @ embeddings[2] / 3**0.5)[1]"), loses=[WEIGHT], says="the row belongs to the query"),
    wrong("1.2", "divided by 3", cat(f"{ROW}(embeddings @ embeddings[1] / 3)[2]"), loses=[WEIGHT], says="it is √3", visible=GIVES_AWAY),
    wrong("1.2", "share of the score", cat("6 / 16"), loses=[WEIGHT], says="without the exponential", visible=GIVES_AWAY),
    wrong("1.2", "a word for a letter, a guess for the weight", cat("0.3", "sat"), loses=["cat_word", WEIGHT], says="should be one of the letters"),
    wrong("1.2", "two decimals", cat("0.50"), loses=[WEIGHT], says="asks for three correct decimals"),
    wrong("1.2", "in percent", cat("50.1"), loses=[WEIGHT], says="in percent"),
    wrong("1.2", "a list of weights", cat("[0.1, 0.5, 0.4]"), loses=[WEIGHT], says="expected ()"),
]

# 1.3
SIZES, MASK, CAUSAL, STEPS = "self-attention of any size", "the mask", "the causal mask", "no loop over tokens"


def attention(scores="Q @ K.T / np.sqrt(K.shape[1])", mask="s = np.where(mask, s, -np.inf)", weights="e = np.exp(s - s.max(axis=1, keepdims=True))\nw = e / e.sum(axis=1, keepdims=True)", back="w @ V"):
    body = f"Q, K, V = X @ W_Q, X @ W_K, X @ W_V\ns = {scores}\nif mask is not None:\n    {mask}\n{weights}\nreturn {back}"
    return {"1.3 attention": body}


LOOP = """
Q, K, V = X @ W_Q, X @ W_K, X @ W_V
rows = []
for i in range(len(X)):
    s = K @ Q[i] / np.sqrt(K.shape[1])
    if mask is not None:
        s = np.where(mask[i], s, -np.inf)
    e = np.exp(s - s.max())
    rows.append(e @ V / e.sum())
return np.array(rows)
"""
VECTORIZE = """
Q, K, V = X @ W_Q, X @ W_K, X @ W_V
s = np.asarray(Q) @ np.asarray(K).T / np.sqrt(K.shape[1])
if mask is not None:
    s = np.where(mask, s, -np.inf)
w = np.apply_along_axis(lambda row: np.exp(row - row.max()) / np.exp(row - row.max()).sum(), 1, s)
return w @ V
"""
TORCH = """
import torch
Q, K, V = (torch.from_numpy(X @ W) for W in (W_Q, W_K, W_V))
s = Q @ K.T / K.shape[1] ** 0.5
if mask is not None:
    s = s.masked_fill(~torch.as_tensor(mask), -torch.inf)
return s.softmax(dim=1) @ V
"""
ALL_13 = [SIZES, MASK]
EXAMPLES += [
    right("1.3", "for any axes in front, a finite large number for the mask, np.tri", {"1.3 mask": "return np.tri(n) > 0", **attention(
        "np.einsum('...id,...jd->...ij', Q, K) * K.shape[-1] ** -0.5", "s = s - 1e30 * ~mask",
        weights="e = np.exp(s - s.max(axis=-1, keepdims=True))\nw = e / e.sum(axis=-1, keepdims=True)", back="np.matmul(w, V)"
    )}),
    right("1.3", "in columns, and transposed back", {"1.3 mask": "return ~np.triu(np.ones((n, n), bool), 1)", "1.3 attention": """
    x = X.T
    s = (W_K.T @ x).T @ (W_Q.T @ x) / np.sqrt(W_Q.shape[1])
    s[~mask.T if mask is not None else np.zeros(s.shape, bool)] = -np.inf
    e = np.exp(s - s.max(axis=0))
    return ((W_V.T @ x) @ (e / e.sum(axis=0))).T
    """}),
    wrong("1.3", "a loop over queries, right otherwise", {"1.3 attention": LOOP}, loses=[STEPS], says="loops over the tokens"),
    wrong("1.3", "apply_along_axis hides the loop", {"1.3 attention": VECTORIZE}, loses=[STEPS], says="loops over the tokens"),
    wrong("1.3", "a comprehension on lists", {"1.3 attention": LOOP.replace("rows = []", "rows = [0 for _ in X for _ in X]; rows.clear()")}, loses=[STEPS], says="more Python steps the longer"),
    wrong("1.3", "softmax over the wrong axis", attention(weights="e = np.exp(s - s.max(axis=0))\nw = e / e.sum(axis=0)"), loses=ALL_13, says="softmax is over the wrong axis"),
    wrong("1.3", "no scale", attention("Q @ K.T"), loses=ALL_13, says="scale 1/√d_k is missing"),
    wrong("1.3", "divided by d_k", attention("Q @ K.T / K.shape[1]"), loses=ALL_13, says="it is √d_k, once"),
    wrong("1.3", "scaled by √d_v", attention("Q @ K.T / np.sqrt(V.shape[1])"), loses=ALL_13, says="scaled by √d_v"),
    wrong("1.3", "scaled by √n", attention("Q @ K.T / np.sqrt(len(X))"), loses=ALL_13, says="scaled by √n"),
    wrong("1.3", "scaled by √d", attention("Q @ K.T / np.sqrt(X.shape[1])"), loses=ALL_13, says="the width of X"),
    wrong("1.3", "sum without keepdims", attention(weights="e = np.exp(s - s.max(axis=1, keepdims=True))\nw = e / e.sum(axis=1)"), loses=ALL_13, says="keepdims=True is missing in the sum"),
    wrong("1.3", "no keepdims at all", attention(weights="e = np.exp(s - s.max(axis=1))\nw = e / e.sum(axis=1)"), loses=ALL_13, says="keepdims=True is missing in maximum and sum"),
    wrong("1.3", "one sum for the whole matrix", attention(weights="e = np.exp(s - s.max())\nw = e / e.sum()"), loses=ALL_13, says="sum of the whole matrix"),
    wrong("1.3", "maximum of the row, sum of the column", attention(weights="e = np.exp(s - s.max(axis=1, keepdims=True))\nw = e / e.sum(axis=0, keepdims=True)"), loses=ALL_13, says="divided by the sums over the wrong axis"),
    wrong("1.3", "transposed output", attention(back="(w @ V).T"), loses=[*ALL_13, STEPS], says="output is transposed"),
    wrong("1.3", "queries and keys swapped", attention("K @ Q.T / np.sqrt(K.shape[1])"), loses=ALL_13, says="Queries and keys are swapped"),
    wrong("1.3", "mask after the softmax", attention(mask="pass", back="(w if mask is None else w * mask) @ V"), loses=[MASK], says="applied after the softmax"),
    wrong("1.3", "mask inverted", {**attention(mask="s = np.where(mask, -np.inf, s)"), "1.3 mask": "return np.triu(np.ones((n, n), bool), 1)"}, loses=[MASK, CAUSAL], shows="matrix", says="mask is inverted"),
    wrong("1.3", "mask ignored, and without the diagonal", {**attention(mask="pass"), "1.3 mask": "return np.tri(n, k=-1, dtype=bool)"}, loses=[MASK, CAUSAL], says="The mask is not used"),
    wrong("1.3", "masked scores set to 0, the mask transposed", {**attention(mask="s = s * mask"), "1.3 mask": "return np.tri(n, dtype=bool).T"}, loses=[MASK, CAUSAL], shows="matrix", says="e^0 = 1 still gets attention"),
    wrong("1.3", "mask added as numbers, and numbers as mask", {**attention(mask="s = s + mask"), "1.3 mask": "return np.tri(n)"}, loses=[MASK, CAUSAL], says="added as numbers"),
    wrong("1.3", "no max subtracted", attention(weights="e = np.exp(s)\nw = e / e.sum(axis=1, keepdims=True)"), loses=ALL_13, says="overflowed"),
    wrong("1.3", "fixed to d_k = 37", attention("Q @ K.T / np.sqrt(37)"), loses=ALL_13, says="differs in"),
    right("1.3", "a torch tensor", {"1.3 mask": "import torch\nreturn torch.tril(torch.ones(n, n)).bool()", "1.3 attention": TORCH}),
    right("1.3", "a list of rows", attention(back="(w @ V).tolist()")),
    right("1.3", "matrices", {"1.3 attention": "Q, K, V = (np.asmatrix(X) @ W for W in (W_Q, W_K, W_V))\ns = np.asarray(Q @ K.T) / np.sqrt(K.shape[1])\nif mask is not None:\n    s = np.where(mask, s, -np.inf)\nw = np.exp(s - s.max(axis=1, keepdims=True))\nreturn np.asmatrix(w / w.sum(axis=1, keepdims=True)) @ V"}),
    right("1.3", "a print left over", attention(weights="e = np.exp(s - s.max(axis=1, keepdims=True))\nw = e / e.sum(axis=1, keepdims=True)\nprint('weights', w)")),
    wrong("1.3", "a loop, and the counter replaced", {"1.3 attention": f"import homework_kit\nhomework_kit.python_steps = lambda function: (function(), 50)\n{LOOP}"}, loses=[STEPS], says="was replaced in this notebook"),
    wrong("1.3", "a loop, and tracing switched off", {"1.3 attention": f"import sys\nsys.settrace(None)\n{LOOP}"}, loses=[STEPS], says="sys.settrace was called"),
    wrong("1.3", "masked scores of −20", attention(mask="s = np.where(mask, s, -20)"), loses=[MASK], says="other scores may be lower still"),
    wrong("1.3", "masked scores of a million", attention(mask="s = np.where(mask, s, -1e6)"), loses=[MASK], says="other scores may be lower still"),
    wrong("1.3", "always causal", attention(weights="s = np.where(np.tri(len(X), dtype=bool), s, -np.inf)\ne = np.exp(s - s.max(axis=1, keepdims=True))\nw = e / e.sum(axis=1, keepdims=True)"), loses=ALL_13, says="You always mask later tokens"),
    wrong("1.3", "20 taken off masked scores", attention(mask="s = s - 20.0 * ~mask"), loses=[MASK], says="it may be larger by more"),
    wrong("1.3", "values alone, no attention", {"1.3 attention": "return X @ W_V"}, loses=[*ALL_13, STEPS], says="so it does not attend"),
]

# 1.4
MEAN, VARIANCE, SCALE, SAMPLES = "the mean", "the variance", "the scale", "mean and variance of samples"


def theory(mean="d * mu**2", variance="d * (sigma**4 + 2 * sigma**2 * mu**2)", scale="variance ** -0.5") -> dict[str, str]:
    return {"1.4 theory": f"mean, variance = {mean}, {variance}\nreturn mean, variance, {scale}"}


def sampled(text: str) -> dict[str, str]:
    return {"1.4 samples": text}


EXAMPLES += [
    right("1.4", "second moments, einsum", theory(variance="d * ((sigma**2 + mu**2) ** 2 - mu**4)") | sampled("z = np.einsum('nd,nd->n', queries, keys)\nreturn [float(np.mean(z)), float(np.mean(z**2) - np.mean(z) ** 2)]")),
    right("1.4", "arrays", {"1.4 theory": "v = d * (sigma**4 + 2 * sigma**2 * mu**2)\nreturn np.array([d * mu**2, v, v ** -0.5])"} | sampled("z = (queries * keys).sum(1)\nreturn np.array([z.mean(), z.var()])")),
    wrong("1.4", "the standard case only", theory("0.0", "float(d)", "d ** -0.5"), loses=[MEAN, VARIANCE, SCALE], says="variance for μ = 0, σ = 1 only"),
    wrong("1.4", "the mean's part left out", theory(variance="d * sigma**4"), loses=[VARIANCE, SCALE], says="The mean's part is missing"),
    wrong("1.4", "the mean's part once", theory(variance="d * (sigma**4 + sigma**2 * mu**2)"), loses=[VARIANCE, SCALE], says="must stand twice"),
    wrong("1.4", "σ² for σ⁴; all pairs", theory(variance="d * sigma**2") | sampled("z = queries @ keys.T\nreturn z.mean(), z.var()"), loses=[VARIANCE, SCALE, SAMPLES], says="all pairs of a row with every other row"),
    wrong("1.4", "1/Var; single products", theory(scale="1 / variance") | sampled("z = queries * keys\nreturn z.mean(), z.var()"), loses=[SCALE, SAMPLES], says="sum over the features first"),
    wrong("1.4", "d² for d; ddof=1", theory(variance="d**2 * (sigma**4 + 2 * sigma**2 * mu**2)") | sampled("z = (queries * keys).sum(1)\nreturn z.mean(), z.var(ddof=1)"), loses=[VARIANCE, SCALE, SAMPLES], says="the factor is d, not d²"),
    wrong("1.4", "mean d·μ; the standard deviation", theory("d * mu") | sampled("z = (queries * keys).sum(1)\nreturn z.mean(), z.std()"), loses=[MEAN, SAMPLES], says="two independent numbers is μ²"),
    wrong("1.4", "not independent; summed over pairs", theory("d * (mu**2 + sigma**2)") | sampled("z = (queries * keys).sum(0)\nreturn z.mean(), z.var()"), loses=[MEAN, SAMPLES], says="q and k are independent"),
    wrong("1.4", "one product, not d", theory(variance="sigma**4 + 2 * sigma**2 * mu**2"), loses=[VARIANCE, SCALE], says="there are d"),
    wrong("1.4", "the negative root", theory(scale="-(variance ** -0.5)"), loses=[SCALE], says="s is positive"),
    wrong("1.4", "two numbers", {"1.4 theory": "return d * mu**2, d * sigma**4"}, loses=[MEAN, VARIANCE, SCALE], says="should return three numbers"),
]

# 1.5
HAND, HARD, GRADIENT = "by hand", "hard attention", "hard_gradient"


def hard(text: str, hand: str = "[1, 4, 3]", choice: str = "B") -> dict[str, str]:
    return {"1.5 hard": f"return {text}", "1.5 hand": f"hard_output = {hand}", "1.5 choice": f"hard_gradient = {choice!r}"}


EXAMPLES += [
    right("1.5", "einsum, an array, lower case", hard("values[np.einsum('nd,d->n', keys, query).argmax()]", "np.array([1.0, 4.0, 3.0])", "b")),
    wrong("1.5", "the key", hard("keys[np.argmax(keys @ query)]", "[0, 3, 4]", "A"), loses=[HAND, HARD, GRADIENT], says="You returned the chosen key"),
    wrong("1.5", "the place", hard("np.argmax(keys @ query)", "[0, -1, 4]", "C"), loses=[HAND, HARD, GRADIENT], says="Another key has a larger one"),
    wrong("1.5", "absolute scores", hard("values[np.abs(keys @ query).argmax()]", choice="D"), loses=[HARD, GRADIENT], says="largest absolute score"),
    wrong("1.5", "nearest key", hard("values[np.linalg.norm(keys - query, axis=1).argmin()]"), loses=[HARD], says="nearest key"),
    wrong("1.5", "cosine", hard("values[(keys @ query / np.linalg.norm(keys, axis=1)).argmax()]"), loses=[HARD], says="largest cosine"),
    wrong("1.5", "smallest", hard("values[(keys @ query).argmin()]"), loses=[HARD], says="smallest score"),
    wrong("1.5", "argmax over the features", hard("values[(keys * query).sum(axis=0).argmax()]"), loses=[HARD], says="argmax runs over the features"),
    wrong("1.5", "argmax over an axis of length 1", hard("values[(keys @ query[:, None]).argmax(axis=1)]"), loses=[HARD], says="axis of length 1"),
    wrong("1.5", "a search that starts from 0", {"1.5 hard": "best, place = 0, 0\nfor i, key in enumerate(keys):\n    if key @ query > best:\n        best, place = key @ query, i\nreturn values[place]"}, loses=[HARD], says="starts from 0"),
    wrong("1.5", "soft attention", hard("library_attention(query[None], keys, values)[0][0]", "[0.97, 3.7, 3.1]"), loses=[HAND, HARD], says="That is soft attention"),
]

# 1.6
PRESERVE, DIFFUSE, KINDS = "preserve", "diffuse", ["kind_1", "kind_2", "kind_3", "kind_4"]


def preserve(query: str, beta: str) -> dict[str, str]:
    return {"1.6 preserve": f"preserve_query = {query}\npreserve_beta = {beta}"}


def diffuse(query: str, beta: str) -> dict[str, str]:
    return {"1.6 diffuse": f"diffuse_query = {query}\ndiffuse_beta = {beta}"}


def letters(limits: str, kinds: str) -> dict[str, str]:
    return {
        "1.6 limits": f"limit_zero, limit_infinity = {tuple(limits)!r}",
        "1.6 kinds": f"kind_1, kind_2, kind_3, kind_4 = {tuple(kinds)!r}",
    }


EXAMPLES += [
    right("1.6", "another direction, lists, whole numbers, lower case", preserve("[-2, 5, 7]", "10") | diffuse("[0, 0, -3]", "2") | letters("ca", "bcda")),
    right("1.6", "a huge β", preserve("np.array([-0.1, 1.0, 0.0])", "1e6") | diffuse("np.array([0.0, 0.0, 1.0])", "1e6")),
    wrong("1.6", "the key itself ties; hard and soft confused", preserve("keys_16[1]", "50.0") | letters("CA", "ADCB"), loses=[PRESERVE, *KINDS], says="have the same dot product"),
    wrong("1.6", "β too small; limits swapped", preserve("np.array([-0.5, 1.0, 0.0])", "2.0") | letters("AC", "BCDA"), loses=[PRESERVE, "limit_zero", "limit_infinity"], says="a larger β"),
    wrong("1.6", "another key wins; self and cross confused", preserve("np.array([1.0, 1.0, 0.0])", "50.0") | letters("CA", "DABC"), loses=[PRESERVE, *KINDS], shows="attention", says="Key 2 has the largest dot product"),
    wrong("1.6", "negative β; a sum", preserve("np.array([0.5, -1.0, 0.0])", "-40.0") | letters("BD", "BCDA"), loses=[PRESERVE, "limit_zero", "limit_infinity"], says="is negative"),
    wrong("1.6", "no query", diffuse("np.zeros(3)", "1.0"), loses=[DIFFUSE], says="zero or nearly so"),
    wrong("1.6", "β = 0", diffuse("np.ones(3)", "0.0"), loses=[DIFFUSE], says="zero or nearly so"),
    wrong("1.6", "the mean key", diffuse("keys_16.mean(axis=0)", "1.0"), loses=[DIFFUSE], shows="attention", says="all four must be 1/4"),
    wrong("1.6", "a query as column", preserve("np.array([[-0.5], [1.0], [0.0]])", "40.0") | diffuse("np.array([0.0, 0.0, np.nan])", "1.0"), loses=[PRESERVE, DIFFUSE], says="has shape (3, 1); expected (3,)"),
]

# 1.7
NORMS, WEIGHTS, OUTPUTS = "the norms", "the weights for β = 1", "the outputs for any β"


def copying(norms: str = "[8**0.5, 2, 8**0.5]", weights: str = "library_attention(x_unit, x_unit, x_unit, scale=1.0)[1]") -> dict[str, str]:
    return {"1.7 values": f"x_unit = np.array([[0.0, 1, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]])\nnorms_17 = {norms}\nweights_17 = {weights}"}


def outputs(body: str, sequence: str = "d + b, a, c + b") -> dict[str, str]:
    return {"1.7 outputs": f"x = np.stack([{sequence}])\n{body}"}


EXAMPLES += [
    right("1.7", "rounded values, the library for the output", copying("[2.828, 2, 2.828]", "[[0.665, 0.090, 0.245], [0.212, 0.576, 0.212], [0.245, 0.090, 0.665]]") | outputs("return library_attention(x, x, x, scale=1)[0]")),
    wrong("1.7", "two decimals", copying("[2.83, 2, 2.83]", "[[0.67, 0.09, 0.24], [0.21, 0.58, 0.21], [0.24, 0.09, 0.67]]"), loses=[NORMS, WEIGHTS], says="asks for three correct decimals"),
    wrong("1.7", "squared norms; wrong axis", copying("[8, 4, 8]", "library_attention(x_unit, x_unit, x_unit, scale=1.0)[1].T") | outputs("w = library_attention(x, x, x, scale=1)[1]\nreturn w.T @ x"), loses=[NORMS, WEIGHTS, OUTPUTS], says="squares of the norms"),
    wrong("1.7", "norms added; scaled by √4", copying("[4, 2, 4]", "library_attention(x_unit, x_unit, x_unit)[1]") | outputs("return library_attention(x, x, x)[0]"), loses=[NORMS, WEIGHTS, OUTPUTS], shows="attention", says="don't add; their squares do"),
    wrong("1.7", "β = 1 and β = 2 confused; naive softmax", copying("[2**0.5, 1, 2**0.5]", "library_attention(2 * x_unit, 2 * x_unit, x_unit, scale=1.0)[1]") | outputs("e = np.exp(x @ x.T)\nreturn e @ x / e.sum(axis=1, keepdims=True)"), loses=[NORMS, WEIGHTS, OUTPUTS], says="the scores grow like β²"),
    wrong("1.7", "a naive softmax", outputs("e = np.exp(x @ x.T)\nreturn e @ x / e.sum(axis=1, keepdims=True)"), loses=[OUTPUTS], says="overflowed"),
    wrong("1.7", "x0·x2 taken as 0; the input", copying(weights="library_attention(x_unit, np.sqrt(2) * np.eye(3), x_unit) if False else np.exp(np.diag([2, 1, 2])) / np.exp(np.diag([2, 1, 2])).sum(1, keepdims=True)") | outputs("return x"), loses=[WEIGHTS, OUTPUTS], says="they share b"),
    wrong("1.7", "scores for weights; another order", copying(weights="x_unit @ x_unit.T") | outputs("return library_attention(x, x, x, scale=1)[0]", "a, d + b, c + b"), loses=[WEIGHTS, OUTPUTS], says="in another order"),
    wrong("1.7", "no weight for orthogonal tokens", copying(weights="np.where(x_unit @ x_unit.T > 0, np.exp(x_unit @ x_unit.T), 0) / [[np.e + np.e**2], [np.e], [np.e + np.e**2]]"), loses=[WEIGHTS], says="and e⁰ is 1"),
    wrong("1.7", "transposed output", outputs("return library_attention(x, x, x, scale=1)[0].T"), loses=[OUTPUTS], says="outputs are transposed"),
]

# 1.8
CHANGE, SIGNS = "the first-order change", ["scaled_positive", "scaled_negative", "scaled_zero"]


def nudge(back: str, signs: str = "ABC") -> dict[str, str]:
    return {
        "1.8 change": f"y, w = (item[0] for item in library_attention(query[None], keys, values))\ns = query @ epsilon / np.sqrt(len(query))\nreturn {back}",
        "1.8 signs": f"scaled_positive, scaled_negative, scaled_zero = {tuple(signs)!r}",
    }


EXAMPLES += [
    right("1.8", "the whole softmax Jacobian", nudge("((np.diag(w) - np.outer(w, w)) @ (s * np.eye(len(w))[j])) @ values", "abc")),
    right("1.8", "a central difference", nudge("(lambda f, h=1e-4: (f(h) - f(-h)) / (2 * h))(lambda h: library_attention(query[None], keys + h * np.outer(np.arange(len(keys)) == j, epsilon), values)[0][0])")),
    right("1.8", "a forward difference with a small step", nudge("(library_attention(query[None], keys + 1e-5 * np.outer(np.arange(len(keys)) == j, epsilon), values)[0][0] - y) / 1e-5")),
    wrong("1.8", "an exact difference; signs swapped", nudge("library_attention(query[None], keys + np.outer(np.arange(len(keys)) == j, epsilon), values)[0][0] - y", "BAC"), loses=[CHANGE, *SIGNS[:2]], says="linear in ε"),
    wrong("1.8", "only w_j's own value; always rises", nudge("w[j] * values[j] * s", "AAA"), loses=[CHANGE, *SIGNS[1:]], says="the other weights shrink"),
    wrong("1.8", "the sign; always the same", nudge("w[j] * (y - values[j]) * s", "CCC"), loses=[CHANGE, *SIGNS[:2]], says="sign is reversed"),
    wrong("1.8", "no scale; nonsense letters", nudge("w[j] * (values[j] - y) * (query @ epsilon)", "XYZ"), loses=[CHANGE, *SIGNS], says="scale 1/√d_k is missing"),
    wrong("1.8", "scale twice", nudge("w[j] * (values[j] - y) * s / np.sqrt(len(query))"), loses=[CHANGE], says="The scale stands twice"),
    wrong("1.8", "weight forgotten", nudge("(values[j] - y) * s"), loses=[CHANGE], says="a factor is missing"),
    wrong("1.8", "only w_j changes", nudge("w[j] * (1 - w[j]) * values[j] * s"), loses=[CHANGE], says="the other weights change too"),
    wrong("1.8", "the new output", nudge("y + w[j] * (values[j] - y) * s"), loses=[CHANGE], says="the question asks for the change"),
]

# 1.9
ROWS, COLUMNS = "several heads, tokens as rows", "several heads, tokens as columns"
SOFTMAX = "lambda q, k, v, scale=None: library_attention(q, k, v, scale)[0]"


def heads(cut: str = "np.split(X, heads, axis=1)", head: str = SOFTMAX, join: str = "np.concatenate(parts, axis=1)", back: str = "mixed @ W_O") -> str:
    loop = "parts = [head(q, k, v) for q, k, v in zip(cut(Q), cut(K), cut(V))]"
    return f"cut = lambda X: {cut}\nhead = {head}\n{loop}\nmixed = {join}\nreturn {back}"


def several(rows: str, choice: str = "CA") -> dict[str, str]:
    """The same mistake in both conventions."""
    columns = "Q, K, V, W_O = Q.T, K.T, V.T, W_O.T\n" + rows.replace("return ", "return np.transpose(") + ")"
    return {"1.9 rows": rows, "1.9 columns": columns, "1.9 choice": f"heads_like, projection_like = {tuple(choice)!r}"}


BATCHED = """
q, k, v = (X.reshape(len(X), heads, -1).transpose(1, 0, 2) for X in (Q, K, V))
s = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
w = np.exp(s - s.max(-1, keepdims=True))
mixed = (w / w.sum(-1, keepdims=True)) @ v
return mixed.transpose(1, 0, 2).reshape(len(Q), -1) @ W_O
"""
BOTH = [ROWS, COLUMNS]
OTHER_AXIS = "lambda q, k, v: (np.exp(q @ k.T / np.sqrt(q.shape[1])) / np.exp(q @ k.T / np.sqrt(q.shape[1])).sum(0)) @ v"
EXAMPLES += [
    right("1.9", "all heads in one batch, columns by transposing", {
        "1.9 rows": BATCHED, "1.9 columns": "return multi_head_attention(Q.T, K.T, V.T, heads, W_O.T).T", "1.9 choice": "heads_like, projection_like = ' c', 'a.'",
    }),
    wrong("1.9", "no output projection; choices swapped", several(heads(back="mixed"), "AC"), loses=[*BOTH, "heads_like", "projection_like"], says="output projection W_O is missing"),
    wrong("1.9", "scaled by √d; pooling", several(heads(head="lambda q, k, v: library_attention(q, k, v, Q.shape[1] ** -0.5)[0]"), "BB"), loses=[*BOTH, "heads_like", "projection_like"], says="so the scale is 1/√(d/h)"),
    wrong("1.9", "divided by d/h", several(heads(head="lambda q, k, v: library_attention(q, k, v, 1 / q.shape[1])[0]")), loses=BOTH, says="You divided by d/h; it is √(d/h)"),
    wrong("1.9", "split on the wrong axis", several(heads("X.reshape(heads, len(X), -1)")), loses=BOTH, says="split on the wrong axis"),
    wrong("1.9", "every h-th feature", several(heads("[X[:, i::heads] for i in range(heads)]")), loses=BOTH, says="consecutive features"),
    wrong("1.9", "softmax over the wrong axis", several(heads(head=OTHER_AXIS)), loses=BOTH, says="over the wrong axis"),
    wrong("1.9", "one axis too few with one query", {"1.9 rows": BATCHED.replace("return ", "return np.squeeze(").rstrip() + ")"}, loses=[ROWS], says="has shape"),
    wrong("1.9", "W_O transposed", several(heads(back="mixed @ W_O.T")), loses=BOTH, says="W_O is transposed"),
    wrong("1.9", "no scale", several(heads(head="lambda q, k, v: library_attention(q, k, v, 1.0)[0]")), loses=BOTH, says="The scale 1/√(d/h) is missing"),
    wrong("1.9", "heads in the wrong order", several(heads("[X[:, len(X[0]) // heads * i : len(X[0]) // heads * (i + 1)] for i in reversed(range(heads))]")), loses=BOTH, says="heads stand in the wrong order"),
    wrong("1.9", "scaled by the values' size", several(heads(head="lambda q, k, v: library_attention(q, k, v, v.shape[1] ** -0.5)[0]")), loses=BOTH, says="You scaled by √(t/h)"),
    wrong("1.9", "one head", several(heads("[X]")), loses=BOTH, says="single head"),
    wrong("1.9", "columns scaled by the tokens", {"1.9 columns": "n = Q.shape[1]\nreturn multi_head_attention(Q.T * (len(Q) / heads / n) ** 0.5, K.T, V.T, heads, W_O.T).T"}, loses=[COLUMNS], says="shape[1] counts tokens"),
    wrong("1.9", "columns returned as rows", {"1.9 columns": "return multi_head_attention(Q.T, K.T, V.T, heads, W_O.T)"}, loses=[COLUMNS], says="tokens are columns here"),
]

# 1.10
MATCH = ["encoder_self", "decoder_self", "cross", "cross_shape"]


def crossing(match: str) -> dict[str, str]:
    return {"1.10 match": f"encoder_self, decoder_self, cross, cross_shape = {tuple(match)!r}"}


EXAMPLES += [
    right("1.10", "lower case", crossing("cdbb")),
    right("1.10", "in brackets", {"1.10 match": "encoder_self, decoder_self, cross, cross_shape = '(C)', 'D.', ' B', '(B)'"}),
    wrong("1.10", "encoder and decoder swapped", crossing("DCAA"), loses=MATCH, says="reversed"),
    wrong("1.10", "all cross-attention", crossing("BBBB"), loses=MATCH[:2], says="self-attention stays within one sequence"),
    wrong("1.10", "the encoder alone", crossing("CCCB"), loses=["decoder_self", "cross"], says="the decoder would not be involved"),
    wrong("1.10", "the width before the values' map", crossing("CDBC"), loses=["cross_shape"], says="d_v = 6"),
    wrong("1.10", "the decoder's own shape", crossing("CDDD"), loses=["cross", "cross_shape"], says="the keys come from the 7 source words"),
    wrong("1.10", "rows for source words", crossing("AABA"), loses=["encoder_self", "decoder_self", "cross_shape"], says="they come from the 5 target words"),
]

# 1.11
ERROR, TABLE, ORDER = "the equivariance error", "the sinusoids", ["needs_order", "not_equivariant"]


def blind(error: str = "np.abs(layer(X[order]) - layer(X)[order]).max()", table: str = "", choice: str = "DB") -> dict[str, str]:
    made = {"1.11 error": f"return {error}", "1.11 choice": f"needs_order, not_equivariant = {tuple(choice)!r}"}
    return made | ({"1.11 sinusoids": table} if table else {})


def table(angle: str, even: str = "np.sin", odd: str = "np.cos", join: str = "np.where(c % 2 == 0, even, odd)", start: str = "0") -> str:
    return f"p, c = np.arange(n)[:, None] + {start}, np.arange(d)\nangle = {angle}\neven, odd = {even}(angle), {odd}(angle)\nreturn {join}"


EXAMPLES += [
    right("1.11", "all arguments shuffled back; stacked table", blind("float(np.abs(layer(X[order])[np.argsort(order)] - layer(X)).max())", "a = np.outer(np.arange(n), np.exp(-np.log(1e4) * np.arange(0, d, 2) / d))\nreturn np.stack([np.sin(a), np.cos(a)], axis=2).reshape(n, d)", "db")),
    wrong("1.11", "invariance; all sines first", blind("np.abs(layer(X[order]) - layer(X)).max()", "a = np.arange(n)[:, None] / 10000 ** (np.arange(0, d, 2) / d)\nreturn np.hstack([np.sin(a), np.cos(a)])", "AA"), loses=[ERROR, TABLE, *ORDER], says="You tested invariance"),
    wrong("1.11", "inverse permutation; sine and cosine swapped", blind("np.abs(layer(X[order]) - layer(X)[np.argsort(order)]).max()", table("p / 10000 ** ((c - c % 2) / d)", "np.cos", "np.sin"), "BC"), loses=[ERROR, TABLE, *ORDER], says="inverse permutation"),
    wrong("1.11", "mean; places from 1", blind("np.abs(layer(X[order]) - layer(X)[order]).mean()", table("p / 10000 ** ((c - c % 2) / d)", start="1"), "CD"), loses=[ERROR, TABLE, *ORDER], says="count from 0"),
    wrong("1.11", "no absolute value; own frequency for each column", blind("(layer(X[order]) - layer(X)[order]).max()", table("p / 10000 ** (c / d)")), loses=[ERROR, TABLE], says="share one frequency"),
    wrong("1.11", "shuffled twice; i/d", blind("np.abs(layer(X[order]) - layer(X[order])).max()", table("p / 10000 ** ((c // 2) / d)")), loses=[ERROR, TABLE], says="you used i/d"),
    wrong("1.11", "shuffles its input", {"1.11 error": "y = layer(X)[order]\nX[:] = X[order]\nreturn np.abs(layer(X) - y).max()"}, loses=[ERROR], says="changed its inputs in place"),
    wrong("1.11", "multiplied by the power", blind(table=table("p * 10000.0 ** ((c - c % 2) / d)")), loses=[TABLE], shows="matrix", says="divide by it"),
    wrong("1.11", "transposed table", blind(table=table("p / 10000 ** ((c - c % 2) / d)", join="np.where(c % 2 == 0, even, odd).T")), loses=[TABLE], shows="matrix", says="The table is transposed"),
    wrong("1.11", "base 1000", blind(table=table("p / 1000 ** ((c - c % 2) / d)")), loses=[TABLE], shows="matrix", says="The base is 10000"),
    wrong("1.11", "the angle cut to a whole number", blind(table=table("p // 10000 ** ((c - c % 2) / d)")), loses=[TABLE], shows="matrix", says="cuts the angle"),
    wrong("1.11", "twice the column", blind(table=table("p / 10000 ** (2 * c / d)")), loses=[TABLE], says="twice the column"),
]

# 1.12
INTUITION = ["query_from", "keys_from", "values_from", "order_fix"]


def match(four: str) -> str:
    return f"query_from, keys_from, values_from, order_fix = {tuple(four)!r}"


EXAMPLES += [
    right("1.12", "lower case and spaces", {"1.12 match": "query_from, keys_from, values_from, order_fix = 'b ', ' a', 'a', '(c)'"}),
    wrong("1.12", "query from all, keys from one", {"1.12 match": match("ABBA")}, loses=INTUITION, says="one query asks for one word"),
    wrong("1.12", "causal, another scale", {"1.12 match": match("CCCB")}, loses=INTUITION, says="causal attention"),
    wrong("1.12", "not itself, longer vectors", {"1.12 match": match("BDDD")}, loses=INTUITION[1:], says="a word may attend to itself"),
    wrong("1.12", "numbers for letters", {"1.12 match": "query_from, keys_from, values_from, order_fix = 1, 0, 0, 2"}, loses=INTUITION, says="should be one of the letters"),
]

# 1.13
BEFORE, AFTER = "before attention", "after attention"


def banks(static: str, contextual: str) -> dict[str, str]:
    return {"1.13a values": f"""
def cosine(u, v):
    return u @ v / (np.linalg.norm(u) * np.linalg.norm(v))
def after(X, **more):
    return library_attention(X, X, X, **more)[0]
bank_static = {static}
bank_contextual = {contextual}
"""}


FULL, WINDOW, MEMORY = "full attention", "the window", "the memory"


def bill(full: str, window: str, memory: str) -> dict[str, str]:
    return {"1.13c values": f"full_scores, window_scores, score_gigabytes = {full}, {window}, {memory}"}


EXAMPLES += [
    right("1.13a", "rounded", banks("1", "round(cosine(after(river_sentence)[2], after(money_sentence)[1]), 3)")),
    wrong("1.13a", "dot products", banks("3.0", "after(river_sentence)[2] @ after(money_sentence)[1]"), loses=[BEFORE, AFTER], says="divide by both norms"),
    wrong("1.13a", "no scale", banks("1.0", "cosine(after(river_sentence, scale=1.0)[2], after(money_sentence, scale=1.0)[1])"), loses=[AFTER], says="scale 1/√4 is missing", visible=GIVES_AWAY),
    wrong("1.13a", "the row of river", banks("cosine(river_sentence[1], money_sentence[1])", "cosine(after(river_sentence)[1], after(money_sentence)[1])"), loses=[BEFORE, AFTER], says="stands at place 2 of the first sentence", visible=GIVES_AWAY),
    wrong("1.13a", "no attention at all", banks("0.0", "1.0"), loses=[BEFORE, AFTER], says="that is the cosine before attention", visible=GIVES_AWAY),
    right("1.13c", "by formula, floats", bill("4096.0**2", "4096 * 129 - 128 * 129 // 2", "480")),
    wrong("1.13c", "causal; first tokens forgotten; one head", bill("4096 * 4097 // 2", "4096 * 129", "40"), loses=[FULL, WINDOW, MEMORY], says="that is one head", visible=GIVES_AWAY),
    wrong("1.13c", "without itself; window of 128; GiB", bill("4096 * 4095", "4096 * 128", "480e9 / 2**30"), loses=[FULL, WINDOW, MEMORY], says="gibibytes", visible=GIVES_AWAY),
    wrong("1.13c", "n; both sides; bytes", bill("4096", "sum(min(i + 128, 4095) - max(i - 128, 0) + 1 for i in range(4096))", "480e9"), loses=[FULL, WINDOW, MEMORY], says="looks to both sides"),
]

# Claims and reasons -------------------------------------------------------------------------------------------------


def reasons(cat: str = "B", asymmetry: str = "C") -> dict[str, str]:
    return {"1.2 reasons": f"cat_reason, asymmetry_reason = {cat!r}, {asymmetry!r}"}


def prices(window: str = "B", linear: str = "C", flash: str = "A") -> dict[str, str]:
    return {"1.13c prices": f"window_price, linear_price, flash_price = {window!r}, {linear!r}, {flash!r}"}


REACH, UPDATES, ONE_HEAD = "the window", "the recurrence", "one head"
TURNS, KEPT, GROWN = "steps in turn", "what is kept", "the cost of growth"


def reach(layers: str = "16", updates: str = "63", head: str = "[1, 2]", claim: str = "B") -> dict[str, str]:
    return {"1.13b values": f"window_layers, rnn_updates, one_head_output, one_head_claim = {layers}, {updates}, {head}, {claim!r}"}


def growth(rnn: str = "2000", attention: str = "1", cache: str = "98_304_000", state: str = "24_576", cost: str = "100") -> dict[str, str]:
    return {"1.13d values": f"rnn_in_turn, attention_in_turn, cache_numbers, state_numbers, cost_factor = {rnn}, {attention}, {cache}, {state}, {cost}"}


EXAMPLES += [
    right("1.2", "reasons in lower case", reasons("b", "c.")),
    wrong("1.2", "the word after it, and rounding", reasons("A", "D"), loses=["cat_reason", "asymmetry_reason"], says="knows where a word stands"),
    wrong("1.2", "maps of their own", reasons("C", "B"), loses=["cat_reason", "asymmetry_reason"], says="there are no maps here"),
    right("1.5", "W_V in lower case", {"1.5 learns": "hard_learns = 'b'"}),
    wrong("1.5", "queries and keys learn", {"1.5 learns": "hard_learns = 'A'"}, loses=["hard_learns"], says="do not move the argmax"),
    wrong("1.5", "nothing learns", {"1.5 learns": "hard_learns = 'D'"}, loses=["hard_learns"], says="a step of W_V changes it"),
    wrong("1.7", "the rival shares nothing", {"1.7 rate": "copy_rate = 'C'"}, loses=["copy_rate"], says="2β² − β²"),
    wrong("1.7", "polynomially", {"1.7 rate": "copy_rate = 'A'"}, loses=["copy_rate"], says="exponentials of scores"),
    wrong("1.13a", "bank itself", {"1.13a reason": "bank_reason = 'B'"}, loses=["bank_reason"], says="one row for “bank”"),
    wrong("1.13a", "function words", {"1.13a reason": "bank_reason = 'A'"}, loses=["bank_reason"], says="their scores are 0"),
    wrong("1.13c", "window and linear exchanged", prices("C", "B"), loses=["window_price", "linear_price"], says="price of linear attention"),
    wrong("1.13c", "FlashAttention loses the gradient", prices(flash="D"), loses=["flash_price"], says="all three remedies have gradients"),
    right("1.13b", "arrays and a computed number", reach("np.ceil(63 / 4)", "np.int64(63)", "np.array([1.0, 2.0])", "b")),
    right("1.13b", "text around the letter, a tensor", reach("16.0", "63.0", "torch.tensor([1, 2])", "(B)")),
    wrong("1.13b", "both sides of the window, words counted, a sum", reach("8", "64", "[2, 4]", "A"), loses=[REACH, UPDATES, ONE_HEAD, "one_head_claim"], says="only the 4 on one side", visible=GIVES_AWAY),
    wrong("1.13b", "not rounded up, one too few", reach("63 / 4", "62", "[2, 0]", "C"), loses=[REACH, UPDATES, ONE_HEAD, "one_head_claim"], says="round up"),
    wrong("1.13b", "one layer too few", reach("15"), loses=[REACH], says="as far as word 3", visible=GIVES_AWAY),
    wrong("1.13b", "one place a layer", reach("63", "1"), loses=[REACH, UPDATES], says="a layer bridges 4 of them", visible=GIVES_AWAY),
    wrong("1.13b", "a softmax cannot be even", reach(claim="D"), loses=["one_head_claim"], says="if their scores are equal"),
    right("1.13d", "as arrays and products", growth("np.array(2000)", "1.0", "2 * 24 * 1024 * 2000", "24 * 1024.0", "10 * 10")),
    right("1.13d", "tensors", growth(*(f"torch.tensor({n})" for n in (2000, 1, 98304000, 24576, 100)))),
    wrong("1.13d", "keys alone, one layer's state, one factor", growth(cache="24 * 1024 * 2000", state="1024", cost="10"), loses=[KEPT, GROWN], says="keys **and** values", visible=GIVES_AWAY),
    wrong("1.13d", "layers in turn", growth(attention="24", cache="98_304_000 // 24"), loses=[TURNS, KEPT], says="no place of a layer waits", visible=GIVES_AWAY),
    wrong("1.13d", "all at once in both, with the 6", growth(rnn="1", cost="600"), loses=[TURNS, GROWN], says="the 6 cancels", visible=GIVES_AWAY),
    wrong("1.13d", "bytes; a state for each token", growth(cache="4 * 98_304_000", state="24 * 1024 * 2000"), loses=[KEPT], says="those are bytes", visible=GIVES_AWAY),
    wrong("1.13d", "a state for each token", growth(state="24 * 1024 * 2000"), loses=[KEPT], says="however long the text", visible=GIVES_AWAY),
]

# 1.9 asks for attention of one's own; answers that take the library's are noted for the instructor, whatever else is wrong.
EXAMPLES = [
    replace(one, noted="uses `library_attention`") if one.question == "1.9" and "library_attention" in str(one.solution) else one
    for one in EXAMPLES
]
