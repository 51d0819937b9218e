"""The attention viewer: point at a token, and see where it looks."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder.kit.shared.moving import KEYS, VIOLET, Moving, finite, ink_png, pickers, sheet, visible

THINNEST = 0.04  # a smaller weight gets no line; the map shows it
ROW = 22  # pixels of a token's row

VIEWER_STYLE = """
#U .w{position:relative;grid-template-columns:QWem minmax(0,calc(NK*ROWpx)) minmax(60px,11em) minmax(3em,
auto);
margin-top:TOPem;padding-bottom:3.6em;grid-auto-rows:ROWpx;max-width:50em}
#U .map{position:relative;grid-area:1/2/span NQ/3;justify-self:start;width:100%;height:100%}
#U .map img{width:100%;height:100%;display:block;outline:1px solid var(--l)}
#U .map i{position:absolute;bottom:100%;width:calc(100%/NK);height:0;font-style:normal;color:var(--k);
white-space:nowrap}
#U .map i span{position:absolute;left:55%;bottom:3px;transform:rotate(-48deg);transform-origin:0 100%;
max-width:7.2em;overflow:hidden;text-overflow:ellipsis;font-size:12px}
#U .q{grid-column:1/3;z-index:1;display:flex;justify-content:flex-start;align-items:center;
border-radius:4px}
#U .q b{font-weight:400;color:var(--q);white-space:pre;overflow:hidden;text-overflow:ellipsis;
text-align:right;
padding:0 .5em;width:QWem;box-sizing:border-box;flex:none}
#U .q:is(:hover,:focus,[aria-pressed=true]){box-shadow:inset 0 0 0 2px var(--q)}
#U .q:is(:hover,:focus,[aria-pressed=true]) b{background:var(--q);color:var(--b);border-radius:4px 0 0 4px}
#U .links{grid-area:1/3/span NR/4;width:100%;height:100%;overflow:visible}
#U .links path{fill:none;stroke:var(--a);vector-effect:non-scaling-stroke}
#U .k{grid-column:4;color:var(--k);white-space:pre;padding-left:.5em;align-self:center;overflow:hidden;
text-overflow:ellipsis}
#U .r{opacity:.38}#U .q:is(:hover,:focus,[aria-pressed=true])~.links .r{opacity:0}
#U .say{display:none;position:absolute;left:0;right:0;bottom:0;min-height:3.2em;background:var(--b);
padding:.2em}
#U .w::after{content:"Point at a row, or press Tab and the arrow keys: where does the blue token look?";
position:absolute;
left:.2em;bottom:1.2em;opacity:.7}
#U .q:is(:hover,:focus,[aria-pressed=true]) .say{display:block;z-index:2;text-align:left}
#U .q:hover .say{z-index:3!important}#U .w:has(.q:is(:hover,:focus,[aria-pressed=true]))::after{display:none}
@container(max-width:36em){#U .w{grid-template-columns:min(QWem,6.5em) minmax(0,1fr) 3em minmax(2em,
min(QWem,6.5em));font-size:12px;padding-bottom:5em}
#U .q b{width:min(QWem,6.5em)}}
"""
VIEWER_SCRIPT = """r=>{if(!r)return;const all=s=>[...r.querySelectorAll(s)];
r.addEventListener('keydown',e=>{const q=e.target.closest('.q'),d={ArrowDown:1,ArrowUp:-1}[e.key];
if(!q||!d)return;
const s=[...q.parentElement.querySelectorAll('.q')],t=s[s.indexOf(q)+d];if(t)t.focus();e.preventDefault()});
r.addEventListener('click',e=>{const q=e.target.closest('.q');if(!q)return;
const on=q.getAttribute('aria-pressed')!='true';
all('.q').forEach(x=>x.setAttribute('aria-pressed',on&&x.dataset.i==q.dataset.i))})}"""


def attention_viewer(
    weights: Any,
    tokens: Sequence[Any],
    keys: Sequence[Any] | None = None,
    heads: Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    title: str = "Attention",
    script: bool = True,
    shown: Sequence[int] = (0, 0),
) -> Moving:
    """Attention as a map and as lines; a row lights up under the pointer or the focus, with its words.

    Args:
        weights: (queries, keys), (heads, queries, keys) or (layers, heads, queries, keys), not negative.
        tokens: a name for each query; whatever they hold is shown as text.
        keys: a name for each key; the queries' names if left out.
        heads: what to call them; their numbers if left out.
        layers: what to call them; their numbers if left out.
        title: what the picture shows.
        script: whether arrow keys walk along the queries and a click pins one; all else works without.
        shown: the layer and the head that are picked at first.

    Raises:
        ValueError: shapes do not fit, a number is not finite, or weights are negative; in words.
    """
    w = finite(weights, (2, 3, 4), "weights")
    w = w.reshape((1,) * (4 - w.ndim) + w.shape)
    names = [visible(token) for token in tokens]
    others = names if keys is None else [visible(key) for key in keys]
    which = [list(map(str, heads or range(w.shape[1]))), list(map(str, layers or range(w.shape[0])))]
    if w.shape[2:] != (len(names), len(others)) or w.shape[:2] != (len(which[1]), len(which[0])):
        told = f"{len(names)} queries, {len(others)} keys, {len(which[0])} heads and {len(which[1])} layers"
        raise ValueError(f"weights of shape {np.shape(weights)} do not fit {told}")
    if w.min() < -1e-6:
        raise ValueError("weights must not be negative: these look like scores before the softmax")
    top, views, words = max(1.0, float(w.max())), [], [f"{title}: rows are queries, columns are keys."]
    stills = []
    for layer, one in enumerate(w):
        for head, values in enumerate(one):
            name = _head_name(layer, head, which, w.shape)
            best = values.argmax(1)
            looks = (f"{names[i]} looks most at {others[j]} ({values[i, j]:.2f})" for i, j in enumerate(best))
            words.append(f"{name}{': ' if name else ''}{'; '.join(looks)}.")
            views.append(_head_view(values, names, others, top, f"v{layer}-{head}"))
            stills.append((name, values))
    picks = pickers([("l", "layer", which[1]), ("h", "head", which[0])], shown)
    rules = "".join(
        f"#Ul{layer}:checked~#Uh{head}:checked~.stage .v{layer}-{head}{{display:grid}}"
        for layer in range(w.shape[0])
        for head in range(w.shape[1])
    )
    lit = "".join(
        f"#U .q{i}:is(:hover,:focus,[aria-pressed=true])~.links .r{i}{{opacity:1}}" for i in range(len(names))
    )
    style = VIEWER_STYLE.replace("ROW", str(ROW)).replace("NQ", str(len(names)))
    style = style.replace("NR", str(max(len(names), len(others)))).replace("NK", str(len(others)))
    style = style.replace("TOP", f"{max(1.5, 0.5 + 0.42 * min(14, max(map(len, others)))):.1f}")
    if len(others) > 14:  # on a phone the columns are too narrow for names; the lines end at them
        style += "@container(max-width:36em){#U .map i{display:none}#U .w{margin-top:.5em}}"
    style = style.replace("QW", f"{max(0.62 * max(map(len, names)), 0.95) + 1.2:.1f}")
    still = _still_maps(title, stills, names, others, top)
    return Moving(
        title,
        "\n".join(words),
        f'{picks}<div class="stage">{"".join(views)}</div>',
        still,
        style + rules + lit,
        VIEWER_SCRIPT if script else "",
    )


def _head_name(layer: int, head: int, which: Sequence[Sequence[str]], shape: Sequence[int]) -> str:
    parts = [f"layer {which[1][layer]}"] if shape[0] > 1 else []
    return ", ".join(parts + ([f"head {which[0][head]}"] if shape[1] > 1 else []))


def _head_view(values: np.ndarray, names: Sequence[str], others: Sequence[str], top: float, mark: str) -> str:
    """One head: its queries as buttons over the map's rows, the lines, and the keys."""
    rows, buttons = [], []
    for i, row in enumerate(values):
        order = [int(j) for j in np.argsort(-row, kind="stable")[:4] if row[j] >= 0.005]
        said = ", ".join(f"{others[j]} {row[j]:.2f}" for j in order) or "nothing"
        told = html.escape(f"{names[i]} looks at {said}")
        buttons.append(
            f'<button type="button" class="q q{i}" data-i="{i}" style="grid-row:{i + 1}" {KEYS}'
            f"><b>{html.escape(names[i])}</b><span class='say'>{told}</span></button>"
        )
        levels: dict[int, list[str]] = {}
        for j in np.flatnonzero(row / top >= THINNEST):
            levels.setdefault(int(np.ceil(8 * row[j] / top)), []).append(f"M0 {i + 0.5}L1 {j + 0.5}")
        paths = (
            f'<path stroke-width="{level * 0.8:.1f}"'
            f' opacity="{min(1.0, 0.3 + level / 10):.1f}" d="{"".join(lines)}"/>'
            for level, lines in sorted(levels.items())
        )
        rows.append(f'<g class="r r{i}">{"".join(paths)}</g>')
    tall = max(len(names), len(others))
    labels = "".join(
        f'<i style="left:calc({j}*100%/{len(others)})"><span>{html.escape(name)}</span></i>'
        for j, name in enumerate(others)
    )
    keys = "".join(
        f'<span class="k" style="grid-row:{j + 1}" aria-hidden="true">{html.escape(name)}</span>'
        for j, name in enumerate(others)
    )
    return (
        f'<div class="view w {mark}"><div class="map" aria-hidden="true">{labels}'
        f'<img alt="" src="{ink_png(values, top, [VIOLET])}"></div>{"".join(buttons)}'
        f'<svg class="links" viewBox="0 0 1 {tall}" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rows)}</svg>{keys}</div>"
    )


def _still_maps(
    title: str,
    maps: Sequence[tuple[str, np.ndarray]],
    names: Sequence[str],
    others: Sequence[str],
    top: float,
    most: int = 8,
) -> str:
    """The maps side by side, with the names of rows and columns."""
    shown, cell = maps[:most], 16 if len(others) > 8 else 20
    left, above = 12 + 7 * min(14, max(map(len, names))), 22 + 6 * min(14, max(map(len, others)))
    wide, high = left + cell * len(others) + 30, above + cell * len(names) + 26
    columns = max(1, min(len(shown), int(900 // wide) or 1))
    parts = [f'<text x="10" y="20" font-size="14" font-weight="600">{html.escape(title)}</text>']
    for k, (name, values) in enumerate(shown):
        x, y = k % columns * wide + left, k // columns * high + above + 30
        parts.append(
            f'<g transform="translate({x} {y})"><text x="0" y="{high - above - 8}"'
            f' fill="#5b626b">{html.escape(name)}</text>'
            f'<image width="{cell * len(others)}" height="{cell * len(names)}" preserveAspectRatio="none"'
            f' style="image-rendering:pixelated" href="{ink_png(values, top, [VIOLET])}"/>'
            f'<rect width="{cell * len(others)}" height="{cell * len(names)}" fill="none" stroke="#d9dde2"/>'
        )
        parts += [
            f'<text x="-5" y="{(i + 0.72) * cell:.0f}" text-anchor="end"'
            f' fill="#0072b2">{html.escape(visible(n, 14))}</text>'
            for i, n in enumerate(names)
        ]
        parts += [
            f'<text transform="translate({(j + 0.6) * cell:.0f} -5) rotate(-48)" fill="#b84f00">'
            f"{html.escape(visible(n, 14))}</text>"
            for j, n in enumerate(others)
        ]
        parts.append("</g>")
    rows = -(-len(shown) // columns)
    return sheet("".join(parts), max(wide * columns, 9 * len(title) + 20), high * rows + 40)
