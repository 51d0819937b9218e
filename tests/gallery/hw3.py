"""hw3's gallery. A region's text replaces the solution in the source; see autograder/author/gallery.py."""

import numpy as np

from autograder.author.gallery import right, wrong


def content(Q: str, K: str, V: str = "np.eye(3)") -> str:
    return f"attention_by_content_Q = {Q}\nattention_by_content_K = {K}\nattention_by_content_V = {V}"


def position(pos: str, Q: str, K: str, V: str = "np.vstack([np.eye(3), np.zeros((4, 3))])") -> str:
    stem = "attention_by_position"
    return f"{stem}_pos = {pos}\n{stem}_Q = {Q}\n{stem}_K = {K}\n{stem}_V = {V}"


def unique(Q: str, K: str, V: str, pos: str = "np.zeros((5, 1))") -> str:
    stem = "attention_by_content_and_position"
    return f"{stem}_pos = {pos}\n{stem}_Q = {Q}\n{stem}_K = {K}\n{stem}_V = {V}"


def first(levels: str = "60.0, 30.0", places: str = "np.triu(np.ones((5, 5)))", V: str = "[1.0, -1.0, -1.0, -1.0]", penalty: str = "-300.0") -> str:
    """3.3b by one construction: levels of an equal token and CLS, and the places that lose ``penalty``."""
    return f"""
same, cls = {levels}
hidden = {places}
hidden[:, 0] = 0.0
first_occurrence_pos = np.eye(5)
query, key = np.zeros((9, 9)), np.zeros((9, 9))
query[:4, :4] = same * np.eye(4)
query[1:4, 0] = cls
key[:4, :4] = np.eye(4)
query[4:, 4:] = {penalty} * hidden
key[4:, 4:] = np.eye(5)
first_occurrence_Q, first_occurrence_K = query, key
first_occurrence_V = np.array([*{V}, *[0.0] * 5])[:, None]
"""


def moving(Q: str = "60.0 * np.eye(n)[list(order)]", V: str = "W", token: str = "np.zeros((d, n))", K: str = "np.eye(n)") -> str:
    return f"""
    n, (d, out) = len(order), W.shape
    Q = np.vstack([{token}, {Q}])
    K = np.vstack([{token}, {K}])
    V = np.vstack([{V}, np.zeros((n, np.shape({V})[1]))])
    return Q, K, V
    """


def heads(offsets: str = "(-1, 0, 1)", V: str = "kernel[head]", gap: str = "80.0", places: str = "8") -> str:
    return f"""
    _, d, out = kernel.shape
    pos = np.eye({places})
    Q = np.stack([np.vstack([np.zeros((d, {places})), {gap} * np.eye({places}, k=offset)]) for offset in {offsets}])
    K = np.stack([np.vstack([np.zeros((d, {places})), np.eye({places})])] * 3)
    V = np.stack([np.vstack([{V}, np.zeros(({places}, {V}.shape[1]))]) for head in range(3)])
    return pos, Q, K, V
    """


OWN, COPY = "each token looks at its own kind", "the output equals the input"
FIRST, COPY_FIRST = "every place looks at the first place", "copies the first token"
SHORT, ALL = "signs are right for one and two tokens", "signs are right for all sequences"
FIRST_SHORT, FIRST_ALL = "first and repeated in one and two tokens", "first and repeated in all sequences"
IDENTITY, PERMUTATION = "identity for any real input", "any permutation"
RUNNING, NAME = "the same linear map at each place", "running_linear_name"
ENOUGH, BASIS, IDENTIFIABLE = "the smallest score gap", "another basis with the same scores", "identifiable"
HIDES = "a check of this one number would give the answer away"
PLACES, CONVOLUTION = "heads look left, here and right", "equals the convolution with the hidden kernel"
SCORES, GAP, WEIGHT = "scores between tokens", "the score gap of the trained model", "the attention on the first place"
TRAINED = ("the trained model copies", "the trained model copies the first token", "the trained model finds unique tokens")
ZERO, ONE = "np.zeros((3, 1))", "np.ones((4, 1))"
RNG = np.random.default_rng(0)

EXAMPLES = [
    # 3.1
    right("3.1", "as a student handed in: gaps of 45 before the scale", content("9 * np.eye(3)", "5 * np.eye(3)")),
    right("3.1", "a score gap of 800, which needs the stable softmax", content("800 * np.eye(3) * 3**0.5", "np.eye(3)")),
    right(
        "3.1",
        "Q and K in a rotated basis, qk = 5, whole numbers as lists",
        content(
            "(20 * np.eye(3) @ np.linalg.qr(np.arange(15).reshape(5, 3) ** 1.5)[0].T).tolist()",
            "np.linalg.qr(np.arange(15).reshape(5, 3) ** 1.5)[0].T",
        ),
    ),
    wrong(
        "3.1",
        "a score gap of 9 before the scale is too small",
        content("3 * np.eye(3)", "3 * np.eye(3)"),
        loses=[COPY],
        says="gap between the scores is too small",
    ),
    wrong("3.1", "one-hot vectors as they are", content("np.eye(3)", "np.eye(3)"), loses=[OWN, COPY], says="highest score, but not by enough"),
    wrong("3.1", "all scores alike", content("np.ones((3, 2))", "np.ones((3, 2))"), loses=[OWN, COPY], says="every position gets the same score"),
    wrong("3.1", "sign of the scores wrong", content("-6.0 * np.eye(3)", "6.0 * np.eye(3)"), loses=[OWN, COPY], says="compare signs"),
    wrong("3.1", "values permuted", content("6 * np.eye(3)", "6 * np.eye(3)", "np.eye(3)[[1, 2, 0]]"), loses=[COPY], says="look at the value matrix"),
    wrong(
        "3.1",
        "Q transposed to (qk, 3) with qk = 2",
        content("np.ones((2, 3))", "np.ones((3, 2))"),
        loses=[OWN, COPY],
        says="has shape (2, 3); expected (3, qk)",
    ),
    wrong("3.1", "infinite gap", content("np.inf * np.eye(3)", "np.eye(3)"), loses=[OWN, COPY], says="every number must be finite"),
    wrong("3.1", "words instead of numbers", content("'six times the identity'", "np.eye(3)"), loses=[OWN, COPY], says="but it is text"),
    # 3.2
    right(
        "3.2",
        "one positional column, the key of the first place",
        position(
            "np.array([[1.0], [0.0], [0.0], [0.0]])",
            f"np.vstack([{ZERO} + 1, [[0.0]]])",
            f"np.vstack([{ZERO}, [[25.0]]])",
            "np.vstack([np.eye(3), np.zeros((1, 3))])",
        ),
    ),
    right(
        "3.2",
        "a ramp of positions, negative slope",
        position(
            "np.arange(4.0)[:, None]",
            f"np.vstack([{ZERO} + 1, [[0.0]]])",
            f"np.vstack([{ZERO}, [[-30.0]]])",
            "np.vstack([np.eye(3), np.zeros((1, 3))])",
        ),
    ),
    wrong(
        "3.2",
        "as a student handed in: every place answers alike, so tokens are averaged",
        position("np.eye(4)", "np.array([[0, 0, 0, 1, 0, 0, 0]]).T", "np.array([[0, 0, 0, 1, 1, 1, 1]]).T"),
        loses=[FIRST, COPY_FIRST],
        says="every position gets the same score",
    ),
    wrong(
        "3.2",
        "attends to the last place",
        position(
            "np.arange(4.0)[:, None]",
            f"np.vstack([{ZERO} + 1, [[0.0]]])",
            f"np.vstack([{ZERO}, [[30.0]]])",
            "np.vstack([np.eye(3), np.zeros((1, 3))])",
        ),
        loses=[FIRST, COPY_FIRST],
        says="last place",
    ),
    wrong(
        "3.2",
        "only the key of the fourth place differs, so short sequences are averaged",
        position("np.eye(4)", f"np.vstack([{ZERO} + 1, {ONE} * 0])", f"np.vstack([{ZERO}, [[0.0], [0.0], [0.0], [30.0]]])"),
        loses=[FIRST, COPY_FIRST],
        says="last place",
    ),
    wrong(
        "3.2",
        "attends to the place before",
        position("np.eye(4)", "np.vstack([np.zeros((3, 4)), 60 * np.eye(4, k=-1)])", "np.vstack([np.zeros((3, 4)), np.eye(4)])"),
        loses=[FIRST, COPY_FIRST],
        says="look at the place before their own",
    ),
    wrong(
        "3.2",
        "V permutes the tokens",
        position(
            "np.eye(4)",
            f"np.vstack([{ZERO} + 1, {ONE} * 0])",
            f"np.vstack([{ZERO}, [[30.0], [0.0], [0.0], [0.0]]])",
            "np.vstack([np.eye(3)[[1, 2, 0]], np.zeros((4, 3))])",
        ),
        loses=[COPY_FIRST],
        says="what do its first three rows do with the token",
    ),
    wrong(
        "3.2",
        "attends to its own place",
        position("np.eye(4)", "np.vstack([np.zeros((3, 4)), 60 * np.eye(4)])", "np.vstack([np.zeros((3, 4)), np.eye(4)])"),
        loses=[FIRST, COPY_FIRST],
        says="its own place",
    ),
    wrong(
        "3.2",
        "a score gap of 3 is too small",
        position("np.eye(4)", f"np.vstack([{ZERO} + 1, {ONE} * 0])", f"np.vstack([{ZERO}, [[3.0], [0.0], [0.0], [0.0]]])"),
        loses=[COPY_FIRST],
        says="weight on the first place is only",
    ),
    wrong(
        "3.2",
        "V adds the place to the output",
        position(
            "np.eye(4)",
            f"np.vstack([{ZERO} + 1, {ONE} * 0])",
            f"np.vstack([{ZERO}, [[30.0], [0.0], [0.0], [0.0]]])",
            "np.vstack([np.eye(3), np.ones((4, 3))])",
        ),
        loses=[COPY_FIRST],
        says="what do its last rows add",
    ),
    wrong(
        "3.2",
        "a table for three places only",
        position("np.eye(3)", "np.ones((6, 1))", "np.ones((6, 1))", "np.ones((6, 3))"),
        loses=[FIRST, COPY_FIRST],
        says="attention_by_position_pos has shape (3, 3); expected (4, p)",
    ),
    # 3.3
    right(
        "3.3",
        "CLS weighs 1.2 tokens",
        unique(
            "np.vstack([np.zeros((1, 4)), np.hstack([np.full((3, 1), 20 + 2 * np.log(1.2) / 2), 20 * np.eye(3)]), np.zeros((1, 4))])",
            "np.vstack([2 * np.eye(4), np.zeros((1, 4))])",
            "np.array([[2.0], [-2.0], [-2.0], [-2.0], [0.0]])",
        ),
    ),
    right(
        "3.3",
        "values do the weighing: CLS 1.5, tokens -1, equal scores",
        unique(
            "np.vstack([np.zeros((1, 4)), np.hstack([np.full((3, 1), 20.0), 20 * np.eye(3)]), np.zeros((1, 4))])",
            "np.vstack([2 * np.eye(4), np.zeros((1, 4))])",
            "np.array([[1.5], [-1.0], [-1.0], [-1.0], [0.0]])",
        ),
    ),
    wrong(
        "3.3",
        "as 3.1: own kind only, CLS left out",
        unique("20 * np.eye(4)", "np.eye(4)", "np.array([[1.0], [-1.0], [-1.0], [-1.0]])", pos="np.zeros((5, 0))"),
        loses=[SHORT, ALL],
        says="All outputs are negative: what has to outweigh what when a token occurs once?",
    ),
    wrong(
        "3.3", "always positive", unique("np.ones((5, 1))", "np.ones((5, 1))", "np.ones((5, 1))"), loses=[SHORT, ALL], says="All outputs are the same"
    ),
    wrong(
        "3.3",
        "CLS outweighs two equal tokens",
        unique(
            "np.vstack([np.zeros((1, 4)), np.hstack([np.full((3, 1), 20 + np.log(2.5)), 20 * np.eye(3)]), np.zeros((1, 4))])",
            "np.vstack([2 * np.eye(4), np.zeros((1, 4))])",
            "np.array([[1.0], [-1.0], [-1.0], [-1.0], [0.0]])",
        ),
        loses=[SHORT, ALL],
        says="occurs 2 times, so its output must be negative",
    ),
    wrong(
        "3.3",
        "CLS counts as one token, so one and one balance",
        unique(
            "np.vstack([np.zeros((1, 4)), np.hstack([np.full((3, 1), 20.0), 20 * np.eye(3)]), np.zeros((1, 4))])",
            "np.vstack([2 * np.eye(4), np.zeros((1, 4))])",
            "np.array([[1.0], [-1.0], [-1.0], [-1.0], [0.0]])",
        ),
        loses=[SHORT, ALL],
        says="are equally strong there",
    ),
    wrong(
        "3.3",
        "signs swapped",
        unique(
            "np.vstack([np.zeros((1, 4)), np.hstack([np.full((3, 1), 20 + np.log(1.5)), 20 * np.eye(3)]), np.zeros((1, 4))])",
            "np.vstack([2 * np.eye(4), np.zeros((1, 4))])",
            "np.array([[-1.0], [1.0], [1.0], [1.0], [0.0]])",
        ),
        loses=[SHORT, ALL],
        says="occurs once, so its output must be positive",
    ),
    wrong(
        "3.3",
        "other kinds leak in: right for two tokens only",
        unique(
            "np.vstack([np.zeros((1, 4)), np.hstack([np.full((3, 1), 2.0 + np.log(1.5)), 2.0 * np.eye(3)]), np.zeros((1, 4))])",
            "np.vstack([2 * np.eye(4), np.zeros((1, 4))]) * 0.9",
            "np.array([[1.0], [-1.0], [-1.0], [-1.0], [0.0]])",
        ),
        loses=[ALL],
        says="occurs once, so its output must be positive",
    ),
    right(
        "3.3",
        "no places at all: p = 0",
        unique(
            "np.vstack([np.zeros((1, 4)), np.hstack([np.full((3, 1), 20 + np.log(1.5)), 20 * np.eye(3)])])",
            "2 * np.eye(4)",
            "np.array([[1.0], [-1.0], [-1.0], [-1.0]])",
            pos="np.zeros((5, 0))",
        ),
    ),
    right(
        "3.3",
        "no places at all, as float32",
        unique(
            "np.vstack([np.zeros((1, 4)), np.hstack([np.full((3, 1), 20 + np.log(1.5)), 20 * np.eye(3)])]).astype(np.float32)",
            "2 * np.eye(4, dtype=np.float32)",
            "np.array([[1.0], [-1.0], [-1.0], [-1.0]], np.float32)",
            pos="np.zeros((5, 0), np.float32)",
        ),
    ),
    wrong(
        "3.3",
        "qk = 0",
        unique("np.zeros((5, 0))", "np.zeros((5, 0))", "np.ones((5, 1))"),
        loses=[SHORT, ALL],
        says="an axis of size 0",
    ),
    wrong(
        "3.2",
        "no places at all: p = 0",
        position("np.zeros((4, 0))", "10 * np.eye(3)", "np.eye(3)", "np.eye(3)"),
        loses=[FIRST, COPY_FIRST],
        says="`pos` has no columns",
    ),
    # 3.1b
    right("3.1b", "ln 500, the 1 beside e^gap left out", "smallest_score_gap = np.log(5 / 0.01)"),
    right("3.1b", "two decimals", "smallest_score_gap = 6.2"),
    right("3.1b", "two decimals, the other way", "smallest_score_gap = 6.21"),
    wrong("3.1b", "one other token", "smallest_score_gap = np.log(99)", loses=[ENOUGH], says="one other token", visible=HIDES),
    wrong("3.1b", "four other tokens", "smallest_score_gap = np.log(396)", loses=[ENOUGH], says="four other tokens", visible=HIDES),
    wrong("3.1b", "six other tokens", "smallest_score_gap = np.log(600)", loses=[ENOUGH], says="six other tokens", visible=HIDES),
    wrong("3.1b", "the relative tolerance added", "smallest_score_gap = np.log(5 / 0.011 - 5)", loses=[ENOUGH], says="0.001·0 adds nothing", visible=HIDES),
    wrong("3.1b", "before the scale", "smallest_score_gap = np.log(495) * 3**0.5", loses=[ENOUGH], says="before the division by √3", visible=HIDES),
    wrong("3.1b", "base 10", "smallest_score_gap = 2.69", loses=[ENOUGH], says="base 10", visible=HIDES),
    wrong("3.1b", "large enough, not smallest", "smallest_score_gap = 20", loses=[ENOUGH], says="go lower", visible=HIDES),
    wrong("3.1b", "too small", "smallest_score_gap = 3.0", loses=[ENOUGH], says="too much", visible=HIDES),
    # 3.3b
    right("3.3b", "other levels, larger values", first("90.0, 60.0", V="[5.0, -2.0, -2.0, -2.0]")),
    right("3.3b", "equal scores, values do the weighing", first("60.0, 60.0", V="[0.9, -1.0, -1.0, -1.0]")),
    right(
        "3.3b",
        "the table of hidden places stands in pos itself",
        """
first_occurrence_pos = np.hstack([np.eye(5), -np.triu(np.ones((5, 5))) * (np.arange(5) > 0)])
first_occurrence_Q = np.zeros((14, 9))
first_occurrence_Q[:4, :4] = 80.0 * np.eye(4)
first_occurrence_Q[1:4, 0] = 50.0
first_occurrence_K = np.zeros((14, 9))
first_occurrence_K[:4, :4] = np.eye(4)
first_occurrence_Q[9:, 4:] = 500.0 * np.eye(5)
first_occurrence_Q[4:9, 4:] = 0.0
first_occurrence_Q[4:9, 4:] = first_occurrence_pos[:, 5:] * 500.0
first_occurrence_Q[9:] = 0.0
first_occurrence_K[4:9, 4:] = np.eye(5)
first_occurrence_V = np.array([1.0, -1.0, -1.0, -1.0, *[0.0] * 10])[:, None]
""",
    ),
    wrong("3.3b", "no places: as 3.3", first(penalty="0.0"), loses=[FIRST_SHORT, FIRST_ALL], says="It looks at itself"),
    wrong("3.3b", "looks at itself too", first(places="np.triu(np.ones((5, 5)), k=1)"), loses=[FIRST_SHORT, FIRST_ALL], says="It looks at itself"),
    wrong("3.3b", "earlier and later swapped", first(places="np.tril(np.ones((5, 5)))"), loses=[FIRST_SHORT, FIRST_ALL], says="It looks at later places"),
    wrong("3.3b", "later places not hidden", first(places="np.eye(5)"), loses=[FIRST_SHORT, FIRST_ALL], says="Equal tokens have the same output here"),
    wrong("3.3b", "any earlier token counts", first("0.0, -30.0", penalty="-300.0"), loses=[FIRST_SHORT, FIRST_ALL], says="other kinds of tokens before it"),
    wrong("3.3b", "CLS outweighs the copies", first("30.0, 60.0"), loses=[FIRST_SHORT, FIRST_ALL], says="Its earlier copies get only"),
    wrong("3.3b", "signs swapped", first(V="[-1.0, 1.0, 1.0, 1.0]"), loses=[FIRST_SHORT, FIRST_ALL], says="Look at the values"),
    wrong(
        "3.3b",
        "only the place directly before counts",
        first(places="1.0 - np.eye(5, k=-1)"),
        loses=[FIRST_ALL],
        says="Its earlier copies get only",
    ),
    wrong(
        "3.3b",
        "no places at all: p = 0",
        "first_occurrence_pos = np.zeros((5, 0))\nfirst_occurrence_Q = 60 * np.eye(4)\nfirst_occurrence_K = np.eye(4)\nfirst_occurrence_V = np.array([[1.0], [-1.0], [-1.0], [-1.0]])",
        loses=[FIRST_SHORT, FIRST_ALL],
        says="occurs for the first time",
    ),
    wrong("3.3b", "CLS and one earlier copy balance", first("60.0, 60.0"), loses=[FIRST_SHORT, FIRST_ALL], says="equally strong there"),
    # 3.4
    right("3.4", "float32, an unused channel, gaps in K", """
    n, (d, out) = len(order), W.shape
    Q = np.zeros((d + n, n + 1), np.float32)
    K = np.zeros((d + n, n + 1), np.float32)
    V = np.zeros((d + n, out), np.float32)
    for place, source in enumerate(order):
        Q[d + place, source] = 1.0
        K[d + place, place] = 120.0
    V[:d] = W
    return Q, K, V
    """),
    right("3.4", "places compared by distance: qk = 2", """
    n, (d, out) = len(order), W.shape
    Q = np.zeros((d + n, 2))
    K = np.zeros((d + n, 2))
    Q[d:] = 600.0 * np.stack([2.0 * np.asarray(order), -np.ones(n)], axis=1)
    K[d:] = np.stack([np.arange(n), np.arange(n) ** 2], axis=1)
    return Q, K, np.concatenate([W, np.zeros((n, out))])
    """),
    wrong("3.4", "the inverse permutation", moving("60.0 * np.eye(n)[:, list(order)]"), loses=[PERMUTATION], says="You built the inverse"),
    wrong("3.4", "all places averaged", moving("0.0 * np.eye(n)"), loses=[IDENTITY, PERMUTATION, RUNNING], says="all places are averaged"),
    wrong("3.4", "tokens leak into the scores", moving(token="np.ones((d, n))"), loses=[IDENTITY, PERMUTATION, RUNNING], says="only the places may decide"),
    wrong("3.4", "gap too small", moving("6.0 * np.eye(n)[list(order)]"), loses=[IDENTITY, PERMUTATION, RUNNING], says="too soft"),
    wrong("3.4", "a gap that large inputs leak through", moving("20.0 * np.eye(n)[list(order)]"), loses=[IDENTITY, PERMUTATION, RUNNING], says="too softly"),
    wrong("3.4", "the order ignored", moving("60.0 * np.eye(n)"), loses=[PERMUTATION], says="must look at"),
    wrong("3.4", "the map transposed", moving(V="W.T"), loses=[RUNNING], says="transposed"),
    wrong("3.4", "the map forgotten", moving(V="np.eye(d)"), loses=[RUNNING], says="look at V"),
    wrong("3.4", "a square map transposed, others as they are", moving(V="(W.T if d == out else W)"), loses=[RUNNING], says="transposed"),
    wrong("3.4", "V's rows of the places in front", moving(token="np.eye(d, n)").replace("V = np.vstack([W, np.zeros((n, np.shape(W)[1]))])", "V = np.vstack([np.zeros((n, out)), W])"), loses=[IDENTITY, PERMUTATION, RUNNING], says="only the places may decide"),
    wrong("3.4", "five places only", moving().replace("n, (d, out) = len(order), W.shape", "n, (d, out) = 5, W.shape"), loses=[IDENTITY, PERMUTATION, RUNNING], says="K has shape"),
    # 3.5
    right("3.5", "the name in lower case with a stray space", {"3.5 name": 'running_linear_name = " b"'}),
    right("3.5", "with a full stop", {"3.5 name": 'running_linear_name = "B."'}),
    wrong("3.5", "fully connected", {"3.5 name": 'running_linear_name = "A"'}, loses=[NAME], says="here places never mix"),
    wrong("3.5", "kernel size 3", {"3.5 name": 'running_linear_name = "c"'}, loses=[NAME], says="two neighbors"),
    wrong("3.5", "recurrent", {"3.5 name": 'running_linear_name = "D"'}, loses=[NAME], says="carries a state"),
    wrong("3.5", "a word", {"3.5 name": 'running_linear_name = "convolution"'}, loses=[NAME], says="one of the letters"),
    # 3.6
    right("3.6", "three arrays in a list for each name", heads().replace("return pos, Q, K, V", "return pos, list(Q), list(K), list(V)")),
    right("3.6", "heads in another order", heads("(1, 0, -1)", "kernel[2 - head]")),
    right(
        "3.6",
        "more places than needed in the code, built with a loop",
        """
    taps, d, out = kernel.shape
    pos = 10 * np.eye(8)
    Q, K, V = np.zeros((taps, d + 8, 8)), np.zeros((taps, d + 8, 8)), np.zeros((taps, d + 8, out))
    for head in range(taps):
        V[head, :d] = kernel[head]
        for place in range(8):
            K[head, d + place, place] = 1.0
            if 0 <= place + head - 1 < 8:
                Q[head, d + place, place + head - 1] = 1.0
    return pos, Q, K, V
    """,
    ),
    wrong("3.6", "kernel flipped", heads("(-1, 0, 1)", "kernel[2 - head]"), loses=[CONVOLUTION], says="Your kernel is flipped"),
    wrong("3.6", "channels swapped", heads(V="kernel[head].T"), loses=[PLACES, CONVOLUTION], says="Is each kernel[i] transposed?"),
    wrong("3.6", "all heads look at their own place", heads("(0, 0, 0)"), loses=[PLACES, CONVOLUTION], says="you need each of -1, 0 and +1 once"),
    wrong("3.6", "gap too small", heads(gap="8.0"), loses=[PLACES, CONVOLUTION], says="with nearly all weight"),
    wrong("3.6", "places for the example only", heads(places="5"), loses=[PLACES, CONVOLUTION], says="pos has shape (5, 5); expected (8, p)"),
    wrong(
        "3.6",
        "fits the example kernel only",
        """
    example = np.array([[[1.0, 0.0], [0.0, 2.0]], [[0.0, 1.0], [1.0, 0.0]], [[-1.0, 0.0], [3.0, 1.0]]])
    d, out = kernel.shape[1:]
    V = np.stack([np.vstack([np.resize(example[head], (d, out)), np.zeros((8, out))]) for head in range(3)])
    Q = np.stack([np.vstack([np.zeros((d, 8)), 80.0 * np.eye(8, k=offset)]) for offset in (-1, 0, 1)])
    return np.eye(8), Q, np.stack([np.vstack([np.zeros((d, 8)), np.eye(8)])] * 3), V
    """,
        loses=[CONVOLUTION],
        says="the heads give",
    ),
    right("3.6", "float32 arrays", heads().replace("return pos, Q, K, V", "return tuple(part.astype(np.float32) for part in (pos, Q, K, V))")),
    wrong(
        "3.6",
        "square kernels only",
        heads(V="np.resize(kernel[head], (d, d))"),
        loses=[PLACES, CONVOLUTION],
        says="V has shape",
    ),
    wrong("3.6", "outputs averaged", heads(V="(kernel[head] / 3)"), loses=[CONVOLUTION], says="averaged over the heads"),
    wrong("3.6", "the sum of the taps in each head", heads(V="kernel.sum(0)"), loses=[CONVOLUTION], says="the sum of the three taps"),
    wrong("3.6", "the middle tap forgotten", heads(V="(kernel[head] * (head != 1))"), loses=[CONVOLUTION], says="kernel[1] is not used"),
    wrong("3.6", "every head has the middle tap", heads(V="kernel[1]"), loses=[CONVOLUTION], says="Every head uses kernel[1]"),
    wrong("3.6", "one head that does it all with soft places", heads("(0, 0, 0)", gap="0.0", V="kernel.sum(0)"), loses=[PLACES, CONVOLUTION], says="every position gets the same score"),
    wrong("3.6", "the offsets 0, 1 and 2", heads("(0, 1, 2)"), loses=[PLACES, CONVOLUTION], says="the left neighbor, the place itself or the right neighbor"),
    wrong("3.6", "V's rows of the places in front", heads().replace("np.vstack([kernel[head], np.zeros((8, kernel[head].shape[1]))])", "np.vstack([np.zeros((8, out)), kernel[head]])"), loses=[CONVOLUTION], says="The rows of V that see the token"),
    wrong("3.6", "Q's rows of the places in front", heads().replace("np.vstack([np.zeros((d, 8)), 80.0 * np.eye(8, k=offset)])", "np.vstack([80.0 * np.eye(8, k=offset), np.zeros((d, 8))])"), loses=[PLACES, CONVOLUTION], says="are not all zero"),
    wrong("3.6", "three times the kernel", heads(V="(3 * kernel[head])"), loses=[CONVOLUTION], says="That is the convolution times 3"),
    # 3.7
    right("3.7", "scores with einsum", {"3.7 scores": 'return np.einsum("qd,kd->qk", Q, K) / Q.shape[-1] ** 0.5'}),
    wrong("3.7", "scores without the scale", {"3.7 scores": "return Q @ K.T"}, loses=[SCORES], says="without the scale"),
    wrong("3.7", "keys by queries", {"3.7 scores": "return K @ Q.T / np.sqrt(K.shape[1])"}, loses=[SCORES], says="That is KQᵀ"),
    wrong("3.7", "scaled by d instead of qk", {"3.7 scores": "return Q @ K.T / np.sqrt(K.shape[0])"}, loses=[SCORES], says="the number of columns"),
    wrong(
        "3.7",
        "softmax applied",
        {"3.7 scores": "s = Q @ K.T / K.shape[1] ** 0.5\nreturn np.exp(s) / np.exp(s).sum(1, keepdims=True)"},
        loses=[SCORES],
        says="The softmax is applied",
    ),
    wrong("3.7", "keys by queries, no scale", {"3.7 scores": "return K @ Q.T"}, loses=[SCORES], says="That is KQᵀ without the scale"),
    wrong("3.7", "divided by qk", {"3.7 scores": "return Q @ K.T / K.shape[1]"}, loses=[SCORES], says="divides by its square root"),
    wrong("3.7", "scaled for the trained heads; Q and K as they were", {"3.7 scores": "return Q @ K.T / np.sqrt(8)", "3.7 basis": "return Q, K"}, loses=[SCORES, BASIS], says="fits the trained heads alone"),
    right("3.7", "another basis by solve", {"3.7 basis": "return Q @ M, np.linalg.solve(M, K.T).T"}),
    right("3.7", "another basis, float32, as a list", {"3.7 basis": "return [(Q @ M).astype(np.float32), (K @ np.linalg.inv(M.T)).astype(np.float32)]"}),
    wrong("3.7", "K times M", {"3.7 basis": "return Q @ M, K @ M"}, loses=[BASIS], says="K is multiplied by M as Q is"),
    wrong("3.7", "K times M transposed", {"3.7 basis": "return Q @ M, K @ M.T"}, loses=[BASIS], says="What cancels M"),
    wrong("3.7", "the inverse, not transposed", {"3.7 basis": "return Q @ M, K @ np.linalg.inv(M)"}, loses=[BASIS], says="a transpose is missing"),
    wrong("3.7", "K as it was", {"3.7 basis": "return Q @ M, K"}, loses=[BASIS], says="K is unchanged"),
    wrong("3.7", "Q times the inverse transpose, K times M", {"3.7 basis": "return Q @ np.linalg.inv(M).T, K @ M"}, loses=[BASIS], says="Q is multiplied by M⁻ᵀ and K by M"),
    wrong("3.7", "K on both sides", {"3.7 scores": "return K @ K.T / np.sqrt(K.shape[1])"}, loses=[SCORES], says="K is used on both sides"),
    wrong("3.7", "keys of length 1", {"3.7 scores": "return Q @ (K / np.linalg.norm(K, axis=1, keepdims=True)).T / np.sqrt(K.shape[1])"}, loses=[SCORES], says="keys are divided by their lengths"),
    wrong("3.7", "a softmax of the columns", {"3.7 scores": "s = Q @ K.T / np.sqrt(K.shape[1])\nreturn np.exp(s) / np.exp(s).sum(0)"}, loses=[SCORES], says="down the columns"),
    wrong("3.7", "columns permuted", {"3.7 choice": 'identifiable = "A"'}, loses=[IDENTIFIABLE], says="not for permutations alone"),
    wrong("3.7", "a rotation", {"3.7 choice": 'identifiable = "B"'}, loses=[IDENTIFIABLE], says="stretch a column"),
    wrong("3.7", "QKᵀ exactly", {"3.7 choice": 'identifiable = "D"'}, loses=[IDENTIFIABLE], says="does not change when one number is added"),
    wrong(
        "3.7",
        "never trained: random weights recorded",
        claims={f"torch_transformer_content_{n}": RNG.normal(size=(3, s)) for n, s in (("Q", 4), ("K", 4), ("V", 3))},
        loses=[TRAINED[0], GAP],
        says="Did the training cell finish",
        visible="the claim stands in the log alone, which the check cell does not read",
    ),
    wrong(
        "3.7",
        "the position model untrained",
        claims={"torch_transformer_position_V": np.zeros((7, 3))},
        loses=[TRAINED[1]],
        says="mean squared error",
        visible="the claim stands in the log alone, which the check cell does not read",
    ),
    wrong(
        "3.7",
        "the unique model says yes to all",
        claims={"torch_transformer_both_V": np.zeros((8, 1))},
        loses=[TRAINED[2]],
        says="of the signs of 3.3 right",
        visible="the claim stands in the log alone, which the check cell does not read",
    ),
    wrong(
        "3.7",
        "probes made up",
        claims={"trained_content_gap": 20.0, "trained_first_place_weight": 0.5},
        loses=[GAP, WEIGHT],
        says="own score minus the best other",
        visible="the claim stands in the log alone, which the check cell does not read",
    ),
    wrong("3.7", "a matrix where a number is asked", claims={"trained_content_gap": np.eye(3)}, loses=[GAP], says="expected ()", visible="the claim stands in the log alone, which the check cell does not read"),
    # 3.8
    right(
        "3.8a",
        "places on a circle, large scale",
        """
    angle = 2 * np.pi * np.arange(8) / 8
    previous_token_pos = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    turn = np.array([[np.cos(np.pi / 4), -np.sin(np.pi / 4)], [np.sin(np.pi / 4), np.cos(np.pi / 4)]])
    previous_token_Q = np.vstack([np.zeros((4, 2)), 60.0 * turn])
    previous_token_K = np.vstack([np.zeros((4, 2)), np.eye(2)])
    previous_token_V = np.vstack([np.eye(4), np.zeros((2, 4))])
    """,
    ),
    wrong(
        "3.8a",
        "the next place, which the mask hides",
        "previous_token_pos = np.eye(8)\nprevious_token_Q = np.vstack([np.zeros((4, 8)), 80.0 * np.eye(8, k=1)])\nprevious_token_K = np.vstack([np.zeros((4, 8)), np.eye(8)])\nprevious_token_V = np.vstack([np.eye(4), np.zeros((8, 4))])",
        loses=["each place gives the token before it"],
        says="must get nearly all of it",
    ),
    wrong(
        "3.8a",
        "its own place",
        "previous_token_pos = np.eye(8)\nprevious_token_Q = np.vstack([np.zeros((4, 8)), 80.0 * np.eye(8)])\nprevious_token_K = np.vstack([np.zeros((4, 8)), np.eye(8)])\nprevious_token_V = np.vstack([np.eye(4), np.zeros((8, 4))])",
        loses=["each place gives the token before it"],
        says="its own place",
    ),
    wrong(
        "3.8a",
        "a gap of 8 before the scale",
        "previous_token_pos = np.eye(8)\nprevious_token_Q = np.vstack([np.zeros((4, 8)), 8.0 * np.eye(8, k=-1)])\nprevious_token_K = np.vstack([np.zeros((4, 8)), np.eye(8)])\nprevious_token_V = np.vstack([np.eye(4), np.zeros((8, 4))])",
        loses=["each place gives the token before it"],
        says="leads, but not by enough",
    ),
    wrong(
        "3.8a",
        "V forgotten",
        "previous_token_pos = np.eye(8)\nprevious_token_Q = np.vstack([np.zeros((4, 8)), 80.0 * np.eye(8, k=-1)])\nprevious_token_K = np.vstack([np.zeros((4, 8)), np.eye(8)])\nprevious_token_V = np.ones((12, 4))",
        loses=["each place gives the token before it"],
        says="look at V",
    ),
    wrong(
        "3.8a",
        "every place looks at the first",
        "previous_token_pos = np.eye(8)\nprevious_token_Q = np.ones((12, 1))\nprevious_token_K = 60.0 * np.eye(12)[:, 4:5]\nprevious_token_V = np.vstack([np.eye(4), np.zeros((8, 4))])",
        loses=["each place gives the token before it"],
        says="it looks at place 0, as all others do",
    ),
    wrong(
        "3.8a",
        "two places back",
        "previous_token_pos = np.eye(8)\nprevious_token_Q = np.vstack([np.zeros((4, 8)), 80.0 * np.eye(8, k=-2)])\nprevious_token_K = np.vstack([np.zeros((4, 8)), np.eye(8)])\nprevious_token_V = np.vstack([np.eye(4), np.zeros((8, 4))])",
        loses=["each place gives the token before it"],
        says="two places back",
    ),
]

INDUCTION = """
induction_pos = np.eye(8)
induction_Q1 = np.vstack([np.zeros((4, 8)), 80.0 * np.eye(8, k={offset})])
induction_K1 = np.vstack([np.zeros((4, 8)), np.eye(8)])
induction_V1 = np.vstack([np.eye(4), np.zeros((8, 4))])
query, key = np.zeros((16, 5)), np.zeros((16, 5))
query[:4, :4] = 80.0 * np.eye(4)
key[{channel}, :4] = np.eye(4)
query[:4, 4] = {guard}
key[4, 4] = -1.0
induction_Q2, induction_K2 = query, key
induction_V2 = np.vstack([{value}, np.zeros((12, 4))])
"""
CONTINUES = "the second copy predicts each next token"
RIGHT_VALUE, BEFORE = "np.eye(4)", "slice(12, None)"
EXAMPLES += [
    right("3.8b", "a stronger guard", INDUCTION.format(offset=-1, channel=BEFORE, guard=200.0, value=RIGHT_VALUE)),
    wrong(
        "3.8b",
        "no guard at place 0",
        INDUCTION.format(offset=-1, channel=BEFORE, guard=0.0, value=RIGHT_VALUE),
        loses=[CONTINUES],
        says="has no place before it",
    ),
    wrong(
        "3.8b",
        "keys are the tokens themselves",
        INDUCTION.format(offset=-1, channel="slice(0, 4)", guard=80.0, value=RIGHT_VALUE),
        loses=[CONTINUES],
        says="copies the present token",
    ),
    wrong(
        "3.8b",
        "layer 1 copies its own place",
        INDUCTION.format(offset=0, channel=BEFORE, guard=80.0, value=RIGHT_VALUE),
        loses=[CONTINUES],
        says="copies the present token",
    ),
    wrong(
        "3.8b",
        "layer 2 too soft",
        INDUCTION.format(offset=-1, channel=BEFORE, guard=3.0, value=RIGHT_VALUE).replace("query[:4, :4] = 80.0", "query[:4, :4] = 3.0"),
        loses=[CONTINUES],
        says="Make the gap between scores larger",
    ),
    wrong(
        "3.8b",
        "values scrambled",
        INDUCTION.format(offset=-1, channel=BEFORE, guard=80.0, value="np.eye(4)[::-1]"),
        loses=[CONTINUES],
        says="so look at V2",
    ),
    wrong(
        "3.8b",
        "the guard at place 1 instead of 0",
        INDUCTION.format(offset=-1, channel=BEFORE, guard=80.0, value=RIGHT_VALUE).replace("key[4, 4]", "key[5, 4]"),
        loses=[CONTINUES],
        says="What does layer 1 give at place 0",
    ),
    wrong(
        "3.8b",
        "layer 2 asks for what layer 1 found",
        INDUCTION.format(offset=-1, channel=BEFORE, guard=80.0, value=RIGHT_VALUE).replace("query[:4, :4]", "query[12:, :4]"),
        loses=[CONTINUES],
        says="copies the present token",
    ),
]
