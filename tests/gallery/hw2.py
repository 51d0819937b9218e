"""hw2's gallery. A region's text replaces the solution in the source; see autograder/author/gallery.py."""

import numpy as np

from autograder.author.gallery import right, wrong

RNG = np.random.default_rng(2)

# 2.1 ------------------------------------------------------------------------------------------------------------------

PLAIN, PLACED = "equal to the NumPy model without positions", "equal to the NumPy model with positions"
LENGTHS, LARGE = "for every length from 1 to the largest", "large scores do not overflow"
PORT_GRADIENTS = "gradients reach every parameter of PytorchTransformer"
PORT_ALL = [PLAIN, PLACED, LENGTHS, LARGE, PORT_GRADIENTS]
PORT_SOFTMAX = PORT_ALL[:4]

HEAD = """
if self.pos is not None:
    x = torch.cat([x, self.pos(torch.arange(len(x)))], dim=1)
scores = self.Qm(x) @ self.Km(x).T / math.sqrt(self.Qm.out_features)
return torch.softmax(scores, dim=1) @ self.Vm(x)
"""


def port(old: str = "", new: str = "", init: str | None = None) -> dict[str, str]:
    assert old in HEAD
    return {"2.1 forward": HEAD.replace(old, new) if old else HEAD} | ({"2.1 init": init} if init else {})


LINEAR = "self.{0} = nn.Linear({1}, {2}{3})"


def maps(width: str = "width", bias: str = ", bias=False") -> str:
    lines = [LINEAR.format(name, width, size, bias) for name, size in (("Qm", "qk_dim"), ("Km", "qk_dim"), ("Vm", "v_dim"))]
    return "\n".join(["width = input_dim + (pos_dim or 0)", "self.pos = nn.Embedding(max_seq_len, pos_dim) if pos_dim else None", *lines])


LOOP = """
if self.pos is not None:
    x = torch.cat([x, self.pos.weight[: len(x)]], dim=1)
outputs = []
for row in x:
    scores = self.Km(x) @ self.Qm(row) / self.Km.out_features**0.5
    outputs.append(torch.softmax(scores, dim=0) @ self.Vm(x))
return torch.stack(outputs)
"""
EXAMPLES = [
    right("2.1", "a loop over queries, which 2.1 does not mind", {"2.1 forward": LOOP}),
    right("2.1", "einsum, layers made in another order, pos only where asked for", {
        "2.1 init": """
        if pos_dim is not None:
            self.pos = nn.Embedding(max_seq_len, pos_dim)
        for name, size in (("Vm", v_dim), ("Km", qk_dim), ("Qm", qk_dim)):
            setattr(self, name, nn.Linear(input_dim + (pos_dim or 0), size, bias=False))
        nn.init.zeros_(self.Vm.weight)
        """,
        "2.1 forward": """
        if hasattr(self, "pos"):
            x = torch.hstack((x, self.pos.weight.narrow(0, 0, x.size(0))))
        scores = torch.einsum("iq,jq->ij", self.Qm(x), self.Km(x)) * self.Km.out_features**-0.5
        return torch.einsum("ij,jv->iv", scores.softmax(-1), self.Vm(x))
        """,
    }),
    wrong("2.1", "softmax over the queries", port("dim=1) @", "dim=0) @"), loses=[PLAIN, PLACED, LENGTHS, LARGE], says="softmax is over the wrong axis"),
    wrong("2.1", "no scale", port(" / math.sqrt(self.Qm.out_features)", ""), loses=[PLAIN, PLACED, LENGTHS], says="not divided by √qk_dim"),
    wrong("2.1", "scaled twice", port("math.sqrt(self.Qm.out_features)", "self.Qm.out_features"), loses=[PLAIN, PLACED, LENGTHS], says="or twice by its root"),
    wrong("2.1", "scaled by the values' size", port("self.Qm.out_features", "self.Vm.out_features"), loses=[PLAIN, PLACED, LENGTHS], says="divided by √v_dim"),
    wrong("2.1", "output transposed", port("torch.softmax(scores, dim=1) @ self.Vm(x)", "(torch.softmax(scores, dim=1) @ self.Vm(x)).T"), loses=[PLAIN, PLACED, LENGTHS, LARGE], says="The output is transposed"),
    wrong("2.1", "positions added", port("torch.cat([x, self.pos(torch.arange(len(x)))], dim=1)", "x + self.pos(torch.arange(len(x)))", maps("input_dim")), loses=[PLACED, LENGTHS, PORT_GRADIENTS], says="Are the positions added?"),
    wrong("2.1", "every place gets position 0", port("torch.arange(len(x))", "torch.zeros(len(x), dtype=torch.long)"), loses=[PLACED, LENGTHS], says="position of place 0"),
    wrong("2.1", "positions in front", port("[x, self.pos(torch.arange(len(x)))]", "[self.pos(torch.arange(len(x))), x]"), loses=[PLACED, LENGTHS], says="in front of the token"),
    wrong("2.1", "bias left on", port(init=maps(bias="")), loses=PORT_ALL, says="a bias left on?"),
    wrong("2.1", "naive softmax", port("return torch.softmax(scores, dim=1) @ self.Vm(x)", "powers = scores.exp()\nreturn powers / powers.sum(1, keepdim=True) @ self.Vm(x)"), loses=[LARGE], says="nan"),
    wrong("2.1", "a residual where the shapes match", port("return torch.softmax(scores, dim=1) @ self.Vm(x)", "out = torch.softmax(scores, dim=1) @ self.Vm(x)\nreturn out + x if out.shape == x.shape else out"), loses=[PLAIN, PLACED], says="this model has no residual connection"),
    wrong("2.1", "a sigmoid", port("torch.softmax(scores, dim=1)", "torch.sigmoid(scores)"), loses=[PLAIN, PLACED, LENGTHS, LARGE], says="a sigmoid of each score by itself"),
    *(
        wrong("2.1", name, port("torch.softmax(scores, dim=1)", weights), loses=loses, says=says)
        for name, weights, loses, says in (
            ("tanh in place of the softmax", "torch.tanh(scores)", PORT_SOFTMAX, "The weights are tanh(score)"),
            ("ReLU in place of the softmax", "torch.relu(scores)", PORT_SOFTMAX, "The weights are relu(score)"),
            ("the largest score takes all", "F.one_hot(scores.argmax(1), len(x)).float()", [PLAIN, PLACED, LENGTHS, PORT_GRADIENTS], "That is hard attention"),
            ("scores clipped", "torch.softmax(scores.clamp(-50, 50), dim=1)", [LARGE], "The scores are clipped"),
        )
    ),
    wrong("2.1", "cosines", port("self.Qm(x) @ self.Km(x).T", "F.normalize(self.Qm(x), dim=1) @ F.normalize(self.Km(x), dim=1).T"), loses=PORT_SOFTMAX, says="The scores are cosines"),
    wrong("2.1", "keys by the queries' map", port("self.Km(x)", "self.Qm(x)"), loses=[*PORT_SOFTMAX, PORT_GRADIENTS], says="come from one map (Qm, …)"),
    wrong("2.1", "all positions, whatever the length", port("torch.arange(len(x))", "torch.arange(self.pos.num_embeddings)"), loses=[PLACED, LENGTHS], says="raised RuntimeError"),
    wrong("2.1", "detached on the way", port("@ self.Vm(x)", "@ self.Vm(x).detach()"), loses=[PORT_GRADIENTS], says="is something detached"),
    wrong("2.1", "torch's transposed habit: nn.Parameter of shape (d, qk)", {
        "2.1 init": "self.pos = None\nself.Qm, self.Km, self.Vm = (nn.Parameter(torch.randn(input_dim, size)) for size in (qk_dim, qk_dim, v_dim))",
        "2.1 forward": "return torch.softmax((x @ self.Qm) @ (x @ self.Km).T / self.Qm.shape[1] ** 0.5, dim=1) @ (x @ self.Vm)",
    }, loses=PORT_ALL, says="it has no parameter Km.weight"),
]

WRAPPED = """
def plain(layer):
    return layer.weight.detach().numpy().T

pos = None if self.pos is None else self.pos.weight.detach().numpy()
given = NumpyTransformer(plain(self.Km), plain(self.Qm), plain(self.Vm), pos)
return torch.from_numpy(given.forward(x.numpy())[0]).float()
"""
EXAMPLES += [
    wrong("2.1", "the given NumPy class in from_numpy", {"2.1 forward": WRAPPED}, loses=PORT_ALL, says="multiplies nothing in PyTorch"),
    wrong("2.1", "plain Python lists", {"2.1 forward": """
    rows = x.tolist() if self.pos is None else torch.cat([x, self.pos.weight[: len(x)]], dim=1).tolist()
    Q, K, V = (np.array(rows) @ np.array(m.weight.tolist()).T for m in (self.Qm, self.Km, self.Vm))
    powers = np.exp(Q @ K.T / Q.shape[1] ** 0.5 - (Q @ K.T / Q.shape[1] ** 0.5).max(1, keepdims=True))
    return torch.tensor(powers / powers.sum(1, keepdims=True) @ V, dtype=torch.float32)
    """}, loses=PORT_ALL, says="multiplies nothing in PyTorch"),
    wrong("2.1", "scaled after the softmax", port("scores = self.Qm(x) @ self.Km(x).T / math.sqrt(self.Qm.out_features)\nreturn torch.softmax(scores, dim=1) @", "scores = self.Qm(x) @ self.Km(x).T\nreturn torch.softmax(scores, dim=1) / math.sqrt(self.Qm.out_features) @"), loses=[PLAIN, PLACED, LENGTHS, LARGE], says="The softmax comes first and the scale"),
    wrong("2.1", "no gradients kept", {"2.1 forward": "with torch.no_grad():\n" + "\n".join("    " + line for line in HEAD.strip().split("\n"))}, loses=[PORT_GRADIENTS], says="no usable gradient"),
]

# 2.2 ------------------------------------------------------------------------------------------------------------------

GROWTH = "the number of operations does not grow with the length"


def counted(forward: str) -> str:
    lines = "\n".join("        " + line for line in maps().split("\n"))
    body = "\n".join("        " + line for line in forward.strip("\n").split("\n"))
    return f"""class VectorisedTransformer(nn.Module):
    def __init__(self, input_dim, qk_dim, v_dim, pos_dim=None, max_seq_len=10):
        super().__init__()
{lines}

    def forward(self, x):
{body}
"""


EXAMPLES += [
    right("2.2", "written anew", counted(HEAD)),
    right("2.2", "vectorized, without the scale: 2.1 says so", counted(HEAD.replace(" / math.sqrt(self.Qm.out_features)", ""))),
    wrong("2.2", "a loop over queries", counted(LOOP), loses=[GROWTH], shows="curve", says="A correct answer that loops keeps its points in 2.1"),
    wrong("2.2", "a comprehension over queries, keys mapped outside", counted("""
if self.pos is not None:
    x = torch.cat([x, self.pos.weight[: len(x)]], dim=1)
queries, keys, values = self.Qm(x), self.Km(x), self.Vm(x)
return torch.stack([torch.softmax(keys @ query / self.Qm.out_features**0.5, 0) @ values for query in queries])
"""), loses=[GROWTH], says="more for each place"),
    wrong("2.2", "a loop over all pairs", counted("""
if self.pos is not None:
    x = torch.cat([x, self.pos.weight[: len(x)]], dim=1)
queries, keys = self.Qm(x), self.Km(x)
scores = torch.zeros(len(x), len(x))
for i in range(len(x)):
    for j in range(len(x)):
        scores[i, j] = queries[i] @ keys[j] / self.Qm.out_features**0.5
return scores.softmax(1) @ self.Vm(x)
"""), loses=[GROWTH], shows="curve", says="a Python loop"),
    wrong("2.2", "the given NumPy class in from_numpy", counted(WRAPPED), loses=[GROWTH], says="multiplies nothing in PyTorch"),
    wrong("2.2", "maps in PyTorch, the loop in NumPy", counted("""
if self.pos is not None:
    x = torch.cat([x, self.pos.weight[: len(x)]], dim=1)
queries, keys = self.Qm(x).detach().numpy(), self.Km(x).detach().numpy()
scores = np.stack([keys @ query for query in queries]) / self.Qm.out_features**0.5
return torch.softmax(torch.from_numpy(scores), dim=1) @ self.Vm(x)
"""), loses=[GROWTH], shows="curve", says="outside PyTorch"),
    right("2.2", "einsum and baddbmm", counted("""
if self.pos is not None:
    x = torch.cat([x, self.pos.weight[: len(x)]], dim=1)
scores = torch.einsum("iq,jq->ij", self.Qm(x), self.Km(x)) / self.Qm.out_features**0.5
return torch.baddbmm(torch.zeros(1, 1, 1), scores.softmax(1)[None], self.Vm(x)[None])[0]
""")),
    wrong("2.2", "no attention at all", counted("return self.Vm(torch.cat([x, self.pos.weight[: len(x)]], dim=1))"), loses=[GROWTH], says="counted for a working head only"),
]

# 2.3 ------------------------------------------------------------------------------------------------------------------

POOLED, PADDED = "the mean over tokens and a linear head", "padding changes nothing"
CLASSIFIED = "gradients reach every parameter of DocumentClassifier"
POOL = """
tokens = self.attention(x, padding)
if padding is None:
    return self.head(tokens.mean(dim=1))
real = (~padding)[..., None]
return self.head((tokens * real).sum(dim=1) / real.sum(dim=1))
"""


def pooled(text: str) -> dict[str, str]:
    return {"2.3 forward": text}


def pool(*changes: tuple[str, str]) -> dict[str, str]:
    text = POOL
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return pooled(text)


EXAMPLES += [
    right("2.3", "one document after the other, head before the mean", pooled("padding = torch.zeros(x.shape[:2], dtype=torch.bool) if padding is None else padding\nrows = self.head(self.attention(x, padding))\nreturn torch.stack([one[~hidden].mean(0) for one, hidden in zip(rows, padding)])")),
    right("2.3", "einsum with weights that sum to 1", pooled("share = torch.ones(x.shape[:2]) if padding is None else (~padding).float()\nshare = share / share.sum(1, keepdim=True)\nreturn F.linear(torch.einsum('bn,bnd->bd', share, self.attention(x, padding)), self.head.weight, self.head.bias)")),
    wrong("2.3", "padded places counted", pooled("return self.head(self.attention(x, padding).mean(dim=1))"), loses=[PADDED], says="Padded places are counted"),
    wrong("2.3", "real tokens summed, divided by all places", pool(("/ real.sum(dim=1)", "/ x.shape[1]")), loses=[PADDED], says="divide by the number of real tokens"),
    wrong("2.3", "the layer does not get the mask", pool(("self.attention(x, padding)", "self.attention(x)")), loses=[PADDED], says="does not get the padding mask"),
    wrong("2.3", "the mask is inverted", pool(("(~padding)", "padding")), loses=[POOLED, PADDED], says="taken over the padded places"),
    wrong("2.3", "the mean before the layer", pooled("if padding is None:\n    padding = torch.zeros(x.shape[:2], dtype=torch.bool)\nreal = (~padding)[..., None]\nmean = (x * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)\nreturn self.head(self.attention(mean)[:, 0])"), loses=[POOLED, PADDED], says="The mean is taken before the attention layer"),
    wrong("2.3", "tokens summed", pool(("tokens.mean(dim=1)", "tokens.sum(dim=1)"), (" / real.sum(dim=1)", "")), loses=[POOLED, PADDED], says="The tokens are summed"),
    wrong("2.3", "first token only", pooled("return self.head(self.attention(x, padding)[:, 0])"), loses=[POOLED, PADDED], says="Only the first token"),
    wrong("2.3", "probabilities", pool(("return self.head(tokens.mean(dim=1))", "return self.head(tokens.mean(dim=1)).softmax(-1)"), ("return self.head((tokens * real).sum(dim=1) / real.sum(dim=1))", "return self.head((tokens * real).sum(dim=1) / real.sum(dim=1)).softmax(-1)")), loses=[POOLED, PADDED], says="return the raw logits"),
    wrong("2.3", "one row of logits a token", pooled("return self.head(self.attention(x, padding))"), loses=[POOLED, PADDED], says="average over the tokens"),
    wrong("2.3", "attention left out", pool(("self.attention(x, padding)", "x")), loses=[POOLED, PADDED, CLASSIFIED], says="The attention layer is not used"),
    wrong("2.3", "detached on the way", pool(("tokens = self.attention(x, padding)", "tokens = self.attention(x, padding).detach()")), loses=[CLASSIFIED], says="is something detached"),
    wrong("2.3", "no mask is no padding forgotten", pool(("if padding is None:\n    return self.head(tokens.mean(dim=1))\n", "")), loses=[POOLED], says="raised TypeError"),
    right("2.3", "a softmax of 0 and −∞ as the shares", pooled("rows = self.attention(x, padding=padding)\nshare = torch.zeros(x.shape[:2])\nif padding is not None:\n    share = share.masked_fill(padding, -torch.inf)\nreturn self.head((share.softmax(1)[..., None] * rows).sum(1))")),
    wrong("2.3", "squeezed, so one document has no batch axis", pool(("return self.head(tokens.mean(dim=1))", "return self.head(tokens.mean(dim=1)).squeeze()"), ("real.sum(dim=1))", "real.sum(dim=1)).squeeze()")), loses=[POOLED, PADDED], says="must keep its axis"),
    wrong("2.3", "cut to the shortest document", pool(("real = (~padding)[..., None]\nreturn self.head((tokens * real).sum(dim=1) / real.sum(dim=1))", "n = int((~padding).sum(dim=1).min())\nreturn self.head(tokens[:, :n].mean(dim=1))")), loses=[PADDED], says="the shortest one in the batch"),
    wrong("2.3", "divided by the tokens of the whole batch", pool(("return self.head(tokens.mean(dim=1))", "padding = torch.zeros(x.shape[:2], dtype=torch.bool)"), ("/ real.sum(dim=1)", "/ real.sum()")), loses=[POOLED, PADDED], says="real tokens in the whole batch"),
]

# 2.4 ------------------------------------------------------------------------------------------------------------------

HEADS, CAUSAL, PADDING = "equal to nn.MultiheadAttention", "the causal mask", "the padding mask"
BLIND, HEADS_GRADIENTS = "no NaN where nothing can be seen", "gradients reach every parameter of MultiHeadAttention"
VALUES = [HEADS, CAUSAL, PADDING, BLIND]
MULTI = """
batch, n, d_model = x.shape
size = d_model // self.n_heads
queries, keys, values = (proj(x).view(batch, n, self.n_heads, size).transpose(1, 2) for proj in (self.q_proj, self.k_proj, self.v_proj))
scores = queries @ keys.transpose(-2, -1) / math.sqrt(size)
allowed = torch.ones(n, n, dtype=torch.bool)
if causal:
    allowed = allowed.tril()
if padding is not None:
    allowed = allowed & ~padding[:, None, None, :]
weights = torch.softmax(scores.masked_fill(~allowed, -1e9), dim=-1) * allowed
joined = (weights @ values).transpose(1, 2).reshape(batch, n, d_model)
return self.out_proj(joined), weights
"""


def multi(*changes: tuple[str, str]) -> dict[str, str]:
    text = MULTI
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return {"2.4 forward": text}


EXAMPLES += [
    right("2.4", "additive masks, einsum, blind rows repaired before the softmax", {"2.4 forward": """
    b, n, d = x.shape
    q, k, v = (p(x).reshape(b, n, self.n_heads, -1) for p in (self.q_proj, self.k_proj, self.v_proj))
    scores = torch.einsum("bihc,bjhc->bhij", q, k) * (d / self.n_heads) ** -0.5
    hidden = torch.zeros(b, 1, n, n, dtype=torch.bool)
    if causal:
        hidden = hidden | torch.ones(n, n, dtype=torch.bool).triu(1)
    if padding is not None:
        hidden = hidden | padding.view(b, 1, 1, n)
    blind = hidden.all(-1, keepdim=True)
    scores = scores + torch.zeros(b, 1, n, n).masked_fill(hidden & ~blind, float("-inf"))
    weights = scores.softmax(-1).masked_fill(blind, 0.0)
    return self.out_proj(torch.einsum("bhij,bjhc->bihc", weights, v).flatten(2)), weights
    """}),
    right("2.4", "a list of heads, split by channel", multi(
        ("queries, keys, values = (proj(x).view(batch, n, self.n_heads, size).transpose(1, 2) for", "queries, keys, values = (torch.stack(proj(x).split(size, dim=-1), dim=1) for"),
        ("(weights @ values).transpose(1, 2).reshape(batch, n, d_model)", "torch.cat(list((weights @ values).unbind(1)), dim=-1)"),
    )),
    wrong("2.4", "heads split on the wrong axis", multi((".view(batch, n, self.n_heads, size).transpose(1, 2)", ".view(batch, self.n_heads, n, size)")), loses=VALUES, says="Heads are split on the wrong axis"),
    wrong("2.4", "heads joined on the wrong axis", multi((".transpose(1, 2).reshape(batch, n, d_model)", ".reshape(batch, n, d_model)")), loses=VALUES, says="Heads are joined on the wrong axis"),
    wrong("2.4", "no output projection", multi(("self.out_proj(joined)", "joined")), loses=[*VALUES, HEADS_GRADIENTS], says="The output projection is missing"),
    wrong("2.4", "out_proj not even made", {"2.4 init": "self.n_heads = n_heads\nself.q_proj, self.k_proj, self.v_proj = (nn.Linear(d_model, d_model) for _ in range(3))"}, loses=[*VALUES, HEADS_GRADIENTS], says="it has no parameter out_proj.bias"),
    wrong("2.4", "scaled by √d_model", multi(("math.sqrt(size)", "math.sqrt(d_model)")), loses=VALUES, says="divided by √d_model"),
    wrong("2.4", "no scale", multi((" / math.sqrt(size)", "")), loses=VALUES, says="not divided by √d_head"),
    wrong("2.4", "softmax over the queries", multi(("dim=-1) * allowed", "dim=-2) * allowed")), loses=VALUES, says="softmax is over the wrong axis"),
    wrong("2.4", "weights averaged over heads", multi(("(joined), weights", "(joined), weights.mean(1)")), loses=VALUES, says="averaged over the heads"),
    wrong("2.4", "output only", multi(("return self.out_proj(joined), weights", "return self.out_proj(joined)")), loses=VALUES, says="should return 2 things"),
    wrong("2.4", "causal mask inverted", multi(("tril()", "triu()")), loses=[CAUSAL, PADDING, BLIND], says="causal mask is inverted"),
    wrong("2.4", "causal mask hides the own place", multi(("tril()", "tril(-1)")), loses=[CAUSAL, PADDING, BLIND], says="hides the query's own place"),
    wrong("2.4", "causal mask ignored", multi(("if causal:", "if False:")), loses=[CAUSAL, PADDING, BLIND], says="causal mask is ignored"),
    wrong("2.4", "padding inverted", multi(("~padding", "padding")), loses=[PADDING, BLIND], says="padding mask is inverted"),
    wrong("2.4", "padding hides queries", multi(("[:, None, None, :]", "[:, None, :, None]")), loses=[PADDING, BLIND], says="it must hide keys"),
    wrong("2.4", "mask after the softmax", multi(("scores.masked_fill(~allowed, -1e9)", "scores")), loses=[CAUSAL, PADDING, BLIND], says="applied after the softmax"),
    wrong("2.4", "zero instead of minus infinity", multi(("masked_fill(~allowed, -1e9), dim=-1) * allowed", "masked_fill(~allowed, 0.0), dim=-1)")), loses=[CAUSAL, PADDING, BLIND], says="a score of 0 still gets weight"),
    wrong("2.4", "minus infinity: NaN where nothing can be seen", multi(("-1e9), dim=-1) * allowed", "float('-inf')), dim=-1)")), loses=[BLIND, HEADS_GRADIENTS], says="the softmax of a row of −∞"),
    wrong("2.4", "equal weights where nothing can be seen", multi(("dim=-1) * allowed", "dim=-1)")), loses=[BLIND], says="equal weights on masked places"),
    right("2.4", "exp times the mask, over the sum plus 1e-9", multi(("torch.softmax(scores.masked_fill(~allowed, -1e9), dim=-1) * allowed", "scores.exp() * allowed"), ("joined = (weights", "weights = weights / (weights.sum(-1, keepdim=True) + 1e-9)\njoined = (weights"))),
    right("2.4", "minus 1e4 in the scores, zeros where nothing can be seen", multi(("-1e9), dim=-1) * allowed", "-1e4), dim=-1).masked_fill((~allowed).all(-1, keepdim=True), 0.0)"))),
    wrong("2.4", "either mask, never both", multi(("if padding is not None:", "elif padding is not None:")), loses=[PADDING, BLIND], says="The padding mask is ignored"),
    wrong("2.4", "minus 20 in the scores", multi(("-1e9), dim=-1) * allowed", "-20.0), dim=-1).masked_fill((~allowed).all(-1, keepdim=True), 0.0)")), loses=[CAUSAL, PADDING], says="it must be exactly 0"),
    wrong("2.4", "dropout on the weights", multi(("joined = (weights", "weights = F.dropout(weights, 0.1, self.training)\njoined = (weights")), loses=[HEADS], says="Leave dropout out"),
    wrong("2.4", "scaled after the softmax", multi((" / math.sqrt(size)", ""), ("dim=-1) * allowed", "dim=-1) * allowed / math.sqrt(size)")), loses=VALUES, says="The softmax comes first and the scale"),
    wrong("2.4", "queries and keys swapped", multi(("queries, keys, values = (proj", "keys, queries, values = (proj")), loses=VALUES, says="Queries and keys are swapped"),
    wrong("2.4", "heads summed", multi(("(weights @ values).transpose(1, 2).reshape(batch, n, d_model)", "(weights @ values).sum(dim=1)")), loses=[*VALUES, HEADS_GRADIENTS], says="Are the heads added up?"),
    wrong("2.4", "the map is the sum of the heads", multi(("(joined), weights", "(joined), weights.sum(1)")), loses=VALUES, says="summed over the heads"),
    wrong("2.4", "one axis too few with one sequence", multi(("return self.out_proj(joined), weights", "return self.out_proj(joined).squeeze(), weights")), loses=[HEADS, CAUSAL], says="has shape"),
    right("2.4", "NaN repaired after a masked_fill, which stops it in the backward pass too", multi(("torch.softmax(scores.masked_fill(~allowed, -1e9), dim=-1) * allowed", "torch.nan_to_num(torch.softmax(scores.masked_fill(~allowed, float('-inf')), dim=-1))"))),
    wrong("2.4", "NaN of an additive mask repaired afterwards", multi(("torch.softmax(scores.masked_fill(~allowed, -1e9), dim=-1) * allowed", "torch.nan_to_num(torch.softmax(scores + torch.zeros(allowed.shape).masked_fill(~allowed, float('-inf')), dim=-1))")), loses=[HEADS_GRADIENTS], says="does a NaN hide behind a mask"),
    wrong("2.4", "scaled by √n", multi(("math.sqrt(size)", "math.sqrt(n)")), loses=VALUES, says="divided by √n, the root of the number of places"),
    wrong("2.4", "the size taken from the axis of the heads", multi(("math.sqrt(size)", "math.sqrt(keys.size(1))")), loses=VALUES, says="divided by √n_heads"),
    wrong("2.4", "padded queries hidden, too", multi(("~padding[:, None, None, :]", "~padding[:, None, None, :] & ~padding[:, None, :, None]")), loses=[PADDING, BLIND], says="hides padded queries, too"),
    wrong("2.4", "output 0 where nothing can be seen", multi(("return self.out_proj(joined), weights", "return self.out_proj(joined) * allowed.expand(batch, 1, n, n).any(-1)[:, 0, :, None], weights")), loses=[BLIND], says="it is the bias of out_proj"),
    wrong("2.4", "the weights returned before they are set to 0", multi(("dim=-1) * allowed", "dim=-1)\nshown, weights = weights, weights * allowed"), ("(joined), weights", "(joined), shown")), loses=[BLIND], says="the returned weights of a query that may see nothing"),
]

# 2.5 ------------------------------------------------------------------------------------------------------------------

NORM, EPS, NORM_GRADIENTS = "normalizes each token's features", "eps under the root", "gradients reach every parameter of LayerNorm"
NORMED = """
centered = x - x.mean(dim=-1, keepdim=True)
variance = centered.square().mean(dim=-1, keepdim=True)
return centered / torch.sqrt(variance + self.eps) * self.weight + self.bias
"""


def norm(*changes: tuple[str, str]) -> dict[str, str]:
    text = NORMED
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return {"2.5a forward": text}


EXAMPLES += [
    right("2.5a", "var and rsqrt", {"2.5a forward": "variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)\nreturn (x - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias"}),
    right("2.5a", "a sum of squares, divided by the number of features", norm(("centered.square().mean(dim=-1, keepdim=True)", "(centered * centered).sum(dim=-1, keepdim=True) / x.shape[-1]"))),
    wrong("2.5a", "unbiased variance", norm(("centered.square().mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True)")), loses=[NORM, EPS], says="unbiased=False"),
    wrong("2.5a", "eps left out", norm((" + self.eps", "")), loses=[EPS], says="eps is left out"),
    wrong("2.5a", "eps outside the root", norm(("torch.sqrt(variance + self.eps)", "(torch.sqrt(variance) + self.eps)")), loses=[EPS], says="it belongs under the root"),
    wrong("2.5a", "eps of the constructor not used", norm(("self.eps", "1e-5")), loses=[EPS], says="eps of the constructor"),
    wrong("2.5a", "over the tokens", norm(("x.mean(dim=-1,", "x.mean(dim=min(x.dim() - 2, 0) or -min(2, x.dim()),"), ("square().mean(dim=-1,", "square().mean(dim=-min(2, x.dim()),")), loses=[NORM, EPS], says="the wrong axis, the tokens"),
    wrong("2.5a", "over everything", norm(("x.mean(dim=-1, keepdim=True)", "x.mean()"), ("square().mean(dim=-1, keepdim=True)", "square().mean()")), loses=[NORM, EPS], says="One mean is taken over everything"),
    wrong("2.5a", "no root", norm(("torch.sqrt(variance + self.eps)", "(variance + self.eps)")), loses=[NORM, EPS], says="The root is missing"),
    wrong("2.5a", "weight and bias not used", norm((" * self.weight + self.bias", "")), loses=[NORM, EPS, NORM_GRADIENTS], says="weight and bias are not used"),
    wrong("2.5a", "weight and bias random at first", {"2.5a init": "self.eps = eps\nself.weight, self.bias = nn.Parameter(torch.randn(d_model)), nn.Parameter(torch.randn(d_model))"}, loses=[NORM], says="`weight` is not all ones"),
    wrong("2.5a", "weight zero at first", {"2.5a init": "self.eps = eps\nself.weight, self.bias = nn.Parameter(torch.zeros(d_model)), nn.Parameter(torch.zeros(d_model))"}, loses=[NORM], says="`weight` is not all ones"),
    wrong("2.5a", "the mean not subtracted", norm(("centered = x - x.mean(dim=-1, keepdim=True)", "centered = x")), loses=[NORM, EPS], says="that is RMS norm"),
    wrong("2.5a", "weight forgotten", norm((" * self.weight", "")), loses=[NORM, EPS, NORM_GRADIENTS], says="weight is not used"),
    wrong("2.5a", "buffers, not parameters", {"2.5a init": 'self.eps = eps\nself.register_buffer("weight", torch.ones(d_model))\nself.register_buffer("bias", torch.zeros(d_model))'}, loses=[NORM, EPS, NORM_GRADIENTS], says="is not a parameter, so that it never learns"),
    wrong("2.5a", "eps of 1e-6, whatever is given", norm(("self.eps", "1e-6")), loses=[EPS], says="eps is always 1e-6"),
    wrong("2.5a", "as in The Annotated Transformer", {"2.5a forward": "mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)\nreturn self.weight * (x - mean) / (std + self.eps) + self.bias"}, loses=[NORM, EPS], says="The divisor is std + eps"),
]

POST, PRE = "post-norm equals nn.TransformerEncoderLayer", "pre-norm equals nn.TransformerEncoderLayer"
HIDDEN, BLOCK_GRADIENTS = "padding is hidden", "gradients reach every parameter of EncoderBlock"
PARTS = """
def attend(y):
    return self.self_attn(y, y, y, key_padding_mask=padding, need_weights=False)[0]

def feed(y):
    return self.linear2(torch.relu(self.linear1(y)))

"""
BLOCK = PARTS + """if self.norm_first:
    x = x + attend(self.norm1(x))
    return x + feed(self.norm2(x))
x = self.norm1(x + attend(x))
return self.norm2(x + feed(x))
"""


def block(*changes: tuple[str, str]) -> dict[str, str]:
    text = BLOCK
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return {"2.5b forward": text}


EXAMPLES += [
    right("2.5b", "one line for both norms", {"2.5b forward": PARTS + """
for norm, sublayer in ((self.norm1, attend), (self.norm2, feed)):
    x = x + sublayer(norm(x)) if self.norm_first else norm(x + sublayer(x))
return x
"""}),
    right("2.5b", "weights asked for and thrown away, sizes by keyword", block((", need_weights=False", "")) | {"2.5b init": """
    self.norm_first = norm_first
    self.norm2, self.norm1 = nn.LayerNorm(d_model), nn.LayerNorm(normalized_shape=d_model)
    self.linear2, self.linear1 = nn.Linear(d_ff, d_model), nn.Linear(d_model, d_ff)
    self.self_attn = nn.MultiheadAttention(num_heads=n_heads, embed_dim=d_model, batch_first=True)
    """}),
    wrong("2.5b", "pre-norm written as post-norm and the other way round", block(("if self.norm_first", "if not self.norm_first")), loses=[POST, PRE, HIDDEN], says="Pre-norm and post-norm are exchanged"),
    wrong("2.5b", "ReLU at the end of the network", block(("return self.linear2(torch.relu(self.linear1(y)))", "return torch.relu(self.linear2(self.linear1(y)))")), loses=[POST, PRE, HIDDEN], says="it belongs between linear1 and linear2"),
    wrong("2.5b", "ReLU twice", block(("return self.linear2(torch.relu(self.linear1(y)))", "return torch.relu(self.linear2(torch.relu(self.linear1(y))))")), loses=[POST, PRE, HIDDEN], says="There is a ReLU after linear2"),
    wrong("2.5b", "tanh in the network", block(("torch.relu(", "torch.tanh(")), loses=[POST, PRE, HIDDEN], says="uses tanh"),
    wrong("2.5b", "no bias in the network", {"2.5b init": "self.norm_first = norm_first\nself.self_attn = nn.MultiheadAttention(d_model, n_heads, batch_first=True)\nself.linear1, self.linear2 = nn.Linear(d_model, d_ff, bias=False), nn.Linear(d_ff, d_model, bias=False)\nself.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)"}, loses=[POST, PRE, HIDDEN, BLOCK_GRADIENTS], says="it has no parameter linear1.bias"),
    wrong("2.5b", "always post-norm", block(("if self.norm_first", "if False")), loses=[PRE, HIDDEN], says="Pre-norm and post-norm are exchanged"),
    wrong("2.5b", "always pre-norm", block(("if self.norm_first", "if True")), loses=[POST, HIDDEN], says="Pre-norm and post-norm are exchanged"),
    wrong("2.5b", "no residual connections", block(("x + ", "")), loses=[POST, PRE, HIDDEN], says="Both residual connections are missing"),
    wrong("2.5b", "one residual connection over both sublayers", block(("    x = x + attend(self.norm1(x))\n    return x + feed(self.norm2(x))", "    return x + feed(self.norm2(attend(self.norm1(x))))"), ("x = self.norm1(x + attend(x))\nreturn self.norm2(x + feed(x))", "return self.norm2(x + feed(self.norm1(attend(x))))")), loses=[POST, PRE, HIDDEN], says="spans both sublayers"),
    wrong("2.5b", "no residual around the network", block(("return x + feed(self.norm2(x))", "return feed(self.norm2(x))"), ("self.norm2(x + feed(x))", "self.norm2(feed(x))")), loses=[POST, PRE, HIDDEN], says="around the feed-forward network is missing"),
    wrong("2.5b", "the normed input is added back", block(("x = x + attend(self.norm1(x))\n    return x + feed(self.norm2(x))", "y = self.norm1(x)\n    x = y + attend(y)\n    y = self.norm2(x)\n    return y + feed(y)")), loses=[PRE, HIDDEN], says="the normalized input is added back"),
    wrong("2.5b", "the normed input is added back around the attention alone", block(("x = x + attend(self.norm1(x))\n", "x = self.norm1(x)\n    x = x + attend(x)\n")), loses=[PRE, HIDDEN], says="around the attention the normalized input"),
    wrong("2.5b", "the normed input is added back around the network alone", block(("return x + feed(self.norm2(x))", "y = self.norm2(x)\n    return y + feed(y)")), loses=[PRE, HIDDEN], says="around the feed-forward network the normalized input"),
    wrong("2.5b", "post-norm normalizes before adding", block(("self.norm1(x + attend(x))", "x + self.norm1(attend(x))"), ("self.norm2(x + feed(x))\n", "x + self.norm2(feed(x))\n")), loses=[POST, HIDDEN], says="add the input first"),
    wrong("2.5b", "norm1 twice", block(("self.norm2", "self.norm1")), loses=[POST, PRE, HIDDEN, BLOCK_GRADIENTS], says="norm1 is used twice"),
    wrong("2.5b", "GELU", block(("torch.relu", "F.gelu")), loses=[POST, PRE, HIDDEN], says="uses GELU"),
    wrong("2.5b", "SiLU", block(("torch.relu", "F.silu")), loses=[POST, PRE, HIDDEN], says="uses SiLU"),
    wrong("2.5b", "a leaky ReLU", block(("torch.relu", "F.leaky_relu")), loses=[POST, PRE, HIDDEN], says="uses a leaky ReLU"),
    wrong("2.5b", "a norm after the last sum of pre-norm", block(("return x + feed(self.norm2(x))", "return self.norm2(x + feed(self.norm2(x)))")), loses=[PRE, HIDDEN], says="norm2 is used again after the block"),
    wrong("2.5b", "padding ignored", block(("key_padding_mask=padding, ", "")), loses=[HIDDEN], says="pass it on as key_padding_mask"),
    wrong("2.5b", "padding inverted", block(("key_padding_mask=padding", "key_padding_mask=None if padding is None else ~padding")), loses=[HIDDEN], says="padding mask is inverted"),
    wrong("2.5b", "attention's result detached", block(("need_weights=False)[0]", "need_weights=False)[0].detach()")), loses=[BLOCK_GRADIENTS], says="self_attn.in_proj_weight"),
    wrong("2.5b", "batch axis forgotten", {"2.5b init": "self.norm_first = norm_first\nself.self_attn = nn.MultiheadAttention(d_model, n_heads)\nself.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)\nself.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)"}, loses=[POST, PRE, HIDDEN], says="needs batch_first=True"),
    wrong("2.5b", "the second residual adds the block's input", block(("    x = x + attend(self.norm1(x))\n    return x + feed(self.norm2(x))", "    y = x + attend(self.norm1(x))\n    return x + feed(self.norm2(y))"), ("x = self.norm1(x + attend(x))\nreturn self.norm2(x + feed(x))", "y = self.norm1(x + attend(x))\nreturn self.norm2(x + feed(y))")), loses=[POST, PRE, HIDDEN], says="The second residual connection adds the block's input"),
    wrong("2.5b", "dropout as in torch's layer", block(("return self.linear2(torch.relu(self.linear1(y)))", "return F.dropout(self.linear2(torch.relu(self.linear1(y))), 0.1, self.training)")), loses=[POST], says="Leave dropout out"),
    wrong("2.5b", "norms exchanged", block(("self.norm1(x + attend(x))", "self.norm2(x + attend(x))"), ("return self.norm2(x + feed(x))", "return self.norm1(x + feed(x))"), ("attend(self.norm1(x))", "attend(self.norm2(x))"), ("feed(self.norm2(x))", "feed(self.norm1(x))")), loses=[POST, PRE, HIDDEN], says="norm1 and norm2 are exchanged"),
    wrong("2.5b", "padding inverted, and weights asked for, so NaN comes out", block(("key_padding_mask=padding, need_weights=False", "key_padding_mask=None if padding is None else ~padding")), loses=[HIDDEN], says="The padding mask is inverted"),
    wrong("2.5b", "only the queries normalized", block(("def attend(y):\n    return self.self_attn(y, y, y,", "def attend(y, z=None):\n    z = y if z is None else z\n    return self.self_attn(y, z, z,"), ("attend(self.norm1(x))", "attend(self.norm1(x), x)")), loses=[PRE, HIDDEN], says="only the queries are normalized"),
    wrong("2.5b", "adds in place", block(("    x = x + attend(self.norm1(x))", "    x += attend(self.norm1(x))")), loses=[PRE, HIDDEN, BLOCK_GRADIENTS], says="an operation in place changed a tensor"),
    wrong("2.5b", "a causal mask", block(("need_weights=False", "attn_mask=torch.ones(y.shape[1], y.shape[1]).triu(1).bool()")), loses=[POST, PRE, HIDDEN], says="A causal mask is applied"),
]

# 2.6 ------------------------------------------------------------------------------------------------------------------

STEP, MEASURE = "one training step", "the weight on the anti-diagonal"
REVERSES, CLAIM = "the trained model reverses", "the claim about the figure"
TRAIN = """
logits, _ = model(tokens)
loss = F.cross_entropy(logits.flatten(0, 1), tokens.flip(1).flatten())
optimizer.zero_grad()
loss.backward()
optimizer.step()
return loss.item()
"""


def train(old: str, new: str) -> dict[str, str]:
    assert old in TRAIN
    return {"2.6 step": TRAIN.replace(old, new)}


def measure(text: str) -> dict[str, str]:
    return {"2.6 measure": text}


EXAMPLES += [
    right("2.6", "zero_grad at the end, classes moved to axis 1, a loop over the diagonal", {
        "2.6 step": "model.zero_grad()\nlogits = model(tokens)[0]\nloss = nn.CrossEntropyLoss()(logits.transpose(1, 2), torch.flip(tokens, dims=[1]))\nloss.backward()\noptimizer.step()\noptimizer.zero_grad()\nreturn float(loss.detach())",
        "2.6 measure": "n = weights.shape[-1]\nreturn sum(float(weights[b, i, n - 1 - i]) for b in range(len(weights)) for i in range(n)) / (len(weights) * n)",
    }),
    wrong("2.6", "gradients accumulate", train("optimizer.zero_grad()\n", ""), loses=[STEP], says="optimizer.zero_grad()"),
    wrong("2.6", "no step", train("optimizer.step()\n", ""), loses=[STEP], says="optimizer.step() is missing"),
    wrong("2.6", "backward forgotten", train("loss.backward()\n", ""), loses=[STEP], says="loss.backward() is missing"),
    wrong("2.6", "neither backward nor step", train("loss.backward()\noptimizer.step()\n", ""), loses=[STEP], says="loss.backward() and optimizer.step() are missing"),
    wrong("2.6", "gradients zeroed between backward and step", train("optimizer.zero_grad()\nloss.backward()\n", "loss.backward()\noptimizer.zero_grad()\n"), loses=[STEP], says="set to zero between"),
    right("2.6", "zero_grad only after the step, a loss for each place", train("optimizer.zero_grad()\nloss.backward()\noptimizer.step()\n", "loss.backward()\noptimizer.step()\noptimizer.zero_grad(set_to_none=False)\n")),
    right("2.6", "float32 on the way, a Python number back", measure("n = weights.shape[1]\nreturn float(weights.float()[:, range(n), range(n - 1, -1, -1)].mean())")),
    wrong("2.6", "gradients switched off for good", train("return loss.item()", "torch.set_grad_enabled(False)\nreturn loss.item()"), loses=[STEP], says="raised RuntimeError"),
    wrong("2.6", "the target is not reversed", train(".flip(1)", ""), loses=[STEP], says="The target is the sequence itself"),
    wrong("2.6", "the batch is reversed", train("flip(1)", "flip(0)"), loses=[STEP], says="flip axis 1"),
    wrong("2.6", "softmax before the loss", train("logits.flatten", "logits.softmax(-1).flatten"), loses=[STEP], says="takes raw logits"),
    wrong("2.6", "logits reshaped", train("logits.flatten(0, 1), tokens.flip(1).flatten()", "logits.reshape(len(tokens), logits.shape[2], -1), tokens.flip(1)"), loses=[STEP], says="classes and places are mixed up"),
    wrong("2.6", "the main diagonal", measure("return weights.diagonal(dim1=1, dim2=2).mean()"), loses=[MEASURE], says="That is the main diagonal"),
    wrong("2.6", "a sum", measure("return weights.flip(2).diagonal(dim1=1, dim2=2).sum()"), loses=[MEASURE], says="That is a sum"),
    wrong("2.6", "mean of everything", measure("return weights.mean()"), loses=[MEASURE], says="only the anti-diagonal counts"),
    wrong("2.6", "never trained", claims={"reverse_Q": np.zeros((32, 32))}, loses=[REVERSES, CLAIM], shows="attention", says="Did the training cell finish", visible="the claim stands in the log alone, which the check cell does not read"),
    wrong("2.6", "a number made up", claims={"trained_antidiagonal": 0.5}, loses=[CLAIM], shows="attention", says="but the recorded weights give", visible="the claim stands in the log alone, which the check cell does not read"),
    wrong("2.6", "weights of another size", claims={"reverse_E": RNG.normal(size=(12, 32))}, loses=[REVERSES, CLAIM], says="expected (10, d)", visible="the claim stands in the log alone, which the check cell does not read"),
    wrong("2.6", "the step before backward", train("loss.backward()\noptimizer.step()\n", "optimizer.step()\nloss.backward()\n"), loses=[STEP], says="runs before loss.backward()"),
    wrong("2.6", "a sum over the places", train("loss = F.cross_entropy(logits.flatten(0, 1), tokens.flip(1).flatten())", "loss = sum(F.cross_entropy(logits[:, i], tokens[:, -1 - i]) for i in range(tokens.shape[1]))"), loses=[STEP], says="summed over the places"),
    wrong("2.6", "nothing returned", train("return loss.item()\n", ""), loses=[STEP], says="it returns None"),
    wrong("2.6", "one key too far", measure("return sum(weights[:, i, -i].mean() for i in range(weights.shape[1])) / weights.shape[1]"), loses=[MEASURE], says="one too far"),
    right("2.6", "a closure for the optimizer", {"2.6 step": "def closure():\n    optimizer.zero_grad()\n    loss = F.cross_entropy(model(tokens)[0].flatten(0, 1), tokens.flip(1).flatten())\n    loss.backward()\n    return loss\n\nreturn float(optimizer.step(closure))"}),
]

# 2.7 ------------------------------------------------------------------------------------------------------------------


def jobs(attention: str = "A", heads: str = "D", feed: str = "B", norm: str = "C") -> dict[str, str]:
    return {"2.7 jobs": f'job_self_attention = "{attention}"\njob_heads = "{heads}"\njob_feed_forward = "{feed}"\njob_layer_norm = "{norm}"'}


def choices(path: str = "A", parallel: str = "C") -> dict[str, str]:
    return {"2.7 choices": f'path_length = "{path}"\ntraining_parallel = "{parallel}"'}


EXAMPLES += [
    right("2.7", "lower case and stray spaces", jobs(" a", "d ", "b.", "(c)") | choices("a", "c")),
    wrong("2.7", "attention and feed-forward exchanged", jobs(attention="B", feed="A"), loses=["job_self_attention", "job_feed_forward"], says="that is the job of the feed-forward network"),
    wrong("2.7", "heads tell places apart", jobs(heads="E"), loses=["job_heads"], says="the job of positional encoding"),
    wrong("2.7", "layer norm mixes places", jobs(norm="A") | choices(path="D"), loses=["job_layer_norm", "path_length"], says="so the path is 1"),
    wrong("2.7", "generation is parallel", choices(parallel="D"), loses=["training_parallel"], says="generation goes token by token"),
    wrong("2.7", "one letter for two parts", jobs(heads="A"), loses=["job_heads"], says="the job of self-attention"),
    wrong("2.7", "a word instead of a letter", choices(parallel="parallel"), loses=["training_parallel"], says="one of the letters"),
]

# 2.8 ------------------------------------------------------------------------------------------------------------------

MAPPED, LOGITS = "every weight under its own name", "logits on hidden prompts"
RENAMED = """
layers = {"wte": "tokens", "wpe": "places", "ln_f": "norm", "ln_1": "norm1", "ln_2": "norm2", "attn.c_proj": "self_attn.out_proj", "mlp.c_fc": "linear1", "mlp.c_proj": "linear2"}
state = {}
for name, tensor in stored.items():
    block = ""
    if name.startswith("h."):
        _, number, name = name.split(".", 2)
        block = f"blocks.{number}."
    layer, part = name.rsplit(".", 1)
    if "c_" in layer and part == "weight":
        tensor = tensor.T
    if layer == "attn.c_attn":
        for letter, piece in zip("qkv", tensor.chunk(3)):
            state[f"{block}self_attn.{letter}_proj.{part}"] = piece
    else:
        state[f"{block}{layers[layer]}.{part}"] = tensor
return state
"""


def named(*changes: tuple[str, str]) -> dict[str, str]:
    text = RENAMED
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return {"2.8a": text}


EXAMPLES += [
    right("2.8a", "by regular expressions, pieces cut by hand, contiguous copies", {"2.8a": """
    import re
    out = {}
    for key, value in stored.items():
        key = key.replace("wte", "tokens").replace("wpe", "places").replace("ln_f", "norm").replace("h.", "blocks.", 1) if not key.startswith("h.") else "blocks." + key[2:]
        key = re.sub(r"ln_(\\d)", r"norm\\1", key).replace("mlp.c_fc", "linear1").replace("mlp.c_proj", "linear2").replace("attn.c_proj", "self_attn.out_proj")
        if key.startswith("blocks") and value.ndim == 2:
            value = value.t().contiguous()
        if "c_attn" in key:
            size = len(value) // 3
            for place, letter in enumerate(("q_proj", "k_proj", "v_proj")):
                out[key.replace("attn.c_attn", "self_attn." + letter)] = value[place * size : (place + 1) * size].clone()
        else:
            out[key] = value
    return out
    """}),
    right("2.8a", "an OrderedDict of NumPy arrays and tensors", named(("state = {}", "from collections import OrderedDict\nstate = OrderedDict()"), ("= piece", "= np.flip(piece.numpy(), 0).copy()[::-1]"))),
    wrong("2.8a", "nothing transposed", named(('if "c_" in layer and part == "weight":', "if False:"), ("tensor.chunk(3)", "tensor.chunk(3, -1)")), loses=[MAPPED, LOGITS], says="linear1.weight has shape"),
    wrong("2.8a", "the square ones not transposed", named(('if "c_" in layer and part == "weight":', 'if "c_" in layer and part == "weight" and layer != "attn.c_proj":')), loses=[MAPPED, LOGITS], says="attn.c_proj is not transposed"),
    wrong("2.8a", "queries, keys and values in another order", named(('"qkv"', '"kqv"')), loses=[MAPPED, LOGITS], says="queries and keys are exchanged"),
    wrong("2.8a", "keys and values exchanged", named(('"qkv"', '"qvk"')), loses=[MAPPED, LOGITS], says="keys and values are exchanged"),
    wrong("2.8a", "norms exchanged", named(('"ln_1": "norm1", "ln_2": "norm2"', '"ln_1": "norm2", "ln_2": "norm1"')), loses=[MAPPED, LOGITS], says="ln_1 and ln_2 are exchanged"),
    wrong("2.8a", "pieces cut, then transposed back", named(("= piece", "= piece.T if piece.ndim == 2 else piece"), ('if layer == "attn.c_attn":', 'if layer == "attn.c_proj":\n        tensor = tensor.T if part == "weight" else tensor\n    if layer == "attn.c_attn":')), loses=[MAPPED, LOGITS], says="square matrices are not transposed"),
    wrong("2.8a", "only block 0", named(("return state", 'return {name: value for name, value in state.items() if "blocks.1" not in name}')), loses=[MAPPED, LOGITS], says="the dict has no blocks.1"),
    wrong("2.8a", "biases forgotten", named(("return state", 'return {name: value for name, value in state.items() if "self_attn" not in name or "bias" not in name}')), loses=[MAPPED, LOGITS], says="the dict has no blocks.0.self_attn"),
    wrong("2.8a", "reshaped, not transposed", named(("tensor = tensor.T", "tensor = tensor.reshape(tensor.shape[::-1])")), loses=[MAPPED, LOGITS], says="matrices are reshaped"),
]

NATS, HELD_OUT = "nats a character", "the held-out lines"
OWN_NUMBER = "held_out_nats = nats_per_character(austen, torch.tensor(to_tokens(HELD_OUT_TEXT)))"


def nats(text: str) -> dict[str, str]:
    return {"2.8b": text}


EXAMPLES += [
    right("2.8b", "by log_softmax and gather", nats("logs = model(tokens.unsqueeze(0)).log_softmax(-1)[0]\nreturn -logs[:-1].gather(1, tokens[1:, None]).mean()")),
    right("2.8b", "a loop over growing beginnings, without gradients", nats("with torch.no_grad():\n    losses = [F.cross_entropy(model(tokens[None, :n])[0, -1:], tokens[n : n + 1]) for n in range(1, len(tokens))]\nreturn float(torch.stack(losses).mean())")),
    wrong("2.8b", "each logit and its own letter", nats("return F.cross_entropy(model(tokens[None])[0], tokens).item()"), loses=[NATS, HELD_OUT], says="compared with its own letter"),
    wrong("2.8b", "summed", nats("return F.cross_entropy(model(tokens[None])[0, :-1], tokens[1:], reduction='sum').item()"), loses=[NATS, HELD_OUT], says="take the mean"),
    wrong("2.8b", "in bits", nats("return F.cross_entropy(model(tokens[None])[0, :-1], tokens[1:]).item() / math.log(2)"), loses=[NATS, HELD_OUT], says="Those are bits"),
    wrong("2.8b", "the perplexity", nats("return F.cross_entropy(model(tokens[None])[0, :-1], tokens[1:]).exp().item()"), loses=[NATS, HELD_OUT], says="the perplexity"),
    wrong("2.8b", "softmax before cross_entropy", nats("return F.cross_entropy(model(tokens[None])[0, :-1].softmax(-1), tokens[1:]).item()"), loses=[NATS, HELD_OUT], says="raw logits"),
    wrong("2.8b", "divided by n", nats("return F.cross_entropy(model(tokens[None])[0, :-1], tokens[1:], reduction='sum').item() / len(tokens)"), loses=[NATS, HELD_OUT], says="Divide by n − 1"),
    wrong("2.8b", "the logits shifted the other way", nats("return F.cross_entropy(model(tokens[None])[0, 1:], tokens[:-1]).item()"), loses=[NATS, HELD_OUT], says="compared with the letter before"),
    wrong("2.8b", "the number of another text", {"2.8b number": 'held_out_nats = nats_per_character(austen, torch.tensor(to_tokens("It is a truth universally acknowledged")))'}, loses=[HELD_OUT], says="gives another number", visible="the number would give the answer away"),
    wrong("2.8b", "logarithms to base 10", nats("return F.cross_entropy(model(tokens[None])[0, :-1], tokens[1:]).item() / math.log(10)"), loses=[NATS, HELD_OUT], says="base 10"),
    wrong("2.8b", "the entropy of the predictions", nats("p = model(tokens[None])[0, :-1].softmax(-1)\nreturn -(p * p.log()).sum(-1).mean()"), loses=[NATS, HELD_OUT], says="the entropy of what the model expects"),
    wrong("2.8b", "softmax over the places", nats("p = model(tokens[None]).softmax(1)[0, :-1]\nreturn -p.gather(1, tokens[1:, None]).log().mean()"), loses=[NATS, HELD_OUT], says="runs over the places"),
    wrong("2.8b", "two decimals", {"2.8b number": "held_out_nats = round(nats_per_character(austen, torch.tensor(to_tokens(HELD_OUT_TEXT))), 2)"}, loses=[HELD_OUT], says="asks for 0.001", visible="a check of this one number would give the answer away"),
]

GREEDY, TEMPERATURE, LIKELIEST = "the greedy continuation", "drawn with the temperature", "only the k likeliest"
WRITE = """
tokens = list(tokens)
for _ in range(count):
    tokens.append(choose(model(torch.tensor(tokens[-model.context :])[None])[0, -1].detach()))
return tokens
"""
SAMPLE = """
scores = logits / temperature
if top_k is not None:
    scores = scores.masked_fill(scores < scores.topk(top_k).values[-1], -math.inf)
return int(torch.multinomial(torch.softmax(scores, dim=-1), 1))
"""


def writes(old: str, new: str) -> dict[str, str]:
    assert old in WRITE
    return {"2.8c write": WRITE.replace(old, new)}


def draws(old: str, new: str) -> dict[str, str]:
    assert old in SAMPLE
    return {"2.8c sample": SAMPLE.replace(old, new)}


EXAMPLES += [
    right("2.8c", "tensors all the way, a Gumbel draw", {
        "2.8c write": "text = torch.as_tensor(tokens)\nfor _ in range(count):\n    new = choose(model(text[None, -model.context :])[0][-1])\n    text = torch.cat((text, torch.tensor([int(new)])))\nreturn text",
        "2.8c sample": "values, places = (logits / temperature).topk(top_k or len(logits))\nreturn places[(values - torch.log(-torch.log(torch.rand(len(values))))).argmax()]",
    }),
    right("2.8c", "numpy's generator", {"2.8c sample": "keep = len(logits) if top_k is None else top_k\nplaces = logits.argsort(descending=True)[:keep].numpy()\np = torch.softmax(logits[places].double() / temperature, 0).numpy()\nreturn int(np.random.choice(places, p=p / p.sum()))"}),
    wrong("2.8c", "the context is forgotten", writes("tokens[-model.context :]", "tokens"), loses=[GREEDY], says="raised IndexError"),
    wrong("2.8c", "the first tokens of a long text", writes("tokens[-model.context :]", "tokens[: model.context]"), loses=[GREEDY], says="first tokens of a long text"),
    wrong("2.8c", "the logits of the first place", writes("[0, -1]", "[0, 0]"), loses=[GREEDY], says="logits of the first place"),
    wrong("2.8c", "the given list grows", writes("tokens = list(tokens)\n", ""), loses=[GREEDY], says="changed its inputs in place"),
    wrong("2.8c", "only the new tokens", writes("return tokens", "return tokens[-count:]"), loses=[GREEDY], says="Only the new tokens"),
    wrong("2.8c", "sees the last token alone", writes("tokens[-model.context :]", "tokens[-1:]"), loses=[GREEDY], says="last token alone"),
    wrong("2.8c", "a window that is one short", writes("tokens[-model.context :]", "tokens[1 - model.context :]"), loses=[GREEDY], says="one token too few"),
    wrong("2.8c", "logits of all places", writes("[0, -1]", "[0]"), loses=[GREEDY], says="choose gets logits of shape"),
    wrong("2.8c", "always the likeliest", {"2.8c sample": "return int(logits.argmax())"}, loses=[TEMPERATURE, LIKELIEST], says="the same letter"),
    wrong("2.8c", "the temperature is forgotten", draws("logits / temperature", "logits"), loses=[TEMPERATURE, LIKELIEST], says="as if the temperature were 1"),
    wrong("2.8c", "multiplied by the temperature", draws("logits / temperature", "logits * temperature"), loses=[TEMPERATURE, LIKELIEST], says="multiplied by the temperature"),
    wrong("2.8c", "probabilities squared", draws("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-1) ** 2"), loses=[TEMPERATURE, LIKELIEST], says="as if each probability were squared"),
    wrong("2.8c", "top_k is forgotten", draws("if top_k is not None:", "if False:"), loses=[LIKELIEST], says="likeliest may"),
    wrong("2.8c", "uniform over the k likeliest", draws("torch.softmax(scores, dim=-1)", "torch.isfinite(scores).float()"), loses=[TEMPERATURE, LIKELIEST], says="equally likely"),
    wrong("2.8c", "choose is never called", writes("choose(model(torch.tensor(tokens[-model.context :])[None])[0, -1].detach())", "int(model(torch.tensor(tokens[-model.context :])[None])[0, -1].argmax())"), loses=[GREEDY], says="never calls choose"),
    wrong("2.8c", "the temperature only without top_k", {"2.8c sample": "scores = logits / temperature\nif top_k is not None:\n    scores = logits.masked_fill(logits < logits.topk(top_k).values[-1], -math.inf)\nreturn int(torch.multinomial(torch.softmax(scores, dim=-1), 1))"}, loses=[LIKELIEST], says="as if the temperature were 1"),
]

SAME_LOGITS, STEP_WORK = "the same logits as the whole model", "the work of a step does not grow"
STEP_BY_STEP = """
place = len(cache[0][0]) if cache else 0
x = model.tokens.weight[token] + model.places.weight[place]
for number, block in enumerate(model.blocks):
    heads, y = block.self_attn, block.norm1(x)
    q, k, v = (proj(y).view(model.n_heads, -1) for proj in (heads.q_proj, heads.k_proj, heads.v_proj))
    keys, values = k[None], v[None]
    if place:
        keys, values = torch.cat((cache[number][0], keys)), torch.cat((cache[number][1], values))
        cache[number] = keys, values
    else:
        cache.append((keys, values))
    scores = torch.einsum("hd,nhd->hn", q, keys) / math.sqrt(q.shape[1])
    x = x + heads.out_proj(torch.einsum("hn,nhd->hd", scores.softmax(dim=1), values).flatten())
    x = x + block.linear2(torch.relu(block.linear1(block.norm2(x))))
return model.norm(x) @ model.tokens.weight.T
"""


def steps(old: str, new: str) -> dict[str, str]:
    assert old in STEP_BY_STEP, old
    return {"2.8d": STEP_BY_STEP.replace(old, new)}


EXAMPLES += [
    right("2.8d", "a dict in the list, batch axes kept, scaled_dot_product_attention", {"2.8d": """
    if not cache:
        cache.append({"n": 0})
    kept = cache[0]
    x = (model.tokens(torch.tensor([token])) + model.places(torch.tensor([kept["n"]])))[None]
    for number, block in enumerate(model.blocks):
        y, a = block.norm1(x), block.self_attn
        q, k, v = (p(y).view(1, 1, model.n_heads, -1).transpose(1, 2) for p in (a.q_proj, a.k_proj, a.v_proj))
        if number in kept:
            k, v = torch.cat([kept[number][0], k], 2), torch.cat([kept[number][1], v], 2)
        kept[number] = k, v
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(1, 1, -1)
        x = x + a.out_proj(mixed)
        x = x + block.linear2(block.linear1(block.norm2(x)).relu())
    kept["n"] += 1
    return (model.norm(x) @ model.tokens.weight.T)[0, 0]
    """}),
    right("2.8d", "a cache that is filled in place, a loop over heads", {"2.8d": """
    if not cache:
        cache.extend([[], []] for _ in model.blocks)
    x = model.tokens.weight[token] + model.places.weight[len(cache[0][0])]
    for (keys, values), block in zip(cache, model.blocks):
        a, y = block.self_attn, block.norm1(x)
        keys.append(a.k_proj(y)), values.append(a.v_proj(y))
        K, V, mixed = torch.stack(keys), torch.stack(values), []
        for q, k, v in zip(*(one.chunk(model.n_heads, -1) for one in (a.q_proj(y), K, V))):
            mixed.append((k @ q / len(q) ** 0.5).softmax(0) @ v)
        x = x + a.out_proj(torch.cat(mixed))
        x = x + block.linear2(block.linear1(block.norm2(x)).relu())
    return model.tokens.weight @ model.norm(x)
    """}),
    wrong("2.8d", "the tokens are cached and all is computed anew", {"2.8d": "cache.append(token)\nreturn model(torch.tensor([cache]))[0, -1]"}, loses=[STEP_WORK], shows="curve", says="grows with the square of its length"),
    wrong("2.8d", "no cache", {"2.8d": "return model(torch.tensor([[token]]))[0, -1]"}, loses=[SAME_LOGITS, STEP_WORK], says="keep their keys and values"),
    wrong("2.8d", "places forgotten", steps(" + model.places.weight[place]", ""), loses=[SAME_LOGITS, STEP_WORK], says="places are not added"),
    wrong("2.8d", "always place 0", steps("model.places.weight[place]", "model.places.weight[0]"), loses=[SAME_LOGITS, STEP_WORK], says="differ"),
    wrong("2.8d", "the last norm is missing", steps("return model.norm(x) @", "return x @"), loses=[SAME_LOGITS, STEP_WORK], says="last norm is missing"),
    wrong("2.8d", "the cache holds the last token alone", steps("cache[number] = keys, values", "cache[number] = k[None], v[None]"), loses=[SAME_LOGITS, STEP_WORK], says="differ"),
    wrong("2.8d", "keys and values computed anew from cached inputs", {"2.8d": """
    place = len(cache[0]) if cache else 0
    x = model.tokens.weight[token] + model.places.weight[place]
    for number, block in enumerate(model.blocks):
        a, y = block.self_attn, block.norm1(x)
        if place:
            cache[number] = torch.cat((cache[number], y[None]))
        else:
            cache.append(y[None])
        q = a.q_proj(y).view(model.n_heads, -1)
        K, V = (p(cache[number]).view(place + 1, model.n_heads, -1) for p in (a.k_proj, a.v_proj))
        w = (torch.einsum("hd,nhd->hn", q, K) / q.shape[1] ** 0.5).softmax(1)
        x = x + a.out_proj(torch.einsum("hn,nhd->hd", w, V).flatten())
        x = x + block.linear2(block.linear1(block.norm2(x)).relu())
    return model.norm(x) @ model.tokens.weight.T
    """}, loses=[STEP_WORK], shows="curve", says="grows with the square of its length"),
    wrong("2.8d", "no scale", steps(" / math.sqrt(q.shape[1])", ""), loses=[SAME_LOGITS, STEP_WORK], says="not divided by √d_head"),
    wrong("2.8d", "scaled by d_model", steps("math.sqrt(q.shape[1])", "math.sqrt(q.numel())"), loses=[SAME_LOGITS, STEP_WORK], says="divided by √d_model"),
    wrong("2.8d", "places from 1", steps("model.places.weight[place]", "model.places.weight[place + 1]"), loses=[SAME_LOGITS, STEP_WORK], says="Places count from 1"),
    wrong("2.8d", "softmax over the heads", steps("softmax(dim=1)", "softmax(dim=0)"), loses=[SAME_LOGITS, STEP_WORK], says="runs over the heads"),
    wrong("2.8d", "norm1 forgotten", steps("block.norm1(x)", "x"), loses=[SAME_LOGITS, STEP_WORK], says="norm1 is missing"),
    wrong("2.8d", "no ReLU", steps("torch.relu(block.linear1(block.norm2(x)))", "block.linear1(block.norm2(x))"), loses=[SAME_LOGITS, STEP_WORK], says="The ReLU between"),
    wrong("2.8d", "no residual connection around the attention", steps("x = x + heads.out_proj", "x = heads.out_proj"), loses=[SAME_LOGITS, STEP_WORK], says="around the attention is missing"),
    wrong("2.8d", "no residual connection around the network", steps("x = x + block.linear2", "x = block.linear2"), loses=[SAME_LOGITS, STEP_WORK], says="around the network is missing"),
    wrong("2.8d", "out_proj forgotten", steps("heads.out_proj(torch.einsum(\"hn,nhd->hd\", scores.softmax(dim=1), values).flatten())", "torch.einsum(\"hn,nhd->hd\", scores.softmax(dim=1), values).flatten()"), loses=[SAME_LOGITS, STEP_WORK], says="out_proj is missing"),
    wrong("2.8d", "heads interleaved", steps("(proj(y).view(model.n_heads, -1)", "(proj(y).view(-1, model.n_heads).T"), loses=[SAME_LOGITS, STEP_WORK], says="Heads are interleaved"),
    wrong("2.8d", "one head", steps("view(model.n_heads, -1)", "view(1, -1)"), loses=[SAME_LOGITS, STEP_WORK], says="There is one head"),
    wrong("2.8d", "probabilities", steps("return model.norm(x) @ model.tokens.weight.T", "return (model.norm(x) @ model.tokens.weight.T).softmax(-1)"), loses=[SAME_LOGITS, STEP_WORK], says="return the logits"),
    wrong("2.8d", "kept in the model, not in the cache", {"2.8d": "if not cache:\n    model.kept = []\n    cache.append(1)\ncache = model.kept\n" + STEP_BY_STEP}, loses=[SAME_LOGITS], says="Keep all that a later call needs in `cache`"),
    right("2.8d", "a cache of full size from the start", {"2.8d": """
    if not cache:
        cache += [0, torch.zeros(len(model.blocks), 2, *model.places.weight.shape)]
    place, kept = cache
    cache[0] += 1
    x = model.tokens.weight[token] + model.places.weight[place]
    for number, block in enumerate(model.blocks):
        a, y = block.self_attn, block.norm1(x)
        kept[number, 0, place], kept[number, 1, place] = a.k_proj(y), a.v_proj(y)
        q, K, V = (p.unflatten(-1, (model.n_heads, -1)) for p in (a.q_proj(y), *kept[number, :, : place + 1]))
        w = (torch.einsum("hd,nhd->hn", q, K) / q.shape[1] ** 0.5).softmax(1)
        x = x + a.out_proj(torch.einsum("hn,nhd->hd", w, V).flatten())
        x = x + block.linear2(block.linear1(block.norm2(x)).relu())
    return model.norm(x) @ model.tokens.weight.T
    """}),
]
