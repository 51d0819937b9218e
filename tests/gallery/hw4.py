"""hw4's gallery. A region's text replaces the solution in the source; see autograder/author/gallery.py.

Checkpoints are made from the reference's. Examples of one row share a notebook, and 4.7 runs the row's own model: so the
first rows of 4.4, 4.5 and 4.7 belong together, and rows whose 4.7 depends on loaded weights have models that fit them.
"""

import io
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import torch

from autograder.author.gallery import right, wrong

ON_HIDDEN_IMAGES = "only the hidden images tell how well the weights do, which the check cell does not have"
IN_THE_LOG = "the claim stands in the log alone, which the check cell does not read"

FILE = "hw4_vision_transformer.pt"
KEPT = Path(__file__).resolve().parents[2] / "solutions" / FILE

# --- 4.1 and 4.2 ------------------------------------------------------------------------------------------------------

CUT = """
    b, _, H, W = images.shape
    p = patch_size
    grid = images.reshape(b, H // p, p, W // p, p)
    return grid.permute({order}).reshape(b, -1, p * p)
"""
GLUE = """
    p = patch_size
    grid = patches.reshape(-1, height // p, width // p, p, p)
    return grid.permute({order}).reshape(-1, 1, height, width)
"""
UNFOLD_CUT = "    return F.unfold(images, patch_size, stride=patch_size).transpose(1, 2)"
FOLD = "    return F.fold(patches.transpose(1, 2), (height, width), patch_size, stride=patch_size)"
LOOP = """
    p, pieces = patch_size, []
    for top in range(0, images.shape[2], p):
        for left in range(0, images.shape[3], p):
            pieces.append(images[:, 0, top:top + p, left:left + p].flatten(1))
    return torch.stack(pieces, dim=1)
"""
CUTS, GLUES = "images are cut into patches", "patches are put back without loss"
UNFOLD, CONVOLVE = "unfold and a linear map", "a strided convolution"


def patches(cut: str = LOOP, glue: str = FOLD) -> dict[str, str]:
    return {"4.1 cut": cut, "4.1 glue": glue}


def embedding(unfold: str | None = None, convolution: str | None = None, name: str | None = None) -> dict[str, str]:
    given = {"4.2 unfold": unfold, "4.2 convolution": convolution, "4.2 name": name and f'patch_convolution = "{name}"'}
    return {label: text for label, text in given.items() if text is not None}


EXAMPLES = [
    right("4.1", "with unfold and fold", patches(UNFOLD_CUT)),
    right("4.1", "a loop over patches, and einops-like six axes", patches(LOOP, GLUE.format(order="0, 1, 3, 2, 4"))),
    wrong("4.1", "plain reshapes", patches("    return images.reshape(len(images), -1, patch_size**2)", "    return patches.reshape(-1, 1, height, width)"), loses=[CUTS, GLUES], says="A plain reshape cuts each image into strips"),
    wrong("4.1", "down the columns first", patches(CUT.format(order="0, 3, 1, 2, 4"), "    p = patch_size\n    return patches.reshape(-1, width // p, height // p, p, p).permute(0, 2, 3, 1, 4).reshape(-1, 1, height, width)"), loses=[CUTS, GLUES], says="run down the columns first"),
    wrong("4.1", "pixels transposed in each patch", patches(CUT.format(order="0, 1, 3, 4, 2"), GLUE.format(order="0, 1, 4, 2, 3")), loses=[CUTS, GLUES], says="rows and columns of pixels are swapped"),
    wrong("4.1", "always 7 by 7 patches of 4 by 4", patches("    return images.reshape(-1, 7, 4, 7, 4).permute(0, 1, 3, 2, 4).reshape(-1, 49, 16)"), loses=[CUTS], says="raised RuntimeError"),
    wrong("4.1", "patch and pixel axes swapped", patches("    return F.unfold(images, patch_size, stride=patch_size)"), loses=[CUTS], says="has shape"),
    wrong("4.1", "the channel axis forgotten", patches(LOOP, FOLD + "[:, 0]"), loses=[GLUES], says="has shape"),
    # 4.2
    right("4.2", "einsum on unfolded patches, convolution with views", embedding(
        '    return torch.einsum("bkn,dk->bnd", F.unfold(images, p, stride=p), weight) + bias',
        "    tokens = F.conv2d(images, weight.view(len(weight), 1, p, p), stride=(p, p))\n    return tokens.reshape(len(images), len(weight), -1).permute(0, 2, 1) + bias", "c",
    )),
    right("4.2", "Tensor.unfold twice", embedding(
        "    grid = images[:, 0].unfold(1, p, p).unfold(2, p, p)\n    return grid.reshape(len(images), -1, p * p) @ weight.T + bias",
    )),
    wrong("4.2", "no bias", embedding("    return F.unfold(images, p, stride=p).transpose(1, 2) @ weight.T", "    return F.conv2d(images, weight.reshape(-1, 1, p, p), stride=p).flatten(2).transpose(1, 2)"), loses=[UNFOLD, CONVOLVE], says="The bias is missing"),
    wrong("4.2", "patches as columns, kernels transposed", embedding("    x = F.unfold(images.transpose(2, 3), p, stride=p).transpose(1, 2)\n    return F.linear(x, weight.reshape(-1, p, p).transpose(1, 2).flatten(1), bias)", "    return F.conv2d(images, weight.reshape(-1, 1, p, p).transpose(2, 3), bias, stride=p).flatten(2).transpose(1, 2)", "B"), loses=[UNFOLD, CONVOLVE, "patch_convolution"], says="Rows and columns of each kernel are swapped"),
    wrong("4.2", "stride 1", embedding("    return F.linear(F.unfold(images, p).transpose(1, 2), weight, bias)", "    return F.conv2d(images, weight.reshape(-1, 1, p, p), bias).flatten(2).transpose(1, 2)", "A"), loses=[UNFOLD, CONVOLVE, "patch_convolution"], says="the windows overlap"),
    wrong("4.2", "channels stay before places; kernels mirrored", embedding("    return F.linear(F.unfold(images, p, stride=p).transpose(1, 2), weight.flip(1), bias)", "    return F.conv2d(images, weight.reshape(-1, 1, p, p), bias, stride=p).flatten(2)", "D"), loses=[UNFOLD, CONVOLVE, "patch_convolution"], says="mirrored"),
    wrong("4.2", "the convolution is the other function", embedding(convolution="    return embed_by_unfold(images, weight, bias)"), loses=[CONVOLVE], says="runs no convolution"),
    wrong("4.2", "the unfolding is the other function", embedding("    return embed_by_convolution(images, weight, bias)"), loses=[UNFOLD], says="The question asks for F.unfold and F.linear"),
    wrong("4.2", "a convolution that has no part in the tokens", embedding(convolution="    F.conv2d(images, torch.zeros(1, 1, p, p), stride=p)\n    return embed_by_unfold(images, weight, bias)"), loses=[CONVOLVE], says="the tokens have"),
    right("4.1", "kernels of ones and zeros, float32", patches("    p = patch_size\n    eye = torch.eye(p * p, dtype=torch.float32).reshape(p * p, 1, p, p)\n    return F.conv2d(images, eye, stride=p).flatten(2).mT")),
    # 4.3
]

TOKENS, PARTS, TOTAL = "class token first, positions after", "parameters of the parts", "parameters in total"
RIGHT_COUNTS = {"patch_embedding": "9456", "tokens": "288", "block": "18960", "total": "67210"}


def tokens(forward: str | None = None, init: str | None = None, **counts: object) -> dict[str, str]:
    given = {"4.3 forward": forward and f"        {forward}", "4.3 init": init}
    given["4.3 counts"] = "\n".join(f"count_{name} = {value}" for name, value in (RIGHT_COUNTS | counts).items())
    return {label: text for label, text in given.items() if text is not None}


FLAT_TABLES = "        self.class_token = nn.Parameter(torch.zeros(dim))\n        self.positions = nn.Parameter(torch.zeros(1 + patches, dim))"
EXAMPLES += [
    right("4.3", "tables without axes of size 1", tokens("first = self.class_token.repeat(len(tokens), 1, 1)\n        return torch.cat((first, tokens), 1) + self.positions[None]", FLAT_TABLES)),
    right("4.3", "added in two pieces, counts as floats", tokens("first = self.class_token + self.positions[:, :1]\n        return torch.cat([first.expand(len(tokens), -1, -1), tokens + self.positions[:, 1:]], dim=1)", total="67210.0")),
    wrong("4.3", "positions as an nn.Embedding", {"4.3 init": "        self.class_token = nn.Parameter(torch.randn(1, 1, dim))\n        self.positions = nn.Embedding(1 + patches, dim)", "4.3 forward": "        return torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1) + self.positions.weight"}, loses=[TOKENS], says="is a layer (Embedding)"),
    wrong("4.3", "class token last, biases forgotten", tokens("return torch.cat([tokens, self.class_token.expand(len(tokens), -1, -1)], dim=1) + self.positions", patch_embedding=9408, block=18624), loses=[TOKENS, PARTS], says="The class token comes last"),
    wrong("4.3", "no positions, no layer norms", tokens("return torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)", block=18768, total=67114), loses=[TOKENS, PARTS, TOTAL], says="The positions are not added"),
    wrong("4.3", "positions added before, no position for the class token", tokens("return torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens + self.positions[:, 1:]], dim=1)", tokens=192), loses=[TOKENS, PARTS], says="Add them after"),
    wrong("4.3", "positions shifted by one, heads counted", tokens("return torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens + self.positions[:, :-1]], dim=1)", block=47184, total=29290), loses=[TOKENS, PARTS, TOTAL], says="heads add no parameters"),
    wrong("4.3", "zeros instead of the class token", tokens("return torch.cat([torch.zeros_like(tokens[:, :1]), tokens], dim=1) + self.positions", total=66720.5), loses=[TOKENS, TOTAL], says="put your parameter in front"),
    wrong("4.3", "counted for 4×4 patches", tokens(patch_embedding="16 * 48 + 48", tokens="48 + 50 * 48", total="816 + 2448 + 3 * 18960 + 96 + 490"), loses=[PARTS, TOTAL], says="that is with 4×4 patches", visible="the numbers are the answer, and a check cell that knew them would give them away"),
    wrong("4.3", "positions for the patches alone", tokens(init="        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))\n        self.positions = nn.Parameter(torch.zeros(1, patches, dim))", tokens="None"), loses=[TOKENS, PARTS], says="positions has shape"),
    wrong("4.3", "a class token that is drawn anew", tokens("return torch.cat([torch.randn_like(tokens[:, :1]), tokens], dim=1) + self.positions"), loses=[TOKENS], says="so forward draws random numbers"),
]

# --- 4.4 --------------------------------------------------------------------------------------------------------------

FUSED_INIT = "        self.qkv = nn.Linear(dim, 3 * dim)\n        self.out = nn.Linear(dim, dim)"
FUSED = """
        b, n, dim = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.mT * (dim // self.heads) ** -0.5, dim=-1)
        output = self.out((weights @ v).permute(0, 2, 1, 3).flatten(2))
        return (output, weights) if return_weights else output
"""
EINSUM = """
        b, n, dim = x.shape
        q, k, v = (layer(x).view(b, n, self.heads, -1) for layer in (self.query, self.key, self.value))
        weights = (torch.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5).softmax(-1)
        output = self.out(torch.einsum("bhqk,bkhd->bqhd", weights, v).reshape(b, n, dim))
        if return_weights:
            return output, weights
        return output
"""
CHUNKS = """
        size, outputs, maps = x.shape[-1] // self.heads, [], []
        q, k, v = self.query(x), self.key(x), self.value(x)
        for a, b, c in zip(q.split(size, -1), k.split(size, -1), v.split(size, -1)):
            maps.append((a @ b.transpose(1, 2) / math.sqrt(size)).softmax(-1))
            outputs.append(maps[-1] @ c)
        output = self.out(torch.cat(outputs, -1))
        return (output, torch.stack(maps, 1)) if return_weights else output
"""
LIBRARY = """
        b, n, dim = x.shape
        q, k, v = (layer(x).view(b, n, self.heads, -1).transpose(1, 2) for layer in (self.query, self.key, self.value))
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        output = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, dim))
        return (output, weights) if return_weights else output
"""
ATTENTION, MAPS = "equals multi-head attention with injected weights", "returns the attention weights on demand"


def attention(scale: str = "math.sqrt(dim // self.heads)", split: str = "reshape(split).transpose(1, 2)", merge: str = "transpose(1, 2).reshape(batch, n, dim)", axis: str = "-1", out: str = "self.out(mixed)", weights: str = "weights", heads: str = "self.heads") -> dict[str, str]:
    return {"4.4a forward": f"""
        batch, n, dim = x.shape
        split = (batch, n, {heads}, dim // {heads})
        q, k, v = (layer(x).{split} for layer in (self.query, self.key, self.value))
        weights = (q @ k.transpose(-2, -1) / {scale}).softmax(dim={axis})
        mixed = (weights @ v).{merge}
        output = {out}
        return (output, {weights}) if return_weights else output
    """}


EXAMPLES += [
    right("4.4a", "one fused map", {"4.4a init": FUSED_INIT, "4.4a forward": FUSED}),
    right("4.4a", "einsum", {"4.4a forward": EINSUM}),
    right("4.4a", "a loop over heads", {"4.4a forward": CHUNKS}),
    wrong("4.4a", "no scale", attention(scale="1.0"), loses=[ATTENTION, MAPS], says="The scores are not scaled"),
    wrong("4.4a", "scale of the whole dim", attention(scale="math.sqrt(dim)"), loses=[ATTENTION, MAPS], says="You divided by √dim"),
    wrong("4.4a", "softmax over queries", attention(axis="-2"), loses=[ATTENTION, MAPS], shows="attention", says="softmax is over the queries"),
    wrong("4.4a", "heads interleaved", attention(split="reshape(batch, n, dim // self.heads, self.heads).permute(0, 3, 1, 2)", merge="permute(0, 2, 3, 1).reshape(batch, n, dim)"), loses=[ATTENTION, MAPS], says="and merged in that way"),
    wrong("4.4a", "features dealt out to heads, merged in blocks", attention(split="reshape(batch, n, dim // self.heads, self.heads).permute(0, 3, 1, 2)"), loses=[ATTENTION, MAPS], says="distributed to the heads one by one"),
    wrong("4.4a", "heads not merged", attention(merge="reshape(batch, n, dim)"), loses=[ATTENTION, MAPS], says="The heads are not merged correctly"),
    wrong("4.4a", "no output map", attention(out="mixed"), loses=[ATTENTION, MAPS], says="The output map `out` is missing"),
    wrong("4.4a", "one head", attention(heads="1"), loses=[ATTENTION, MAPS], says="in one head"),
    wrong("4.4a", "weights averaged over heads", attention(weights="weights.mean(1)"), loses=[MAPS], says="has shape"),
    wrong("4.4a", "a naive softmax", attention() | {"4.4a forward": attention()["4.4a forward"].replace(".softmax(dim=-1)", "").replace("mixed =", "weights = weights.exp() / weights.exp().sum(-1, keepdim=True)\n        mixed =")}, loses=[ATTENTION], says="e^score has overflowed"),
    wrong("4.4a", "maps without bias", {"4.4a init": "        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))\n        self.out = nn.Linear(dim, dim)"}, loses=[ATTENTION, MAPS], says="it has no parameter query.bias"),
    right("4.4a", "torch's own function, which is noted for the instructor", {"4.4a forward": LIBRARY}, noted="uses `scaled_dot_product_attention`"),
    wrong("4.4a", "torch's own module, which is noted and takes no injected weights", {"4.4a init": "        self.inner = nn.MultiheadAttention(dim, heads, batch_first=True)", "4.4a forward": "        output, weights = self.inner(x, x, x, average_attn_weights=False)\n        return (output, weights) if return_weights else output"}, loses=[ATTENTION, MAPS], says="it has no parameter", noted="uses `MultiheadAttention`"),
    wrong("4.4a", "heads split by one reshape", attention(split="reshape(batch, self.heads, n, -1)"), loses=[ATTENTION, MAPS], says="at once mixes tokens"),
    wrong("4.4a", "divided by the root of the number of heads", attention(scale="math.sqrt(self.heads)"), loses=[ATTENTION, MAPS], says="the root of the number of heads"),
    *(
        wrong("4.4a", name, {"4.4a forward": attention()["4.4a forward"].replace(old, new)}, loses=loses, says=says)
        for name, old, new, loses, says in (
            ("no softmax", ".softmax(dim=-1)", "", [ATTENTION, MAPS], "the softmax is missing"),
            ("a sigmoid", ".softmax(dim=-1)", ".sigmoid()", [ATTENTION, MAPS], "a sigmoid of each score"),
            ("ReLU in place of the softmax", ".softmax(dim=-1)", ".relu()", [ATTENTION, MAPS], "The weights are relu(score)"),
            ("scores clipped", ".softmax(dim=-1)", ".clamp(-30, 30).softmax(dim=-1)", [ATTENTION], "The scores are clipped"),
            ("keys by the queries' map", "(self.query, self.key, self.value)", "(self.query, self.query, self.value)", [ATTENTION, MAPS], "come from one map (query, …)"),
            ("queries by the keys' map", "(self.query, self.key, self.value)", "(self.key, self.key, self.value)", [ATTENTION, MAPS], "come from one map (key, …)"),
            ("heads not moved before the tokens", ".reshape(split).transpose(1, 2)", ".reshape(split)", [ATTENTION, MAPS], "The heads of one token attend to each other"),
            ("the norm inside", "(layer(x).", "(layer(F.layer_norm(x, (dim,))).", [ATTENTION, MAPS], "The norm belongs to the block"),
            ("the maps transposed", "(output, weights) if", "(output, weights.mT) if", [MAPS], "but transposed"),
            ("the output map twice", "self.out(mixed)", "self.out(self.out(mixed))", [ATTENTION, MAPS], "is applied twice"),
            ("dropout that is always on", "mixed = (weights @ v)", "mixed = (F.dropout(weights, 0.1) @ v)", [ATTENTION, MAPS], "F.dropout is on unless it is told"),
        )
    ),
    wrong("4.4a", "softmax over heads", attention(axis="1"), loses=[ATTENTION, MAPS], says="softmax is over the heads"),
    wrong("4.4a", "a softmax over the whole map", {"4.4a forward": attention()["4.4a forward"].replace(".softmax(dim=-1)", ".flatten(-2).softmax(-1).reshape(batch, self.heads, n, n)")}, loses=[ATTENTION, MAPS], says="over the whole map"),
]

BLOCK, HANDED = "equals a pre-norm block with injected weights", "hands the attention weights on"


def block(*lines: str, init: str | None = None, last: str = "(x, weights) if return_weights else x") -> dict[str, str]:
    text = "\n".join(f"        {line}" for line in (*lines, f"return {last}"))
    return {"4.4b forward": text} | ({"4.4b init": init} if init else {})


ATTEND, ADD, THINK = "attended, weights = self.attention(self.norm1(x), return_weights=True)", "x = x + attended", "x = x + self.mlp(self.norm2(x))"
BLOCK_INIT = "        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)\n        self.mlp = nn.Sequential({})"
EXAMPLES += [
    right("4.4b", "dropout of 0 in the MLP, sums written out", block(ATTEND, "y = attended + x", "y = self.mlp(self.norm2(y)) + y", last="(y, weights) if return_weights else y", init=BLOCK_INIT.format("nn.Linear(dim, mlp_dim), nn.GELU(), nn.Dropout(0.0), nn.Linear(mlp_dim, dim), nn.Dropout(0.0)"))),
    right("4.4b", "the weights asked for only when needed", block("if not return_weights:", "    x = x + self.attention(self.norm1(x))", "    return x + self.mlp(self.norm2(x))", ATTEND, ADD, THINK)),
    wrong("4.4b", "post-norm", block("attended, weights = self.attention(x, return_weights=True)", "x = self.norm1(x + attended)", "x = self.norm2(x + self.mlp(x))"), loses=[BLOCK, HANDED], says="That is post-norm"),
    wrong("4.4b", "no first norm", block("attended, weights = self.attention(x, return_weights=True)", ADD, THINK), loses=[BLOCK, HANDED], shows="attention", says="`norm1` is missing"),
    wrong("4.4b", "no second norm", block(ATTEND, ADD, "x = x + self.mlp(x)"), loses=[BLOCK, HANDED], says="`norm2` is missing"),
    wrong("4.4b", "the first norm twice", block(ATTEND, ADD, "x = x + self.mlp(self.norm1(x))"), loses=[BLOCK, HANDED], says="uses `norm1` again"),
    wrong("4.4b", "no first residual", block(ATTEND, "x = attended", THINK), loses=[BLOCK, HANDED], says="The first residual is missing"),
    wrong("4.4b", "no second residual", block(ATTEND, ADD, "x = self.mlp(self.norm2(x))"), loses=[BLOCK, HANDED], says="The second residual is missing"),
    wrong("4.4b", "the normalized x is carried on", block("x = self.norm1(x)", "attended, weights = self.attention(x, return_weights=True)", ADD, "x = self.norm2(x)", "x = x + self.mlp(x)"), loses=[BLOCK, HANDED], says="You add to the normalized x"),
    wrong("4.4b", "ReLU", block(ATTEND, ADD, THINK, init=BLOCK_INIT.format("nn.Linear(dim, mlp_dim), nn.ReLU(), nn.Linear(mlp_dim, dim)")), loses=[BLOCK, HANDED], says="activation is ReLU"),
    wrong("4.4b", "SiLU", block(ATTEND, ADD, THINK, init=BLOCK_INIT.format("nn.Linear(dim, mlp_dim), nn.SiLU(), nn.Linear(mlp_dim, dim)")), loses=[BLOCK, HANDED], says="activation is SiLU"),
    wrong("4.4b", "tanh for GELU", block(ATTEND, ADD, THINK, init=BLOCK_INIT.format("nn.Linear(dim, mlp_dim), nn.Tanh(), nn.Linear(mlp_dim, dim)")), loses=[BLOCK, HANDED], says="activation is tanh"),
    wrong("4.4b", "a GELU at the end, too", block(ATTEND, ADD, THINK, init=BLOCK_INIT.format("nn.Linear(dim, mlp_dim), nn.GELU(), nn.Linear(mlp_dim, dim), nn.GELU()")), loses=[BLOCK, HANDED], says="A second GELU follows"),
    wrong("4.4b", "GELU by tanh", block(ATTEND, ADD, THINK, init=BLOCK_INIT.format("nn.Linear(dim, mlp_dim), nn.GELU('tanh'), nn.Linear(mlp_dim, dim)")), loses=[BLOCK, HANDED], says="tanh approximation"),
    wrong("4.4b", "attention twice", block(ATTEND, ADD, "x = x + self.attention(self.norm1(x))", THINK), loses=[BLOCK, HANDED], says="Attention is applied twice"),
    wrong("4.4b", "attention added twice", block(ATTEND, ADD, ADD, THINK), loses=[BLOCK, HANDED], says="is added twice"),
    wrong("4.4b", "no norms", block("attended, weights = self.attention(x, return_weights=True)", ADD, "x = x + self.mlp(x)"), loses=[BLOCK, HANDED], says="Both norms are missing"),
    wrong("4.4b", "no residuals", block(ATTEND, "x = self.mlp(self.norm2(attended))"), loses=[BLOCK, HANDED], says="Both residuals are missing"),
    wrong("4.4b", "the MLP first", block(THINK, ATTEND, ADD), loses=[BLOCK, HANDED], says="The MLP comes first"),
    wrong("4.4b", "a norm at the end", block(ATTEND, ADD, THINK, "x = self.norm2(x)"), loses=[BLOCK, HANDED], says="applied again at the end of the block"),
    wrong("4.4b", "no activation", block(ATTEND, ADD, THINK, init=BLOCK_INIT.format("nn.Linear(dim, mlp_dim), nn.Linear(mlp_dim, dim)")), loses=[BLOCK, HANDED], says="no activation"),
    wrong("4.4b", "the second residual from the block's input", block(ATTEND, "y = x + attended", "x = x + self.mlp(self.norm2(y))"), loses=[BLOCK, HANDED], says="so the output of attention is lost"),
    wrong("4.4b", "weights kept to itself", block("x = x + self.attention(self.norm1(x))", THINK, last="x"), loses=[HANDED], says="should return 2 things"),
    wrong("4.4b", "torch's own layer, which is noted and takes no injected weights", block(init="        self.layer = nn.TransformerEncoderLayer(dim, heads, mlp_dim, 0.0, nn.GELU(), batch_first=True, norm_first=True)", last="self.layer(x)"), loses=[BLOCK, HANDED], says="it has no parameter", noted="uses `TransformerEncoderLayer`"),
]

# --- 4.5 --------------------------------------------------------------------------------------------------------------

LOGITS, DEFAULTS, GRADIENTS, ALL_MAPS = "logits with injected weights", "configuration and parameter count", "gradients reach every parameter", "attention maps of all blocks"
MODEL_INIT = """
        self.patch_embedding = {embedding}
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + patches, dim))
        self.blocks = nn.ModuleList(block(dim, heads, mlp_dim) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.head = {head}
"""


def model(tokens: str = "self.patch_embedding(F.unfold(images, self.patch_size, stride=self.patch_size).transpose(1, 2))", join: str = "torch.cat([first, tokens], dim=1) + self.positions", blocks: str = "self.blocks", logits: str = "self.head(self.norm(x[:, 0]))", maps: str = "torch.stack(maps, dim=1)", init: str | None = None) -> dict[str, str]:
    forward = f"""
        tokens = {tokens}
        first = self.class_token.expand(len(images), -1, -1)
        x = {join}
        maps = []
        for block in {blocks}:
            x, weights = block(x, return_weights=True)
            maps.append(weights)
        logits = {logits}
        return (logits, {maps}) if return_weights else logits
    """
    return {"4.5 forward": forward} | ({"4.5 init": init} if init else {})


LINEAR, CONVOLUTION, HEAD = "nn.Linear(patch_size**2, dim)", "nn.Conv2d(1, dim, patch_size, patch_size)", "nn.Linear(dim, classes)"
GRID = "images.reshape(len(images), images.shape[2] // self.patch_size, self.patch_size, -1, self.patch_size)"
EXAMPLES += [
    right("4.5", "a convolution embeds the patches", model("self.patch_embedding(images).flatten(2).transpose(1, 2)", init=MODEL_INIT.format(embedding=CONVOLUTION, head=HEAD))),
    right("4.5", "patches by reshape, norm on all tokens", model(f"self.patch_embedding({GRID}.permute(0, 1, 3, 2, 4).flatten(1, 2).flatten(2))", logits="self.head(self.norm(x)[:, 0])")),
    wrong("4.5", "patches down the columns", model(f"self.patch_embedding({GRID}.permute(0, 3, 1, 2, 4).flatten(1, 2).flatten(2))"), loses=[LOGITS, ALL_MAPS], says="run down the columns first"),
    wrong("4.5", "class token last", model(join="torch.cat([tokens, first], dim=1) + self.positions", logits="self.head(self.norm(x[:, -1]))"), loses=[LOGITS, ALL_MAPS], says="The class token comes last"),
    wrong("4.5", "no positions", model(join="torch.cat([first, tokens], dim=1)"), loses=[LOGITS, ALL_MAPS, GRADIENTS], says="The positions are not added"),
    wrong("4.5", "positions before the class token", model(join="torch.cat([first, tokens + self.positions[:, 1:]], dim=1)"), loses=[LOGITS, ALL_MAPS], says="Add them after"),
    wrong("4.5", "the mean is classified", model(logits="self.head(self.norm(x).mean(1))"), loses=[LOGITS, ALL_MAPS], says="You classify the mean of all tokens"),
    wrong("4.5", "the norm of the mean is classified", model(logits="self.head(self.norm(x.mean(1)))"), loses=[LOGITS, ALL_MAPS], says="You classify the norm of the mean"),
    wrong("4.5", "the last token is classified", model(logits="self.head(self.norm(x[:, -1]))"), loses=[LOGITS, ALL_MAPS], says="You classify the last token"),
    wrong("4.5", "no last norm", model(logits="self.head(x[:, 0])"), loses=[LOGITS, ALL_MAPS, GRADIENTS], says="The last layer norm is missing"),
    wrong("4.5", "squeezed, so one image loses its axis", model(logits="self.head(self.norm(x[:, 0])).squeeze()"), loses=[LOGITS], says="expected (1, "),
    wrong("4.5", "the mean of the patches is classified", model(logits="self.head(self.norm(x[:, 1:].mean(1)))"), loses=[LOGITS, ALL_MAPS], says="the mean of the patches"),
    wrong("4.5", "only the first block runs", model(blocks="self.blocks[:1]"), loses=[LOGITS, ALL_MAPS, GRADIENTS], says="Only one block is applied"),
    wrong("4.5", "probabilities", model(logits="self.head(self.norm(x[:, 0])).softmax(-1)"), loses=[LOGITS, ALL_MAPS], says="Return the logits"),
    wrong("4.5", "the class token detached", model(join="torch.cat([first.detach(), tokens], dim=1) + self.positions"), loses=[GRADIENTS], says="No gradient reaches `class_token`"),
    wrong("4.5", "the last block's map alone", model(maps="maps[-1]"), loses=[ALL_MAPS], says="has shape"),
    wrong("4.5", "no bias in the embedding", model(init=MODEL_INIT.format(embedding="nn.Linear(patch_size**2, dim, bias=False)", head=HEAD)), loses=[LOGITS, ALL_MAPS, GRADIENTS, DEFAULTS], says="`patch_embedding` has 1,024 parameters, expected 1,088"),
    wrong("4.5", "a head with a hidden layer", model(init=MODEL_INIT.format(embedding=LINEAR, head="nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, classes))")), loses=[LOGITS, ALL_MAPS, GRADIENTS, DEFAULTS], says="it has no parameter head.weight"),
    wrong("4.5", "torch's own encoder in the place of the blocks, which is noted", model(blocks="[]", join="self.blocks(torch.cat([first, tokens], dim=1) + self.positions)", maps="tokens", init=MODEL_INIT.format(embedding=LINEAR, head=HEAD).replace("nn.ModuleList(block(dim, heads, mlp_dim) for _ in range(depth))", "nn.TransformerEncoder(nn.TransformerEncoderLayer(dim, heads, mlp_dim, batch_first=True), depth)")), loses=[LOGITS, ALL_MAPS, GRADIENTS], says="does not use its argument `block`", noted="uses `TransformerEncoder`"),
    wrong("4.5", "patches embedded without gradients", model("self.patch_embedding(F.unfold(images, self.patch_size, stride=self.patch_size).transpose(1, 2)).detach()"), loses=[GRADIENTS], says="No gradient reaches `patch_embedding.weight`"),
    wrong("4.5", "blocks of one's own class only", model(init=MODEL_INIT.format(embedding=LINEAR, head=HEAD).replace("block(dim", "EncoderBlock(dim")), loses=[LOGITS, ALL_MAPS, GRADIENTS], says="does not use its argument `block`"),
]

# --- 4.6 --------------------------------------------------------------------------------------------------------------

STEP, MODE, MEAN, LEAVES = "one step lowers the loss as SGD does", "the step is made in training mode", "mean loss and accuracy over all images", "evaluation changes nothing"
STEPS = ["model.train()", "optimizer.zero_grad()", "loss = F.cross_entropy(model(images), labels)", "loss.backward()", "optimizer.step()", "return loss.item()"]


def step(*lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines)


def evaluation(before: str = "model.eval()", after: str = "model.train(was)", batch: str = "batch_size", grad: str = "torch.no_grad()", loss: str = 'F.cross_entropy(z, y, reduction="sum").item()', right: str = "(z.argmax(1) == y).sum().item()", result: str = "loss / len(labels), right / len(labels)", data: str = "images.split(size), labels.split(size)") -> str:
    return f"""
    was, size = model.training, {batch}
    {before}
    loss, right, batches = 0.0, 0.0, 0
    with {grad}:
        for x, y in zip({data}):
            z = model(x)
            loss += {loss}
            right += {right}
            batches += 1
    {after}
    return {result}
    """


MEANS = {"loss": "F.cross_entropy(z, y).item()", "right": "(z.argmax(1) == y).double().mean().item()", "result": "loss / batches, right / batches"}
EXAMPLES += [
    right("4.6a", "negative log likelihood, a range of rows, one inference mode", {
        "4.6a step": step("optimizer.zero_grad(set_to_none=True)", "model.train(True)", "loss = -F.log_softmax(model(images), -1)[torch.arange(len(labels)), labels].mean()", "loss.backward()", "optimizer.step()", "return float(loss)"),
        "4.6a evaluate": evaluation(grad="torch.inference_mode()", loss="len(y) * F.cross_entropy(z, y).item()"),
    }),
    right("4.6a", "gradients clipped to length 1", {"4.6a step": step(*STEPS[:4], "nn.utils.clip_grad_norm_(model.parameters(), 1.0)", *STEPS[4:])}),
    wrong("4.6a", "gradients not cleared, averages averaged", {"4.6a step": step(*STEPS[:1], *STEPS[2:]), "4.6a evaluate": evaluation(**MEANS)}, loses=[STEP, MEAN], says="Old gradients were added to the new ones"),
    wrong("4.6a", "no training mode; mode not restored", {"4.6a step": step(*STEPS[1:]), "4.6a evaluate": evaluation(after="model.train()")}, loses=[MODE, LEAVES], says="`evaluate` did not restore the mode"),
    wrong("4.6a", "summed loss; evaluated in training mode", {"4.6a step": step(*STEPS[:2], 'loss = F.cross_entropy(model(images), labels, reduction="sum")', *STEPS[3:]), "4.6a evaluate": evaluation(before="model.train()")}, loses=[STEP, LEAVES], says="The loss is summed over the batch"),
    wrong("4.6a", "cleared between backward and step; with gradients", {"4.6a step": step(STEPS[0], STEPS[2], STEPS[3], STEPS[1], *STEPS[4:]), "4.6a evaluate": evaluation(grad="torch.enable_grad()")}, loses=[STEP, LEAVES], says="The weights did not change"),
    wrong("4.6a", "loss after the step; percent", {"4.6a step": step(*STEPS[:5], "return F.cross_entropy(model(images), labels).item()"), "4.6a evaluate": evaluation(result="loss / len(labels), 100 * right / len(labels)")}, loses=[STEP, MEAN], says="return the loss before it"),
    wrong("4.6a", "uphill; last batch dropped", {"4.6a step": step(*STEPS[:2], "loss = F.cross_entropy(model(images), labels)", "(-loss).backward()", *STEPS[4:]), "4.6a evaluate": "    was = model.training\n    model.eval()\n    loss, right, n = 0.0, 0, max(len(labels) // batch_size * batch_size, 1)\n    with torch.no_grad():\n        for x, y in zip(images[:n].split(batch_size), labels[:n].split(batch_size)):\n            z = model(x)\n            loss += F.cross_entropy(z, y, reduction='sum').item()\n            right += (z.argmax(1) == y).sum().item()\n    model.train(was)\n    return loss / n, right / n"}, loses=[STEP, MEAN], says="up the gradient"),
    wrong("4.6a", "everything at once; loss and accuracy swapped", {"4.6a evaluate": evaluation(batch="len(labels)", result="right / len(labels), loss / len(labels)")}, loses=[MEAN, LEAVES], says="images at once, but batch_size is"),
]

EXAMPLES += [
    wrong("4.6a", "label smoothing; only the first batch", {"4.6a step": step(*STEPS[:2], "loss = F.cross_entropy(model(images), labels, label_smoothing=0.1)", *STEPS[3:]), "4.6a evaluate": evaluation(result="loss / len(labels), right / len(labels)", data="[images[:size]], [labels[:size]]").replace("/ len(labels)", "/ len(labels[:size])")}, loses=[STEP, MEAN], says="label smoothing"),
    wrong("4.6a", "return inside the loop", {"4.6a evaluate": "    was = model.training\n    model.eval()\n    with torch.no_grad():\n        for x, y in zip(images.split(batch_size), labels.split(batch_size)):\n            z = model(x)\n            model.train(was)\n            return F.cross_entropy(z, y).item(), (z.argmax(1) == y).float().mean().item()"}, loses=[MEAN], says="Only the first batch counts"),
    wrong("4.6a", "the last batch alone", {"4.6a evaluate": evaluation(loss="F.cross_entropy(z, y).item() - loss", right="(z.argmax(1) == y).double().mean().item() - right", result="loss, right")}, loses=[MEAN], says="Only the last batch counts"),
    wrong("4.6a", "gradients switched off and left off", {"4.6a evaluate": "    torch.set_grad_enabled(False)\n" + evaluation(grad="torch.no_grad()")}, loses=[LEAVES], says="left recording of gradients changed"),
    wrong("4.6a", "a softmax before the loss; weights that no longer learn", {"4.6a step": step(*STEPS[:2], "loss = F.cross_entropy(model(images).softmax(-1), labels)", *STEPS[3:]), "4.6a evaluate": evaluation(before="model.eval(); model.requires_grad_(False)")}, loses=[STEP, LEAVES], says="A softmax comes before the cross-entropy"),
    wrong("4.6a", "a step without the optimizer, at a rate of its own", {"4.6a step": step(*STEPS[:4], "with torch.no_grad():", "    for parameter in model.parameters():", "        parameter -= 0.5 * parameter.grad", STEPS[5])}, loses=[STEP], says="two steps on a toy batch"),
]

SPLIT, BEST, NO_TEST, INTERRUPT = "a validation split, equal in classes", "keeps the best epoch by validation", "never looks at the test set", "an interrupt loses nothing"


def fitting(judge: str = "validation", better: str = "accuracy > best", best: str = "-1.0", caught: str = "KeyboardInterrupt", load: str = "model.load_state_dict(torch.load(path, weights_only=True))", row: str = '{"train_loss": trained, "validation_loss": loss, "validation_accuracy": accuracy}', update: str = "best = accuracy", before: str = "pass") -> str:
    return f"""
    best = {best}
    try:
        for epoch in range(1, epochs + 1):
            trained = train_epoch(model, *data["train"])
            loss, accuracy = evaluate(model, *data["{judge}"])
            {before}
            history.append({row})
            if {better}:
                {update}
                torch.save(model.state_dict(), path)
    except {caught}:
        pass
    if history:
        {load}
    return history
    """


SAVED_AT_THE_END = """
    best, state = -1.0, None
    try:
        for _ in with_progress(epochs, history):
            trained = train_epoch(model, *data["train"])
            loss, accuracy = evaluate(model, *data["validation"])
            history.append(dict(train_loss=trained, validation_loss=loss, validation_accuracy=accuracy))
            if accuracy > best:
                best, state = accuracy, {copy}
    except KeyboardInterrupt:
        pass
    finally:
        if state is not None:
            torch.save(state, path)
            model.load_state_dict(state)
    return history
"""
COPY = "{name: value.clone() for name, value in model.state_dict().items()}"
DRAW = "    rng = np.random.default_rng({seed})\n    {lines}"
EXAMPLES += [
    right("4.6b", "the best weights copied in memory, rows class by class in any order", {
        "4.6b split": "    rng = np.random.default_rng(seed)\n    order, each, held = rng.permutation(len(labels)), validation // len(set(labels.tolist())), []\n    for kind in set(labels.tolist()):\n        held += [row for row in order if labels[row] == kind][:each]\n    return np.array([row for row in order if row not in held]), np.array(held)",
        "4.6b fit": SAVED_AT_THE_END.format(copy=COPY),
    }),
    right("4.6b", "the file's usual name is written too", {"4.6b fit": fitting(before='torch.save(model.state_dict(), "hw4_vision_transformer.pt")')}),
    right("4.6b", "a plain range instead of the progress", {"4.6b fit": fitting()}),
    wrong("4.6b", "the best on the test set; rows not equal in classes", {"4.6b fit": fitting(judge="test"), "4.6b split": DRAW.format(seed="seed", lines="order = rng.permutation(len(labels))\n    return order[validation:], order[:validation]")}, loses=[SPLIT, BEST, NO_TEST, INTERRUPT], says="never evaluates on `data['validation']`"),
    wrong("4.6b", "the last epoch kept; the same rows for every seed", {"4.6b fit": fitting(better="True"), "4.6b split": DRAW.format(seed="0", lines="held = np.concatenate([rng.permutation(np.flatnonzero(labels == k))[: validation // len(np.unique(labels))] for k in np.unique(labels)])\n    return np.setdiff1d(np.arange(len(labels)), held), held")}, loses=[SPLIT, BEST, INTERRUPT], shows="curve", says="the last one"),
    wrong("4.6b", "the lowest loss kept; the seed not used", {"4.6b fit": fitting(better="loss < best", best="9.0", update="best = loss"), "4.6b split": "    held = np.concatenate([np.random.permutation(np.flatnonzero(labels == k))[: validation // len(np.unique(labels))] for k in np.unique(labels)])\n    return np.setdiff1d(np.arange(len(labels)), held), held"}, loses=[SPLIT, BEST, INTERRUPT], says="the one with the lowest loss"),
    wrong("4.6b", "the interrupt goes through; validation rows stay in training", {"4.6b fit": fitting(caught="ZeroDivisionError"), "4.6b split": DRAW.format(seed="seed", lines="held = np.concatenate([rng.permutation(np.flatnonzero(labels == k))[: validation // len(np.unique(labels))] for k in np.unique(labels)])\n    return np.arange(len(labels)), held")}, loses=[SPLIT, INTERRUPT], says="are in both parts"),
    wrong("4.6b", "the best not loaded at the end; too few rows", {"4.6b fit": fitting(load="pass"), "4.6b split": DRAW.format(seed="seed", lines="held = np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:2] for k in np.unique(labels)])\n    return np.setdiff1d(np.arange(len(labels)), held), held")}, loses=[SPLIT, BEST, INTERRUPT], says="load the file at the end"),
    wrong("4.6b", "the whole model saved; drawn with replacement", {"4.6b fit": fitting(load="pass").replace("model.state_dict()", "model"), "4.6b split": DRAW.format(seed="seed", lines="held = np.concatenate([rng.choice(np.flatnonzero(labels == k), validation // len(np.unique(labels))) for k in np.unique(labels)])\n    return np.setdiff1d(np.arange(len(labels)), held), held")}, loses=[SPLIT, BEST, INTERRUPT], says="cannot be loaded with weights_only=True"),
    wrong("4.6b", "trained on validation images too; the parts swapped", {"4.6b fit": fitting(before='train_epoch(model, *data["validation"])'), "4.6b split": DRAW.format(seed="seed", lines="held = np.concatenate([rng.permutation(np.flatnonzero(labels == k))[: validation // len(np.unique(labels))] for k in np.unique(labels)])\n    return held, np.setdiff1d(np.arange(len(labels)), held)")}, loses=[SPLIT, BEST, INTERRUPT], says="are swapped"),
    wrong("4.6b", "a reference to the live weights", {"4.6b fit": SAVED_AT_THE_END.format(copy="model.state_dict()")}, loses=[BEST, INTERRUPT], says="the last one"),
    wrong("4.6b", "a peek at the test set each epoch; no history", {"4.6b fit": fitting(before='test_loss, test_accuracy = evaluate(model, *data["test"])', row="accuracy")}, loses=[BEST, NO_TEST, INTERRUPT], says="should return its history"),
    wrong("4.6b", "weights in a dict with the epoch", {"4.6b fit": fitting(load='model.load_state_dict(torch.load(path)["model"])').replace("torch.save(model.state_dict(), path)", 'torch.save({"model": model.state_dict(), "epoch": epoch}, path)')}, loses=[BEST, INTERRUPT], says="holds a dict of `model`, `epoch`"),
    wrong("4.6b", "loss and accuracy swapped", {"4.6b fit": fitting().replace("loss, accuracy =", "accuracy, loss =")}, loses=[BEST, INTERRUPT], says="`evaluate` returns the loss first"),
]

# --- 4.7 --------------------------------------------------------------------------------------------------------------


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@cache
def kept() -> dict[str, torch.Tensor]:
    return torch.load(KEPT, weights_only=True)


def fused(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The reference's weights under the names of a model with fused maps, a dropout in the MLP and a convolution (row 1)."""
    made = {}
    for name, value in weights.items():
        if ".attention.key." in name or ".attention.value." in name:
            continue
        if ".attention.query." in name:
            value = torch.cat([weights[name.replace("query", which)] for which in ("query", "key", "value")])
        name = name.replace("attention.query", "attention.qkv").replace("mlp.2.", "mlp.3.")
        made[name] = value.reshape(64, 1, 4, 4) if name == "patch_embedding.weight" else value
    return made


def noisy(weights: dict[str, torch.Tensor], amount: float) -> dict[str, torch.Tensor]:
    noise = torch.Generator().manual_seed(0)
    return {name: value + amount * value.std() * torch.randn(value.shape, generator=noise) if value.numel() > 1 else value for name, value in weights.items()}


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("was-run"),))


def handed_in(data: bytes | None, name: str = FILE) -> dict[str, bytes | None]:
    return {name: data}


ACCURACY = "accuracy on hidden images"
RANDOM = {name: 0.02 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1)) for name, value in kept().items()}
EXAMPLES += [
    right("4.7", "fused maps and a convolution, the same weights", attachments=handed_in(saved(fused(kept())))),
    right("4.7", "float16, and another file beside it", attachments={FILE: saved({name: value.half() for name, value in kept().items()}), "best (3).pt": b"old"}),
    wrong("4.7", "no file", attachments=handed_in(None), loses=[ACCURACY], says="there is no file hw4_vision_transformer.pt"),
    wrong("4.7", "random weights in a right model", attachments=handed_in(saved(RANDOM)), loses=[ACCURACY], shows="matrix", says="gives every image the same class", visible=ON_HIDDEN_IMAGES),
    wrong("4.7", "weights that only half fit the task", attachments=handed_in(saved(noisy(kept(), 0.45))), loses=[ACCURACY], shows="matrix", says="points rise from 40% to 78%", visible=ON_HIDDEN_IMAGES),
    wrong("4.7", "cut short while uploading", attachments=handed_in(saved(kept())[:-5000]), loses=[ACCURACY], says="hw4_vision_transformer.pt cannot be read"),
    wrong("4.7", "a hostile pickle", attachments=handed_in(saved({"head.weight": Hostile()})), loses=[ACCURACY], says="it was not loaded"),
    wrong("4.7", "a plain hostile pickle", attachments=handed_in(pickle.dumps(Hostile())), loses=[ACCURACY], says="hw4_vision_transformer.pt"),
    wrong("4.7", "far too large", attachments=handed_in(saved({"head.weight": torch.zeros(1_100_000)})), loses=[ACCURACY], says="larger than 4 MB"),
    wrong("4.7", "of a model with 64 hidden units more", attachments=handed_in(saved({name: torch.zeros(192, 64) if name == "blocks.0.mlp.0.weight" else value for name, value in kept().items()})), loses=[ACCURACY], says="blocks.0.mlp.0.weight has shape (192, 64)"),
    wrong("4.7", "an optimizer alone", attachments=handed_in(saved({"optimizer": {"lr": 0.1}, "epoch": 45})), loses=[ACCURACY], says="Save model.state_dict() alone"),
    wrong("4.7", "not a number", attachments=handed_in(saved({**kept(), "head.bias": torch.full((10,), torch.nan)})), loses=[ACCURACY], says="NaN or infinity"),
    wrong("4.7", "a head of zeros", attachments=handed_in(saved({**kept(), "head.weight": torch.zeros(10, 64)})), loses=[ACCURACY], shows="matrix", says="gives every image the same class", visible=ON_HIDDEN_IMAGES),
]

# --- 4.8 --------------------------------------------------------------------------------------------------------------

SHOWN, CONFUSED, LOOKED, SIMILAR = "images by class", "confusion matrix", "attention from the class token", "similarity of positions"


def drawn(rows: str | None = None, confusion: str | None = None, looked: str | None = None, similar: str | None = None) -> dict[str, str]:
    given = {"4.8a rows": rows, "4.8a confusion": confusion, "4.8a attention": looked, "4.8a positions": similar}
    return {label: f"    {text}" for label, text in given.items() if text is not None}


SIDE = "side = math.isqrt(maps.shape[-1] - 1)\n    return {}.reshape(len(maps), side, side)"
COUNTS = "matrix = np.zeros((classes, classes), dtype=int)\n    {}\n    return matrix"
EXAMPLES += [
    right("4.8a", "loops and other formulas", drawn(
        "return [[row for row in range(len(labels)) if labels[row] == kind][:count] for kind in sorted(set(labels))]",
        "return np.bincount(classes * labels + predictions, minlength=classes**2).reshape(classes, classes)",
        SIDE.format("maps.mean(1)[:, 0, 1:].numpy()"),
        "table = positions.squeeze(0)[1:]\n    return F.cosine_similarity(table[:, None], table[None], dim=-1)",
    )),
    wrong("4.8a", "the last of each class; transposed; a column; products", drawn(
        "return np.stack([np.flatnonzero(labels == k)[-count:] for k in np.unique(labels)])",
        COUNTS.format("np.add.at(matrix, (predictions, labels), 1)"),
        SIDE.format("maps[:, :, 1:, 0].mean(1)"),
        "return positions[0, 1:] @ positions[0, 1:].T",
    ), loses=[SHOWN, CONFUSED, LOOKED, SIMILAR], shows="matrix", says="rows are the true classes"),
    wrong("4.8a", "labels; counted once; heads added; correlation", drawn(
        "return np.stack([labels[labels == k][:count] for k in np.unique(labels)])",
        COUNTS.format("matrix[labels, predictions] += 1"),
        SIDE.format("maps[:, :, 0, 1:].sum(1)"),
        "return torch.corrcoef(positions[0, 1:])",
    ), loses=[SHOWN, CONFUSED, LOOKED, SIMILAR], says="Each pair is counted at most once"),
    wrong("4.8a", "classes in columns; shares; itself not dropped; the last position dropped", drawn(
        "return np.stack([np.flatnonzero(labels == k)[:count] for k in np.unique(labels)], axis=1)",
        COUNTS.format("np.add.at(matrix, (labels, predictions), 1)") + " / np.maximum(np.bincount(labels, minlength=classes), 1)[:, None]",
        SIDE.format("maps[:, :, 0, :-1].mean(1)"),
        "table = F.normalize(positions[0, :-1], dim=-1)\n    return table @ table.T",
    ), loses=[SHOWN, CONFUSED, LOOKED, SIMILAR], says="leave out the first key"),
    wrong("4.8a", "what is left divided by its sum; distances", drawn(looked="looked = maps[:, :, 0, 1:].mean(1)\n    looked = looked / looked.sum(-1, keepdim=True)\n    " + SIDE.format("looked"), similar="return torch.cdist(positions[0, 1:], positions[0, 1:])"), loses=[LOOKED, SIMILAR], says="divided by the sum of the other weights"),
    wrong("4.8a", "transposed picture; all 50 positions", drawn(looked=SIDE.format("maps[:, :, 0, 1:].mean(1)") + ".mT", similar="table = F.normalize(positions[0], dim=-1)\n    return table @ table.T"), loses=[LOOKED, SIMILAR], shows="matrix", says="The picture is transposed"),
    wrong("4.8a", "rows counted from 1", drawn(rows="return np.stack([np.flatnonzero(labels == k)[:count] for k in np.unique(labels)]) + 1"), loses=[SHOWN], says="Rows are counted from 1"),
    wrong("4.8a", "the last patch's row", drawn(looked=SIDE.format("maps[:, :, -1, 1:].mean(1)")), loses=[LOOKED], shows="matrix", says="That is the row of the last patch"),
    wrong("4.8a", "the last token for the class token", drawn(looked=SIDE.format("maps[:, :, -1, :-1].mean(1)")), loses=[LOOKED], shows="matrix", says="it is the first, at place 0"),
    wrong("4.8a", "the patches' rows", drawn(looked=SIDE.format("maps[:, :, 1:, 1:].mean((1, 2))")), loses=[LOOKED], shows="matrix", says="the mean over the patches' rows"),
    wrong("4.8a", "a softmax of weights", drawn(looked=SIDE.format("maps[:, :, 0, 1:].mean(1).softmax(-1)")), loses=[LOOKED], shows="matrix", says="The maps are weights already"),
    wrong("4.8a", "one minus the cosine", drawn(similar="table = F.normalize(positions[0, 1:], dim=-1)\n    return 1 - table @ table.T"), loses=[SIMILAR], shows="matrix", says="the distance 1 - cosine"),
    wrong("4.8a", "absolute values", drawn(similar="table = F.normalize(positions[0, 1:], dim=-1)\n    return (table @ table.T).abs()"), loses=[SIMILAR], shows="matrix", says="You took absolute values"),
    wrong("4.8a", "the length of the whole table", drawn(similar="table = positions[0, 1:]\n    return table @ table.T / table.norm() ** 2"), loses=[SIMILAR], shows="matrix", says="the length of the whole table"),
    wrong("4.8a", "scores", drawn(similar="table = positions[0, 1:]\n    return table @ table.T / table.shape[-1] ** 0.5"), loses=[SIMILAR], shows="matrix", says="These are scores"),
    wrong("4.8a", "centered over the places", drawn(similar="table = positions[0, 1:]\n    table = F.normalize(table - table.mean(0), dim=-1)\n    return table @ table.T"), loses=[SIMILAR], shows="matrix", says="the mean over the places"),
]

CURVES, MATRIX, PAIR = "learning curves with their best epoch", "confusion matrix of the test images", "the most confused pair"
CLASSES = np.eye(10, dtype=int) * 90
CLASSES[:, 0] += 4
CLASSES[:, 6] += 6
CLASSES[6, 6], CLASSES[6, 0], CLASSES[9, 9], CLASSES[9, 7], CLASSES[9, 6], CLASSES[9, 0] = 66, 34, 98, 2, 0, 0
RUN = {"curve_train_loss": [2.0, 1.5, 1.0, 1.2, 1.1], "curve_validation_accuracy": [0.3, 0.6, 0.7, 0.75, 0.72], "best_epoch": 4, "test_confusion": CLASSES, "most_confused": [6, 0]}
EXAMPLES += [
    right("4.8b", "a short training", claims=RUN),
    right("4.8b", "whole numbers as floats", claims=RUN | {"best_epoch": 4.0, "test_confusion": CLASSES.astype(float), "most_confused": [6.0, 0.0]}),
    right("4.8b", "two epochs are equally good", claims=RUN | {"curve_validation_accuracy": [0.3, 0.6, 0.75, 0.75, 0.72], "best_epoch": 4}),
    wrong("4.8b", "counted from 0; transposed; order swapped", claims=RUN | {"best_epoch": 3, "test_confusion": CLASSES.T, "most_confused": [6, 0]}, loses=[CURVES, MATRIX, PAIR], shows="curve", says="epochs are counted from 1", visible=IN_THE_LOG),
    wrong("4.8b", "epoch of the lowest training loss; shares; the diagonal", claims=RUN | {"best_epoch": 3, "curve_train_loss": [2.0, 1.5, 0.9, 1.2, 1.1], "test_confusion": CLASSES / 100, "most_confused": [9, 9]}, loses=[CURVES, MATRIX, PAIR], says="Leave the diagonal out", visible=IN_THE_LOG),
    wrong("4.8b", "percent; never trained; another pair", claims=RUN | {"curve_validation_accuracy": [30, 60, 70, 75, 72], "test_confusion": np.full((10, 10), 10), "most_confused": [9, 7]}, loses=[CURVES, MATRIX], says="not percent", visible=IN_THE_LOG),
    wrong("4.8b", "curves swapped; names instead of numbers", claims=RUN | {"curve_train_loss": RUN["curve_validation_accuracy"], "best_epoch": 1, "most_confused": "Shirt"}, loses=[CURVES, PAIR], says="Are the two curves swapped?", visible=IN_THE_LOG),
    wrong("4.8b", "a less frequent pair; unequal rows", claims=RUN | {"most_confused": [9, 7], "test_confusion": CLASSES + np.eye(10, dtype=int)[::-1] * np.arange(10)[:, None]}, loses=[MATRIX, PAIR], shows="matrix", says="Another pair occurs", visible=IN_THE_LOG),
    wrong("4.8b", "classes counted from 1", claims=RUN | {"most_confused": [7, 1]}, loses=[PAIR], shows="matrix", says="classes are numbered from 0", visible=IN_THE_LOG),
    wrong("4.8b", "the last epoch", claims=RUN | {"best_epoch": 5}, loses=[CURVES], shows="curve", says="yours is the last epoch", visible=IN_THE_LOG),
]

NAMES = ("vit_against_cnn", "vit_against_transformer", "vit_positions", "vit_prediction")


def letters(text: str) -> dict[str, str]:
    return {"4.9 letters": "\n".join(f"{name} = {letter!r}" for name, letter in zip(NAMES, text, strict=True))}


EXAMPLES += [
    right("4.9", "lower case", letters("bdac")),
    wrong("4.9", "all A", letters("AAAA"), loses=[NAMES[0], NAMES[1], NAMES[3]], says="there is no decoder"),
    wrong("4.9", "all B", letters("BBBB"), loses=list(NAMES[1:]), says="there is no mask"),
    wrong("4.9", "all C", letters("CCCC"), loses=list(NAMES[:3]), says="as you showed in 4.2"),
    wrong("4.9", "all D", letters("DDDD"), loses=[NAMES[0], NAMES[2], NAMES[3]], says="only one token goes into the head"),
]
