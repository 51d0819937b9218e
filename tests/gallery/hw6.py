"""hw6's gallery. A region's text replaces the solution in the source; see autograder/author/gallery.py."""

import numpy as np

from autograder.author.gallery import right, wrong
from autograder.homeworks.hw6 import public

ON_PAPER = "the value is the answer of a derivation, and a check cell that knew it would give it away"
MEASURED_FIRST = "the check cell judges what was measured once the times are there, which grading leaves out"
OTHER_CASES = "the point of the hidden cases: what holds for the shown sizes does not hold for all"
NO_THEORY = "the slope is right, and the check cell has no theory to hold the size of the errors against"
IN_THE_LOG = "the claim stands in the log alone, which the check cell does not read"


def rnn(step: str, output: str = "1 / (1 + np.exp(-np.clip(1000 * h, -500, 500)))") -> dict[str, str]:
    return {"6.1 rnn": f"states, h = [], 0.0\nfor number in x:\n    h = {step}\n    states.append(h)\nreturn np.array(states), {output}"}


def choices(**changed: str) -> dict[str, str]:
    answers = {"sim_exp": "A", "sim_dot": "C", "sim_square": "B", "sim_polynomial": "B", "sim_relu": "B", "sim_elu": "A"} | changed
    return {"6.3 choices": "\n".join(f'{name} = "{letter}"' for name, letter in answers.items())}


def examples(dot: tuple[str, str] = ("[1.0]", "[[1.0], [-0.995]]"), square: tuple[str, str] = ("[1.0, 0.0]", "[[0.0, 1.0], [0.0, -0.5]]")) -> dict[str, str]:
    names = ("dot_query", "dot_keys", "square_query", "square_keys")
    return {"6.3 examples": "\n".join(f"{name} = np.array({value})" for name, value in zip(names, dot + square, strict=True))}


def features(*parts: str) -> dict[str, str]:
    lines = ["i, j = np.triu_indices(X.shape[1], k=1)", f"return np.concatenate([{', '.join(parts)}], axis=1)"]
    return {"6.4 features": "\n".join(lines)}


def orders(**changed: str) -> str:
    answers = {
        "softmax_time": "[[2, 1, 0, 0], [2, 0, 1, 0]]",
        "softmax_memory": "[[2, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]]",
        "kernel_time": "[[1, 0, 1, 1]]",
        "kernel_memory": "[[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]]",
    } | changed
    return "\n".join(f"{name} = np.array({value})" for name, value in answers.items())


def values(losses: str = "[[0.0, 2.0], [0.001, 1.0]]", equal: str = "0.001", letter: str = "B") -> dict[str, str]:
    return {"6.7a values": f'candidate_losses = np.array({losses})\nequal_lambda = {equal}\nlarger_lambda = "{letter}"'}


GAUSSIAN = "left, right = Q @ W.T, K @ W.T\nkernel = (np.cos(left) @ np.cos(right).T + np.sin(left) @ np.sin(right).T) / count\nf = lambda X: np.exp((X**2).sum(1) / 2 / Q.shape[1] ** 0.5)\n"


def memory(slopes: str = "[fitted_slope(memory_lengths, softmax_bytes), fitted_slope(memory_lengths, linear_bytes)]", predicted: str = "softmax_bytes[-1] * 1024 / 1e9") -> dict[str, str]:
    return {"6.8 memory": f"memory_slopes = np.array({slopes})\npredicted_gigabytes = {predicted}"}


ONE, LINEAR, SQUARES, CROSS = "np.ones((len(X), 1))", "2**0.5 * X", "X**2", "2**0.5 * X[:, i] * X[:, j]"
STATES, UNROLLED = "states and output", "the unrolled weights"
QUADRATIC, MASKED, SMALL, GROWTH = "equals the quadratic form", "equals the masked quadratic form", "no T×T tensor", "work grows like T"
DOT, SQUARE = "q·k leaves the bounds", "(q·k)² sums to zero"
KERNEL, FEW, COUNT = "φ(q)·φ(k) is the kernel", "as few features as possible", "the number of features"
AT_64 = "the number for D = 64"
SOFTMAX_COUNT, KERNEL_COUNT, MEET = "softmax attention's multiplications", "kernelized attention's multiplications", "where the quadratic kernel starts to win"
VARIANCE, FACTOR, RANDOM = "the variance of the Gaussian", "the factor of each vector", "random features"
DRAWN, CONVERGES, ERRORS = "frequencies have the right distribution", "the estimate converges", "error against number of features"
LOSS, CANDIDATES, EQUAL = "the loss", "both candidates' losses", "where both are equally good"
GRADIENT, CLOSED, VANISHES = "the gradient", "equals the numerical minimiser", "the gradient vanishes, with fewer columns than rows too"
GIVEN, INTERVAL, NONE = "λ for the given singular values", "the interval for any singular values", "None where no λ fits"
MEMORY, PREDICTED, TIMES = "peak memory and its slopes", "what softmax would need at N = 65,536", "slopes of the measured times"
LENGTHS = np.array([32, 64, 128, 256, 512, 1024, 2048, 4096, 8192.0])

EXAMPLES = [
    # 6.1
    right("6.1", "unrolled sums instead of a loop", {
        "6.1 rnn": "T = len(x)\nsign = np.array([[(-1.0) ** (t - s) if s <= t else 0.0 for s in range(T)] for t in range(T)])\nh = sign @ x\nreturn h, float(torch.sigmoid(torch.tensor(1000 * h[-1])))",
        "6.1 weights": "return np.array([1, -1] * T)[:T][::-1]",
        "6.1 choice": 'alternating_decides = "b"',
    }),
    right("6.1", "float32, as Python numbers", {
        "6.1 rnn": "h, states = torch.zeros(()), []\nfor number in torch.tensor(x, dtype=torch.float32):\n    h = number - h\n    states.append(h.item())\nreturn states, torch.sigmoid(1000 * h).item()",
    }),
    wrong("6.1", "the state is added", rnn("number + h"), loses=[STATES], says="You add the state"),
    wrong("6.1", "the other way round", rnn("h - number"), loses=[STATES], says="sign is reversed"),
    wrong("6.1", "no factor 1000", rnn("number - h", "1 / (1 + np.exp(-h))"), loses=[STATES], says="factor 1000"),
    wrong("6.1", "the state halved, weights halved", rnn("number - h / 2") | {"6.1 weights": "return (-0.5) ** np.arange(T)[::-1]"}, loses=[STATES, UNROLLED], says="shrink by half"),
    wrong("6.1", "weights for even T only", {"6.1 weights": "return (-1) ** np.arange(1, T + 1)"}, loses=[UNROLLED], says="it is right for even T only"),
    wrong("6.1", "weights with all signs reversed", {"6.1 weights": "return -((-1.0) ** (T - np.arange(1, T + 1)))"}, loses=[UNROLLED], says="all signs are reversed"),
    wrong("6.1", "weights all one", {"6.1 weights": "return np.ones(T)"}, loses=[UNROLLED], says="All weights are 1"),
    wrong("6.1", "weights for odd T only", {"6.1 weights": "return (-1.0) ** np.arange(T)"}, loses=[UNROLLED], says="it is right for odd T only"),
    wrong("6.1", "differences of neighbors", {"6.1 rnn": "states = np.diff(x, prepend=0.0)\nreturn states, 0.5 + 0.5 * np.tanh(500 * states[-1])"}, loses=[STATES], says="differences of neighbors"),
    wrong("6.1", "a step for σ", rnn("number - h", "float(h > 0)"), loses=[STATES], says="A step stands in the place of σ"),
    wrong("6.1", "odd places", {"6.1 choice": 'alternating_decides = "C"'}, loses=["alternating_decides"], says="even places count positive"),
    wrong("6.1", "plain sum", {"6.1 choice": 'alternating_decides = "D"'}, loses=["alternating_decides"], says="makes them alternate"),
    wrong("6.1", "only the output", {"6.1 rnn": "h = 0.0\nfor number in x:\n    h = number - h\nreturn float(h > 0)"}, loses=[STATES], says="should return 2 things"),
    wrong("6.1", "σ that overflows", rnn("number - h", "np.exp(1000 * h) / (1 + np.exp(1000 * h))"), loses=[STATES], says="∞/∞ is nan"),
    wrong("6.1", "a factor of 100 in σ", rnn("number - h", "0.5 + 0.5 * np.tanh(50 * h)"), loses=[STATES], says="The factor inside σ is 100"),
    wrong("6.1", "output and states swapped", {"6.1 rnn": "states, h = [], 0.0\nfor number in x:\n    h = number - h\n    states.append(h)\nreturn 0.5 + 0.5 * np.tanh(500 * h), np.array(states)"}, loses=[STATES], says="The two are swapped"),
    wrong("6.1", "running sums of the weights", {"6.1 weights": "return np.cumsum((-1.0) ** (T - np.arange(1, T + 1)))"}, loses=[UNROLLED], says="running sums"),
    wrong("6.1", "two letters", {"6.1 choice": 'alternating_decides = "B and C"'}, loses=["alternating_decides"], says="but it is 'B and C'"),
    wrong("6.1", "a number for a letter", {"6.1 choice": "alternating_decides = 2"}, loses=["alternating_decides"], says="but it is 2"),
    # 6.2a
    right("6.2a", "einsum", 'state = torch.einsum("td,tm->dm", K, V)\nreturn torch.einsum("td,dm->tm", Q, state) / torch.einsum("td,d->t", Q, K.sum(0))[:, None]'),
    right("6.2a", "ones appended to the values", "both = Q @ (K.T @ torch.cat([V, torch.ones_like(V[:, :1])], dim=1))\nreturn both[:, :-1] / both[:, -1:]"),
    right("6.2a", "a loop over the keys", "total = torch.zeros(Q.shape[1], V.shape[1] + 1, dtype=Q.dtype)\nfor k, v in zip(K, V):\n    total = total + torch.outer(k, torch.cat([v, torch.ones_like(v[:1])]))\nboth = Q @ total\nreturn both[:, :-1] / both[:, -1:]"),
    wrong("6.2a", "one einsum, which multiplies from left to right", 'similar = torch.einsum("td,sd,sm->tm", Q, K, V)\nreturn similar / (Q @ K.sum(0))[:, None]', loses=[SMALL, GROWTH], says="that is a T×T tensor"),
    wrong("6.2a", "the quadratic form", "similar = Q @ K.T\nreturn similar @ V / similar.sum(dim=1, keepdim=True)", loses=[SMALL, GROWTH], shows="curve", says="that is a T×T tensor"),
    wrong("6.2a", "query by query", "rows = []\nfor q in Q:\n    similar = K @ q\n    rows.append(similar @ V / similar.sum())\nreturn torch.stack(rows)", loses=[GROWTH], shows="curve", says="like T², not like T"),
    wrong("6.2a", "numerator regrouped, denominator not", "return Q @ (K.T @ V) / (Q @ K.T).sum(dim=1, keepdim=True)", loses=[SMALL, GROWTH], says="that is a T×T tensor"),
    wrong("6.2a", "no normalizer", "return Q @ (K.T @ V)", loses=[QUADRATIC], says="division by the sum of the similarities is missing"),
    wrong("6.2a", "divided by T", "return Q @ (K.T @ V) / len(Q)", loses=[QUADRATIC], says="number of tokens"),
    wrong("6.2a", "softmaxes of queries and keys", "return Q.softmax(1) @ (K.softmax(0).T @ V)", loses=[QUADRATIC], says="Softmaxes of queries and keys"),
    wrong("6.2a", "softmax", "return softmax_attention(Q, K, V)", loses=[QUADRATIC, SMALL, GROWTH], says="softmax attention with its scale"),
    wrong("6.2a", "queries and keys swapped", "return K @ (Q.T @ V) / (K @ Q.sum(dim=0))[:, None]", loses=[QUADRATIC], says="changed places"),
    wrong("6.2a", "out of sight of torch", "q, k, v = Q.numpy(), K.numpy(), V.numpy()\nreturn q @ (k.T @ v) / (q @ k.sum(0))[:, None]", loses=[SMALL, GROWTH], says="No torch operation was seen"),
    wrong("6.2a", "columns of K divided by their sums", "return Q @ ((K / K.sum(0)).T @ V)", loses=[QUADRATIC], says="divide each column of K"),
    # 6.2b
    right("6.2b", "a loop with a state", """
    state, total, rows = torch.zeros(Q.shape[1], V.shape[1], dtype=Q.dtype), torch.zeros(Q.shape[1], dtype=Q.dtype), []
    for q, k, v in zip(Q, K, V):
        state, total = state + torch.outer(k, v), total + k
        rows.append(q @ state / (q @ total))
    return torch.stack(rows)
    """),
    right("6.2b", "blocks of 16 with a state between them", """
    state, total, rows = torch.zeros(Q.shape[1], V.shape[1], dtype=Q.dtype), torch.zeros(Q.shape[1], dtype=Q.dtype), []
    for start in range(0, len(Q), 16):
        q, k, v = (item[start : start + 16] for item in (Q, K, V))
        inner = torch.tril(q @ k.T)
        rows.append((inner @ v + q @ state) / (inner.sum(1) + q @ total)[:, None])
        state, total = state + k.T @ v, total + k.sum(0)
    return torch.cat(rows)
    """),
    wrong("6.2b", "masked quadratic form", "similar = torch.tril(Q @ K.T)\nreturn similar @ V / similar.sum(dim=1, keepdim=True)", loses=[SMALL, GROWTH], says="that is a T×T tensor"),
    wrong("6.2b", "sums made anew for each place", "rows = []\nfor t in range(len(Q)):\n    k, v = K[: t + 1], V[: t + 1]\n    rows.append(Q[t] @ (k.T @ v) / (Q[t] @ k.sum(0)))\nreturn torch.stack(rows)", loses=[GROWTH], says="like T², not like T"),
    wrong("6.2b", "not causal", "return Q @ (K.T @ V) / (Q @ K.sum(dim=0))[:, None]", loses=[MASKED], says="Every query sees all keys"),
    wrong("6.2b", "denominator not causal", 'state = torch.cumsum(K[:, :, None] * V[:, None, :], dim=0)\nreturn torch.einsum("td,tdm->tm", Q, state) / (Q @ K.sum(dim=0))[:, None]', loses=[MASKED], says="denominator sums over all keys"),
    wrong("6.2b", "nothing summed", 'return torch.einsum("td,tdm->tm", Q, K[:, :, None] * V[:, None, :]) / (Q * K).sum(1, keepdim=True)', loses=[MASKED], says="Nothing is summed over the places"),
    wrong("6.2b", "own place left out", 'terms = K[:, :, None] * V[:, None, :]\nstate = torch.cumsum(terms, dim=0) - terms\nreturn torch.einsum("td,tdm->tm", Q, state) / (Q * (torch.cumsum(K, dim=0) - K)).sum(1, keepdim=True)', loses=[MASKED], says="does not see itself"),
    wrong("6.2b", "sums from the end", 'state = torch.cumsum((K[:, :, None] * V[:, None, :]).flip(0), dim=0).flip(0)\ntotal = torch.cumsum(K.flip(0), dim=0).flip(0)\nreturn torch.einsum("td,tdm->tm", Q, state) / (Q * total).sum(1, keepdim=True)', loses=[MASKED], says="sums run from the end"),
    wrong("6.2b", "queries inside the sums", "similar = (Q * K).sum(1, keepdim=True)\nreturn torch.cumsum(similar * V, 0) / torch.cumsum(similar, 0) + 0 * (K[:, :, None] * V[:, None, :]).cumsum(0).sum(1)", loses=[MASKED], says="The queries are inside the sums"),
    wrong("6.2b", "no normalizer", 'return torch.einsum("td,tdm->tm", Q, torch.cumsum(K[:, :, None] * V[:, None, :], dim=0))', loses=[MASKED], says="division by the sum"),
    wrong("6.2b", "a state that decays", "rows, state, total = [], 0, 0\nfor q, k, v in zip(Q, K, V):\n    state, total = 0.9 * state + torch.outer(k, v), 0.9 * total + k\n    rows.append(q @ state / (q @ total))\nreturn torch.stack(rows)", loses=[MASKED], says="The sums decay"),
    wrong("6.2b", "keys alone in the denominator", 'state = torch.cumsum(K[:, :, None] * V[:, None, :], dim=0)\nreturn torch.einsum("td,tdm->tm", Q, state) / K.cumsum(0).sum(1, keepdim=True)', loses=[MASKED], says="The denominator sums the keys alone"),
    # 6.3
    right("6.3", "exact cancellation; three keys orthogonal to a slanted query", examples(("[1.0, 1.0]", "[[1.0, 0.0], [0.0, -1.0]]"), ("[0.5, 0.5]", "[[1.0, -1.0], [-0.3, 0.3], [0.2, -0.2]]"))),
    right("6.3", "a weight of exactly 100", examples(dot=("[1.0]", "[[1.0], [-0.99]]"))),
    wrong("6.3", "similarities of one sign", examples(dot=("[1.0]", "[[1.0], [0.001]]")), loses=[DOT], says="have one sign"),
    wrong("6.3", "cancels too little", examples(dot=("[1.0]", "[[1.0], [-0.5]]")), loses=[DOT], says="weights of size 2 at most"),
    wrong("6.3", "orthogonal keys for the plain product", examples(dot=("[1.0, 0.0]", "[[0.0, 1.0], [0.0, 1.0]]")), loses=[DOT], says="Every q·k is 0"),
    wrong("6.3", "opposite keys for the square", examples(square=("[1.0, 0.0]", "[[1.0, 0.0], [-1.0, 0.0]]")), loses=[SQUARE], says="Squares cannot cancel"),
    wrong("6.3", "a zero query", examples(square=("[0.0, 0.0]", "[[1.0, 0.0], [-1.0, 0.0]]")), loses=[SQUARE], says="too cheap"),
    wrong("6.3", "one key", examples(dot=("[1.0]", "[[-1.0]]"), square=("[1.0, 0.0]", "[[0.0, 1.0]]")), loses=[DOT, SQUARE], says="single key always gets the weight 1"),
    wrong("6.3", "entries too large", examples(dot=("[10.0]", "[[10.0], [-9.99]]")), loses=[DOT], says="between -1 and 1"),
    wrong("6.3", "everything safe", choices(sim_dot="A", sim_square="A", sim_polynomial="A", sim_relu="A"), loses=["sim_dot", "sim_square", "sim_polynomial", "sim_relu"], says="such a query"),
    wrong("6.3", "everything may be zero", choices(sim_exp="B", sim_dot="B", sim_elu="B"), loses=["sim_exp", "sim_dot", "sim_elu"], says="positive for all real vectors"),
    wrong("6.3", "everything unbounded", choices(sim_exp="C", sim_square="C", sim_polynomial="C", sim_relu="C", sim_elu="C"), loses=["sim_exp", "sim_square", "sim_polynomial", "sim_relu", "sim_elu"], says="never negative"),
    # 6.4
    right("6.4", "upper triangle of the outer product of (1, x)", {
        "6.4 features": "Z = np.concatenate([np.ones((len(X), 1)), X], axis=1)\ni, j = np.triu_indices(Z.shape[1])\nreturn np.where(i == j, 1, 2**0.5) * Z[:, i] * Z[:, j]",
        "6.4 count": "return sum(range(1, D + 2))",
        "6.4 value": "features_for_64 = feature_count(64)",
    }),
    right("6.4", "rows as lists", {"6.4 features": "rows = []\nfor x in X:\n    pairs = [2**0.5 * x[i] * x[j] for i in range(len(x)) for j in range(i)]\n    rows.append([1.0, *(2**0.5 * x), *(x**2), *pairs])\nreturn rows"}),
    right("6.4", "in float32", {"6.4 features": "X = X.astype(np.float32)\n" + features(ONE, LINEAR, SQUARES, CROSS)["6.4 features"]}),
    wrong("6.4", "changes its input in place", {"6.4 features": "X += 0.5\nZ = np.hstack([X - 0.5, np.ones((len(X), 1))])\ni, j = np.triu_indices(Z.shape[1])\nreturn Z[:, i] * Z[:, j] * np.where(i == j, 1, np.sqrt(2))"}, loses=[KERNEL], says="changed its inputs in place"),
    wrong("6.4", "all (D + 1)² products", {"6.4 features": "ones = np.c_[np.ones(len(X)), X]\nreturn (ones[:, :, None] * ones[:, None, :]).reshape(len(X), -1)", "6.4 count": "return (D + 1) ** 2", "6.4 value": "features_for_64 = 65**2"}, loses=[FEW, COUNT, AT_64], says="all (D + 1)² products"),
    wrong("6.4", "cross terms left out", features(ONE, LINEAR, SQUARES) | {"6.4 count": "return 2 * D + 1", "6.4 value": "features_for_64 = 129"}, loses=[KERNEL, FEW, COUNT, AT_64], says="cross terms are missing"),
    wrong("6.4", "cross terms with weight 1", features(ONE, LINEAR, SQUARES, "X[:, i] * X[:, j]"), loses=[KERNEL], says="the weight is √2, not 1"),
    wrong("6.4", "cross terms with weight 2", features(ONE, LINEAR, SQUARES, "2 * X[:, i] * X[:, j]"), loses=[KERNEL], says="come in with the weight 2"),
    wrong("6.4", "linear terms with weight 1", features(ONE, "X", SQUARES, CROSS), loses=[KERNEL], says="The linear terms come in with the weight 1"),
    wrong("6.4", "all weights 1", features(ONE, "X", SQUARES, "X[:, i] * X[:, j]"), loses=[KERNEL], says="All weights are 1"),
    wrong("6.4", "constant left out", features(LINEAR, SQUARES, CROSS) | {"6.4 count": "return (D + 1) * (D + 2) // 2 - 1"}, loses=[KERNEL, FEW, COUNT], says="constant feature is missing"),
    wrong("6.4", "squares among the pairs too", {"6.4 features": "i, j = np.triu_indices(X.shape[1])\nreturn np.concatenate([np.ones((len(X), 1)), 2**0.5 * X, X**2, 2**0.5 * X[:, i] * X[:, j]], axis=1)"}, loses=[KERNEL, FEW], says="The squares come in twice"),
    wrong("6.4", "pairs of neighbors alone", features(ONE, LINEAR, SQUARES, "2**0.5 * X[:, 1:] * X[:, :-1]"), loses=[KERNEL, FEW], says="Some are missing"),
    wrong("6.4", "all products of pairs in both orders", features(ONE, LINEAR, "(X[:, :, None] * X[:, None, :]).reshape(len(X), -1)") | {"6.4 count": "return D * D + D + 1"}, loses=[FEW, COUNT], says="x_j·x_i both"),
    wrong("6.4", "a root of the Gram matrix", {"6.4 features": "return np.linalg.cholesky((X @ X.T + 1) ** 2 + 1e-12 * np.eye(len(X)))"}, loses=[KERNEL, FEW], says="number of features differs"),
    wrong("6.4", "pairs counted in both orders", {"6.4 value": "features_for_64 = 64**2 + 64 + 1"}, loses=[AT_64], says="one feature for each pair is enough", visible=ON_PAPER),
    wrong("6.4", "a guess", {"6.4 value": "features_for_64 = 64**2"}, loses=[AT_64], says="count them first", visible=ON_PAPER),
    wrong("6.4", "only the highest degree counted", {"6.4 count": "return D * (D + 1) // 2"}, loses=[COUNT], says="Only the terms of degree 2"),
    # 6.5a
    right("6.5a", "smaller terms kept, other order", orders(softmax_time="[[1, 1, 0, 0], [2, 0, 1, 0], [2, 1, 0, 0], [2, 0, 0, 0]]", kernel_time="[[1, 0, 0, 1], [1, 0, 1, 1]]", kernel_memory="[[0, 0, 0, 1], [0, 0, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0]]")),
    wrong("6.5a", "only the scores", orders(softmax_time="[[2, 1, 0, 0]]", softmax_memory="[[2, 0, 0, 0]]"), loses=["softmax time", "softmax memory"], says="is not covered", visible=ON_PAPER),
    wrong("6.5a", "a product of D and M", orders(softmax_time="[[2, 1, 1, 0]]"), loses=["softmax time"], says="larger than needed", visible=ON_PAPER),
    wrong("6.5a", "softmax in streaming memory", orders(softmax_memory="[[1, 1, 0, 0], [1, 0, 1, 0]]"), loses=["softmax memory"], says="the N×N weights", visible=ON_PAPER),
    wrong("6.5a", "kernel still quadratic", orders(kernel_time="[[2, 0, 0, 1], [2, 0, 1, 0]]", kernel_memory="[[2, 0, 0, 0], [1, 1, 0, 0]]"), loses=["kernel time", "kernel memory"], says="N² appears", visible=ON_PAPER),
    wrong("6.5a", "D in place of C", orders(kernel_time="[[1, 1, 1, 0]]", kernel_memory="[[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]]"), loses=["kernel time", "kernel memory"], says="is not covered", visible=ON_PAPER),
    wrong("6.5a", "all features kept", orders(kernel_memory="[[1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]]"), loses=["kernel memory"], says="larger than needed", visible=ON_PAPER),
    wrong("6.5a", "negative exponents", orders(kernel_time="[[1, 0, 1, -1]]"), loses=["kernel time"], says="whole numbers from 0 to 9"),
    # 6.5b
    right("6.5b", "counts as floats, crossover by search", {
        "6.5b softmax": "return float(N) ** 2 * (D + M)",
        "6.5b kernel": "return N * C * (2 * M + 1)",
        "6.5b crossover": "N = 1\nwhile kernel_multiplications(N, (D + 1) * (D + 2) // 2, M) >= softmax_multiplications(N, D, M):\n    N += 1\nreturn N",
    }),
    wrong("6.5b", "one product of softmax", {"6.5b softmax": "return N * N * D", "6.5b kernel": "return N * C * M + N * C", "6.5b crossover": "C = (D + 1) * (D + 2) // 2\nreturn C * (2 * M + 1) // (D + M) + 1"}, loses=[SOFTMAX_COUNT, KERNEL_COUNT], says="second product, weights times values, is missing"),
    wrong("6.5b", "the larger of D and M; no normalizer", {"6.5b softmax": "return N * N * max(D, M)", "6.5b kernel": "return 2 * N * C * M"}, loses=[SOFTMAX_COUNT, KERNEL_COUNT], says="normalizer"),
    wrong("6.5b", "D for M, M for the normalizer", {"6.5b softmax": "return 2 * N * N * D", "6.5b kernel": "return 3 * N * C * M"}, loses=[SOFTMAX_COUNT, KERNEL_COUNT], says="counted with D"),
    wrong("6.5b", "additions too", {"6.5b softmax": "return 2 * N * N * (D + M)", "6.5b kernel": "return 2 * (2 * N * C * M + N * C)"}, loses=[SOFTMAX_COUNT, KERNEL_COUNT], says="multiplications alone, not additions"),
    wrong("6.5b", "D² features", {"6.5b crossover": "return D * D * (2 * M + 1) // (D + M) + 1"}, loses=[MEET], says="You take D²"),
    wrong("6.5b", "one too small", {"6.5b crossover": "C = (D + 1) * (D + 2) // 2\nreturn C * (2 * M + 1) // (D + M)"}, loses=[MEET], says="One too small"),
    wrong("6.5b", "the N of equal counts by ceil", {"6.5b crossover": "C = (D + 1) * (D + 2) // 2\nreturn int(np.ceil(C * (2 * M + 1) / (D + M)))"}, loses=[MEET], says="must need fewer"),
    wrong("6.5b", "cross terms forgotten", {"6.5b crossover": "return (2 * D + 1) * (2 * M + 1) // (D + M) + 1"}, loses=[MEET], says="cross terms are not among"),
    wrong("6.5b", "always", {"6.5b choice": 'quadratic_wins = "D"'}, loses=["quadratic_wins"], says="for short sequences softmax needs less"),
    wrong("6.5b", "N beyond D", {"6.5b choice": 'quadratic_wins = "A"'}, loses=["quadratic_wins"], says="between D and D²"),
    # 6.6a
    right("6.6a", "sines first, R given by shape, einsum", {
        "6.6a variance": "return D**0.5",
        "6.6a factor": 'return np.exp(np.einsum("nd,nd->n", X, X) / X.shape[1] ** 0.5 / 2)',
        "6.6a features": "angles = X @ W.T\nreturn np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(X), -1) * W.shape[0] ** -0.5",
    }),
    right("6.6a", "features in float32", {"6.6a features": "angles = (X @ W.T).astype(np.float32)\nreturn np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / np.float32(np.sqrt(len(W)))"}),
    wrong("6.6a", "2√D", {"6.6a variance": "return 2 * np.sqrt(D)"}, loses=[VARIANCE], says="That is 2√D"),
    wrong("6.6a", "random phases", {"6.6a features": "b = np.random.default_rng(0).uniform(0, 2 * np.pi, len(W))\nreturn np.sqrt(2 / len(W)) * np.cos(X @ W.T + b)"}, loses=[RANDOM], says="√(2/R)·cos(w·x + b) with random phases b"),
    wrong("6.6a", "σ² = D", {"6.6a variance": "return D", "6.6a factor": "return np.exp((X**2).sum(axis=1) / (2 * X.shape[1]))"}, loses=[VARIANCE, FACTOR], says="That is D."),
    wrong("6.6a", "σ instead of σ²", {"6.6a variance": "return D**0.25"}, loses=[VARIANCE], says="That is σ, not σ²"),
    wrong("6.6a", "D/2", {"6.6a variance": "return D / 2"}, loses=[VARIANCE], says="That is D/2"),
    wrong("6.6a", "1/σ²; sign of the factor", {"6.6a variance": "return 1 / np.sqrt(D)", "6.6a factor": "return np.exp(-(X**2).sum(axis=1) / (2 * np.sqrt(X.shape[1])))"}, loses=[VARIANCE, FACTOR], says="The sign of the exponent"),
    wrong("6.6a", "the 2 forgotten", {"6.6a factor": "return np.exp((X**2).sum(axis=1) / np.sqrt(X.shape[1]))"}, loses=[FACTOR], says="The 2 in 2σ²"),
    wrong("6.6a", "sines missing", {"6.6a features": "return np.cos(X @ W.T) / np.sqrt(len(W))"}, loses=[RANDOM], says="The sines are missing"),
    wrong("6.6a", "right for D = 4 alone; angles divided by σ", {"6.6a variance": "return 2.0", "6.6a factor": "return np.exp((X**2).sum(1) / 4)", "6.6a features": "a = X @ W.T / X.shape[1] ** 0.25\nreturn np.concatenate([np.cos(a), np.sin(a)], axis=1) / len(W) ** 0.5"}, loses=[VARIANCE, FACTOR, RANDOM], says="right for D = 4 alone"),
    wrong("6.6a", "no mean", {"6.6a features": "return np.concatenate([np.cos(X @ W.T), np.sin(X @ W.T)], axis=1)"}, loses=[RANDOM], says="the factor 1/√R"),
    wrong("6.6a", "divided by R", {"6.6a features": "return np.concatenate([np.cos(X @ W.T), np.sin(X @ W.T)], axis=1) / len(W)"}, loses=[RANDOM], says="You divide each feature by R"),
    wrong("6.6a", "divided by the number of features", {"6.6a features": "return np.concatenate([np.cos(X @ W.T), np.sin(X @ W.T)], axis=1) / np.sqrt(2 * len(W))"}, loses=[RANDOM], says="number of features 2R"),
    # 6.6b
    right("6.6b", "random phases; standard normals scaled afterwards", {
        "6.6b draw": "return rng.standard_normal((count, D)) / np.sqrt(np.sqrt(D))",
        "6.6b estimate": "W, b = draw_frequencies(rng, count, Q.shape[1]), rng.uniform(0, 2 * np.pi, count)\nleft, right = (np.sqrt(2 / count) * np.cos(item @ W.T + b) for item in (Q, K))\nf = lambda X: np.exp((X**2).sum(1) / 2 / Q.shape[1] ** 0.5)\nreturn f(Q)[:, None] * (left @ right.T) * f(K)",
    }),
    wrong("6.6b", "variance σ² instead of σ⁻²", {"6.6b draw": "return rng.normal(scale=D**0.25, size=(count, D))"}, loses=[DRAWN, CONVERGES, ERRORS], says="That is σ², the variance of the kernel itself"),
    wrong("6.6b", "1/σ² as standard deviation", {"6.6b draw": "return rng.normal(scale=D**-0.5, size=(count, D))"}, loses=[DRAWN, CONVERGES, ERRORS], says="a generator takes the standard deviation"),
    wrong("6.6b", "standard normal", {"6.6b draw": "return rng.normal(size=(count, D))"}, loses=[DRAWN, CONVERGES, ERRORS], says="standard normal"),
    wrong("6.6b", "a generator of one's own", {"6.6b draw": "return np.random.default_rng(0).normal(scale=D**-0.25, size=(count, D))"}, loses=[DRAWN], says="the same numbers in every call"),
    wrong("6.6b", "the scale doubled, which at D = 4 gives σ²", {"6.6b draw": "return rng.normal(scale=2 * D**-0.25, size=(count, D))"}, loses=[DRAWN, CONVERGES, ERRORS], says="the variance"),
    wrong("6.6b", "uniform with the right variance", {"6.6b draw": "return np.sqrt(3) * D**-0.25 * rng.uniform(-1, 1, size=(count, D))"}, loses=[DRAWN, CONVERGES, ERRORS], says="distribution is not normal"),
    wrong("6.6b", "one number for all coordinates", {"6.6b draw": "return np.repeat(rng.normal(scale=D**-0.25, size=(count, 1)), D, axis=1)"}, loses=[DRAWN, CONVERGES, ERRORS], says="depend on each other"),
    wrong("6.6b", "factors forgotten", {"6.6b estimate": "W = draw_frequencies(rng, count, Q.shape[1])\n" + GAUSSIAN + "return kernel"}, loses=[CONVERGES, ERRORS], says="factors of the query and of the key are missing"),
    wrong("6.6b", "exact instead of estimated", {"6.6b estimate": "return np.exp(Q @ K.T / np.sqrt(Q.shape[1]))"}, loses=[CONVERGES, ERRORS], says="That is the exact similarity"),
    wrong("6.6b", "positive features", {"6.6b estimate": "W, D = draw_frequencies(rng, count, Q.shape[1]), Q.shape[1]\nleft, right = (np.exp(X @ W.T - (X**2).sum(1, keepdims=True) / 2 / D**0.5) for X in (Q, K))\nreturn left @ right.T / count"}, loses=[CONVERGES, ERRORS], says="Positive features"),
    wrong("6.6b", "exact with noise of the right size", {"6.6b estimate": 'W = draw_frequencies(rng, count, Q.shape[1])\nD = Q.shape[1]\ns = np.sqrt(D)\nd = ((Q[:, None] - K[None]) ** 2).sum(-1)\nk = np.exp(-d / (2 * s))\nf = np.exp(Q @ K.T / s) / k\nv = np.sqrt(np.maximum((1 + k**4) / 2 - k**2, 0) / count)\nreturn f * (k + v * rng.normal(size=k.shape))'}, loses=[CONVERGES], says="of rank 4 at most"),
    wrong("6.6b", "different frequencies for queries and keys", {"6.6b estimate": "W = draw_frequencies(rng, count, Q.shape[1])\n" + GAUSSIAN.replace("K @ W.T", "K @ draw_frequencies(rng, count, Q.shape[1]).T") + "return f(Q)[:, None] * kernel * f(K)"}, loses=[CONVERGES, ERRORS], says="further off than chance allows"),
    wrong("6.6b", "means of absolute errors", {"6.6b errors": "exact = np.exp(queries_66 @ keys_66.T / 2)\nrff_errors = np.array([np.mean([np.abs(estimate_similarity(queries_66, keys_66, c, rng_66) - exact) for _ in range(20)]) for c in GAUSSIAN_COUNTS])\nrff_slope = fitted_slope(GAUSSIAN_COUNTS, rff_errors)"}, loses=[ERRORS], says="means of absolute errors", visible=NO_THEORY),
    wrong("6.6b", "mean square without the root", {"6.6b errors": "exact = np.exp(queries_66 @ keys_66.T / 2)\nrff_errors = np.array([np.mean([np.square(estimate_similarity(queries_66, keys_66, c, rng_66) - exact) for _ in range(20)]) for c in GAUSSIAN_COUNTS])\nrff_slope = fitted_slope(GAUSSIAN_COUNTS, rff_errors)"}, loses=[ERRORS], shows="curve", says="the error its square root"),
    wrong("6.6b", "slope of the plain numbers", {"6.6b errors": "exact = np.exp(queries_66 @ keys_66.T / 2)\nrff_errors = np.array([np.sqrt(np.mean([np.square(estimate_similarity(queries_66, keys_66, c, rng_66) - exact) for _ in range(20)])) for c in GAUSSIAN_COUNTS])\nrff_slope = np.polyfit(GAUSSIAN_COUNTS, rff_errors, 1)[0]"}, loses=[ERRORS], shows="curve", says="the errors that you recorded have the slope"),
    wrong("6.6b", "absolute values of normals", {"6.6b draw": "return abs(rng.normal(scale=D**-0.25, size=(count, D)))"}, loses=[DRAWN, CONVERGES, ERRORS], says="as many are negative as positive"),
    wrong("6.6b", "one frequency, repeated", {"6.6b draw": "return np.tile(rng.normal(scale=D**-0.25, size=(1, D)), (count, 1))"}, loses=[DRAWN, CONVERGES, ERRORS], says="frequencies are the same"),
    # 6.7a
    right("6.7a", "norms from NumPy, fractions", {"6.7a loss": "return np.linalg.norm(X - W @ X) ** 2 + lam * np.trace(W.T @ W)"} | values("[[0, 2], [1e-3, 1]]", "1 / 1000")),
    wrong("6.7a", "norms not squared", {"6.7a loss": "return np.linalg.norm(X - W @ X) + lam * np.linalg.norm(W)"} | values("[[0.0, 1.4142], [0.0316, 1.0]]", "0.0764"), loses=[LOSS, CANDIDATES, EQUAL], says="The norms must be squared"),
    wrong("6.7a", "means", {"6.7a loss": "return np.square(X - W @ X).mean() + lam * np.square(W).mean()"} | values("[[0.0, 0.5], [0.000125, 0.25]]", "0.0005"), loses=[LOSS, CANDIDATES, EQUAL], says="You took means"),
    wrong("6.7a", "the reconstruction's mean", {"6.7a loss": "return np.square(X - W @ X).mean() + lam * np.square(W).sum()"}, loses=[LOSS], says="mean of the reconstruction"),
    wrong("6.7a", "λ left out", {"6.7a loss": "return np.square(X - W @ X).sum() + np.square(W).sum()"}, loses=[LOSS], says="you left it out"),
    wrong("6.7a", "rows swapped; identity", values("[[0.001, 1.0], [0.0, 2.0]]", "0.001", "A"), loses=[CANDIDATES, "larger_lambda"], says="rows have changed places", visible=ON_PAPER),
    wrong("6.7a", "error of the other row", values("[[0.0, 2.0], [6.25, 1.0]]", "6.25", "C"), loses=[CANDIDATES, EQUAL, "larger_lambda"], says="What is left of X after WX is taken away?", visible=ON_PAPER),
    # 6.7b
    right("6.7b", "linear solve; gradient by autograd", {
        "6.7b gradient": "w = torch.tensor(W, requires_grad=True)\n(((torch.tensor(X) - w @ torch.tensor(X)) ** 2).sum() + lam * (w**2).sum()).backward()\nreturn w.grad.numpy()",
        "6.7b closed": "return np.linalg.solve(X @ X.T + lam * np.eye(len(X)), X @ X.T)",
    }),
    right("6.7b", "full U, eigenvalues of XXᵀ", {"6.7b closed": "values, U = np.linalg.eigh(X @ X.T)\nreturn U @ np.diag(values / (values + lam)) @ U.T"}),
    right("6.7b", "in float32", {"6.7b closed": "U, s, _ = np.linalg.svd(X.astype(np.float32), full_matrices=False)\nreturn U * (s**2 / (s**2 + np.float32(lam))) @ U.T"}),
    right("6.7b", "in float32, as a list", {"6.7b closed": "square = torch.tensor(X @ X.T, dtype=torch.float32)\nreturn torch.linalg.solve(square + lam * torch.eye(len(X)), square).tolist()"}),
    wrong("6.7b", "s instead of s²; factor 2 missing", {"6.7b gradient": "return (W @ X - X) @ X.T + lam * W", "6.7b closed": "U, s, _ = np.linalg.svd(X, full_matrices=False)\nreturn U * (s / (s + lam)) @ U.T"}, loses=[GRADIENT, CLOSED, VANISHES], says="Your factors are s/(s + λ)"),
    wrong("6.7b", "sign of the reconstruction; λ squared", {"6.7b gradient": "return 2 * (X - W @ X) @ X.T + 2 * lam * W", "6.7b closed": "U, s, _ = np.linalg.svd(X, full_matrices=False)\nreturn U * (s**2 / (s**2 + lam**2)) @ U.T"}, loses=[GRADIENT, CLOSED, VANISHES], says="The sign of the reconstruction part"),
    wrong("6.7b", "right singular vectors", {"6.7b closed": "_, s, Vt = np.linalg.svd(X, full_matrices=False)\nreturn Vt.T * (s**2 / (s**2 + lam)) @ Vt"}, loses=[CLOSED, VANISHES], says="has shape"),
    wrong("6.7b", "the inverse of XXᵀ, which may not exist", {"6.7b closed": "return np.linalg.inv(np.eye(len(X)) + lam * np.linalg.inv(X @ X.T))"}, loses=[VANISHES], says="so it has no inverse", visible=OTHER_CASES),
    wrong("6.7b", "2λ", {"6.7b closed": "return X @ X.T @ np.linalg.inv(X @ X.T + 2 * lam * np.eye(len(X)))"}, loses=[CLOSED, VANISHES], says="have a 2, which cancels"),
    wrong("6.7b", "the factors alone", {"6.7b closed": "s2 = np.linalg.eigvalsh(X @ X.T)[::-1]\nreturn np.diag(s2 / (s2 + lam))"}, loses=[CLOSED, VANISHES], says="factors on the diagonal"),
    wrong("6.7b", "no penalty", {"6.7b gradient": "return 2 * (W @ X - X) @ X.T", "6.7b closed": "return X @ np.linalg.pinv(X)"}, loses=[GRADIENT, CLOSED, VANISHES], says="as if λ were 0"),
    wrong("6.7b", "a threshold; the norm without its square", {"6.7b gradient": "return 2 * (W @ X - X) @ X.T + lam * W / np.linalg.norm(W)", "6.7b closed": "U, s, _ = np.linalg.svd(X, full_matrices=False)\nreturn U * (s**2 > lam) @ U.T"}, loses=[GRADIENT, CLOSED, VANISHES], says="whole or drop it"),
    wrong("6.7b", "what should go is kept", {"6.7b closed": "U, s, _ = np.linalg.svd(X, full_matrices=False)\nreturn U * (lam / (s**2 + lam)) @ U.T"}, loses=[CLOSED, VANISHES], says="keeps what should go"),
    wrong("6.7b", "gradient descent in place of the closed form", {"6.7b closed": "W = np.eye(len(X))\nfor _ in range(2000):\n    W = W - 0.001 * denoising_gradient(W, X, lam)\nreturn W"}, loses=[CLOSED, VANISHES], says="not finite"),
    # 6.7c
    right("6.7c", "as an array, with the largest and smallest sought in a loop", {
        "6.7c range": "lambda_range = [1, 4]",
        "6.7c interval": "high = min(s * s * (1 / at_least - 1) for s in keep)\nlow = max(s * s * (1 / at_most - 1) for s in drop)\nreturn None if low > high else np.array([low, high])",
    }),
    wrong("6.7c", "s instead of s²", {"6.7c range": "lambda_range = np.array([1.0, 1.0])", "6.7c interval": "high, low = keep.min() * (1 / at_least - 1), drop.max() * (1 / at_most - 1)\nreturn (low, high) if low <= high else None"}, loses=[GIVEN, INTERVAL], says="used s where s² belongs"),
    wrong("6.7c", "limits from the largest kept and the smallest dropped", {"6.7c range": "lambda_range = np.array([0.0001, 25.0])", "6.7c interval": "return drop.min() ** 2 * (1 / at_most - 1), keep.max() ** 2 * (1 / at_least - 1)"}, loses=[GIVEN, INTERVAL, NONE], says="Of the kept ones the smallest"),
    wrong("6.7c", "an interval where there is none", {"6.7c interval": "return drop.max() ** 2 * (1 / at_most - 1), keep.min() ** 2 * (1 / at_least - 1)"}, loses=[NONE], says="both cannot be, so the answer is None"),
    wrong("6.7c", "the last value of each", {"6.7c interval": "high, low = keep[-1] ** 2 * (1 / at_least - 1), drop[-1] ** 2 * (1 / at_most - 1)\nreturn (low, high) if low <= high else None"}, loses=[INTERVAL], says="Of the unwanted values the largest"),
    wrong("6.7c", "values sorted in place", {"6.7c interval": "keep.sort()\ndrop.sort()\nhigh, low = keep[0] ** 2 * (1 / at_least - 1), drop[-1] ** 2 * (1 / at_most - 1)\nreturn (low, high) if low <= high else None"}, loses=[INTERVAL], says="in place"),
    wrong("6.7c", "not divided by the limit", {"6.7c interval": "high, low = keep.min() ** 2 * (1 - at_least), drop.max() ** 2 * (1 - at_most)\nreturn (low, high) if low <= high else None"}, loses=[INTERVAL], says="division by a is missing"),
    wrong("6.7c", "ends swapped", {"6.7c range": "lambda_range = np.array([4.0, 1.0])", "6.7c interval": "high, low = keep.min() ** 2 * (1 / at_least - 1), drop.max() ** 2 * (1 / at_most - 1)\nreturn (high, low) if low <= high else None"}, loses=[GIVEN, INTERVAL], says="changed places"),
    wrong("6.7c", "limits of the example written into the code", {"6.7c interval": "high, low = keep.min() ** 2 / 4, drop.max() ** 2\nreturn (low, high) if low <= high else None"}, loses=[INTERVAL], says="limits 0.9 and 0.3", visible=OTHER_CASES),
    wrong("6.7c", "None always", {"6.7c interval": "return None"}, loses=[INTERVAL, NONE], says="you say that no λ satisfies both conditions"),
    # 6.8
    right("6.8", "slopes by hand, gigabytes from the theory", memory("[np.log2(softmax_bytes[-1] / softmax_bytes[0]) / 3, np.log2(linear_bytes[-1] / linear_bytes[0]) / 3]", "2 * 65_536**2 * 4 / 1e9")),
    wrong("6.8", "slopes without logarithms", memory("[np.polyfit(memory_lengths, softmax_bytes, 1)[0], np.polyfit(memory_lengths, linear_bytes, 1)[0]]"), loses=[MEMORY], says="of log against log", visible=MEASURED_FIRST),
    wrong("6.8", "slopes swapped", memory("[fitted_slope(memory_lengths, linear_bytes), fitted_slope(memory_lengths, softmax_bytes)]"), loses=[MEMORY], shows="curve", says="Softmax comes first", visible=MEASURED_FIRST),
    wrong("6.8", "memory in proportion to N", memory(predicted="softmax_bytes[-1] * 32 / 1e9"), loses=[PREDICTED], says="in proportion to N", visible=MEASURED_FIRST),
    right("6.8", "along the fitted line, two digits", memory(predicted="float(f'{softmax_bytes[-1] * 32 ** memory_slopes[0] / 1e9:.2g}')")),
    wrong("6.8", "GiB", memory(predicted="softmax_bytes[-1] * 1024 / 2**30"), loses=[PREDICTED], says="Those are gibibytes", visible=MEASURED_FIRST),
    wrong("6.8", "bytes for gigabytes", memory(predicted="softmax_bytes[-1] * 1024"), loses=[PREDICTED], says="give gigabytes", visible=MEASURED_FIRST),
    wrong("6.8", "slopes of all lengths", claims={"softmax_seconds": 1e-8 * LENGTHS**2, "linear_seconds": 1e-5 + 1e-7 * LENGTHS, "time_slopes": np.array([2.0, public.fitted_slope(LENGTHS, 1e-5 + 1e-7 * LENGTHS)])}, loses=[TIMES], says="takes all lengths", visible=IN_THE_LOG),
    wrong("6.8", "the same function measured twice", claims={"softmax_seconds": 1e-6 * LENGTHS, "linear_seconds": 1e-6 * LENGTHS, "time_slopes": np.array([1.0, 1.0])}, loses=[TIMES], shows="curve", says="should be clearly steeper", visible=IN_THE_LOG),
    wrong("6.8", "slopes made up", claims={"time_slopes": np.array([2.0, 1.0]), "softmax_seconds": 1e-8 * LENGTHS**1.7, "linear_seconds": 1e-6 * LENGTHS**0.8}, loses=[TIMES], says="what you recorded has the slopes", visible=IN_THE_LOG),
    wrong("6.8", "fewer multiplications", {"6.8 choice": 'short_sequences = "A"'}, loses=["short_sequences"], says="the same at every length"),
    wrong("6.8", "like √N", {"6.8 choice": 'short_sequences = "D"'}, loses=["short_sequences"], says="the work doubles"),
]
