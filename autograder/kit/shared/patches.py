"""Attention laid over pictures: point at a patch, and see where it looks."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder.kit.shared.moving import KEYS, Moving, finite, ink_png, pickers, sheet, visible

PICTURE_INK, OVER_INK = (40, 44, 50), (213, 62, 150)
OUTLINED = 3  # patches that are outlined
PATCH_STYLE = """
#U .pic{position:relative;width:min(100%,21em);aspect-ratio:1;margin:.4em 0 .2em;background:#fff;
border-radius:4px}
#U .pic>.view{position:absolute;inset:0;width:100%;height:100%;pointer-events:none}
#U .over{image-rendering:pixelated;background-size:100% FRAMES%;background-position:0 0}
#U .grid{position:absolute;inset:0;display:grid;grid-template-columns:repeat(SIDE,1fr)}
#U .grid .c{z-index:2;border-radius:0}#U .grid .c:is(:hover,:focus){box-shadow:inset 0 0 0 3px #0072b2,
inset 0 0 0 4px #fff}
#U .pic:has(.c:is(:hover,:focus)) .best{display:none!important}
#U .say{min-height:2.8em;max-width:34em}
"""
PATCH_SCRIPT = """r=>{if(!r)return;const c=[...r.querySelectorAll('.c')],n=Math.sqrt(c.length);
c.forEach((x,i)=>{x.tabIndex=i?-1:0;
x.addEventListener('mouseenter',()=>{const f=document.activeElement;if(c.includes(f))f.blur()})});
r.addEventListener('keydown',e=>{const i=c.indexOf(e.target),
d={ArrowRight:1,ArrowLeft:-1,ArrowDown:n,ArrowUp:-n}[e.key];if(i<0||!d)return;e.preventDefault();
const t=c[i+d];if(t){c[i].tabIndex=-1;t.tabIndex=0;t.focus()}})}"""


def patch_viewer(
    images: Any,
    weights: Any,
    names: Sequence[Any] | None = None,
    blocks: Sequence[str] | None = None,
    title: str = "Where the class token looks",
    script: bool = True,
) -> Moving:
    """Pictures with attention laid over them, each scaled by itself; the top three patches are outlined.

    At rest it shows the class token's attention; under the pointer or the focus that of a patch.

    Args:
        images: (pictures, height, width), from 0 to 1; 1 is drawn dark.
        weights: (pictures, blocks, tokens, tokens), token 0 is the class token, the others the patches of a
            square grid, row by row.
        names: of the pictures.
        blocks: names of the blocks; their numbers from 1 if left out.
        title: what the picture shows.
        script: whether arrow keys walk along the patches; without it Tab does.

    Raises:
        ValueError: shapes do not fit, or a number is not finite; in words.
    """
    pictures, w = finite(images, (3,), "images"), finite(weights, (4,), "weights")
    side = round((w.shape[-1] - 1) ** 0.5)
    if w.shape[2] != w.shape[3] or side**2 + 1 != w.shape[3] or len(w) != len(pictures):
        raise ValueError(
            f"weights of shape {w.shape} do not fit {len(pictures)} pictures with a square of patches"
        )
    called = [visible(name) for name in (names or range(len(pictures)))]
    blocks = [str(name) for name in (blocks or range(1, w.shape[1] + 1))]
    views, words, stills = [], [f"{title}."], []
    for p, (picture, of_picture) in enumerate(zip(pictures, w, strict=True)):
        views.append(
            f'<img class="view p{p}" alt="{html.escape(called[p])}"'
            f' src="{ink_png(picture, 1.0, [PICTURE_INK], 15)}">'
        )
        for b, one in enumerate(of_picture):
            tall = np.concatenate([_scaled_row(row).reshape(side, side) for row in one[:, 1:]])
            best = [int(patch) for patch in np.argsort(-one[0, 1:], kind="stable")[:OUTLINED]]
            told = ", ".join(f"row {k // side} column {k % side} ({one[0, 1 + k]:.2f})" for k in best)
            where = f"{called[p]}, block {blocks[b]}"
            words.append(f"{where}: the class token looks most at {told}; {one[0, 0]:.2f} at itself.")
            views.append(
                f'<div class="view over p{p}b{b}"'
                f' style="background-image:url({ink_png(tall, 1.0, [OVER_INK], 15)})"></div>'
                f'<svg class="view best p{p}b{b}" viewBox="0 0 {side}'
                f' {side}">{_patch_outlines(best, side)}</svg>'
            )
            stills.append((p, b, picture, _scaled_row(one[0, 1:]).reshape(side, side), best))
    cells = "".join(
        f'<button type="button" class="c c{k}" {KEYS} aria-label="patch in row'
        f' {k // side}, column {k % side}"></button>'
        for k in range(side**2)
    )
    said = "".join(
        f'<div class="view say p{p}b{b}">{html.escape(words[1 + p * len(blocks) + b])}</div>'
        for p in range(len(called))
        for b in range(len(blocks))
    )
    rules = "".join(
        f"#Uo{p}:checked~.stage .p{p}{{display:block}}"
        + "".join(
            f"#Uo{p}:checked~#Uk{b}:checked~.stage .p{p}b{b}{{display:block}}" for b in range(len(blocks))
        )
        for p in range(len(called))
    )
    moves = "".join(
        f"#U .pic:has(.c{k}:is(:hover,:focus)) .over{{background-position:0 {100 * (k + 1) / side**2:.2f}%}}"
        for k in range(side**2)
    )
    style = PATCH_STYLE.replace("SIDE", str(side)).replace("FRAMES", str(100 * (side**2 + 1)))
    hint = (
        "Pink is attention, scaled for each map by itself. Point at a patch, or press Tab and the arrow keys:"
        " where does it look?"
    )
    stage = f'<div class="pic">{"".join(views)}<div class="grid">{cells}</div></div>{said}<i>{hint}</i>'
    live = f'{pickers([("o", "picture", called), ("k", "block", blocks)])}<div class="stage">{stage}</div>'
    still = _still_sheet(title, stills, called, blocks, side)
    return Moving(title, "\n".join(words), live, still, style + rules + moves, PATCH_SCRIPT if script else "")


def _scaled_row(row: np.ndarray) -> np.ndarray:
    """A row of weights from 0 to what still lets the picture through, whatever its largest is."""
    return 0.72 * row / (float(row.max()) or 1.0)


def _patch_outlines(best: Sequence[int], side: int) -> str:
    return "".join(
        f'<rect x="{k % side + 0.06:.2f}" y="{k // side + 0.06:.2f}" width=".88" height=".88" fill="none"'
        f' stroke="{ink}" stroke-width="{width}"/>'
        for k in best
        for ink, width in (("#fff", 0.16), ("#8a0f55", 0.09))
    )


def _still_sheet(
    title: str, maps: Sequence[tuple[Any, ...]], names: Sequence[str], blocks: Sequence[str], side: int
) -> str:
    """A row for each picture, a column for each block: attention over the picture, the top three outlined."""
    cell, left = 104, 96
    parts = [f'<text x="12" y="24" font-size="14" font-weight="600">{html.escape(title)}</text>']
    parts += [
        f'<text x="{left + (b + 0.5) * (cell + 8):.0f}" y="48" text-anchor="middle"'
        f' fill="#5b626b">block {html.escape(name)}</text>'
        for b, name in enumerate(blocks)
    ]
    for p, b, picture, over, best in maps:
        x, y = left + b * (cell + 8), 56 + p * (cell + 8)
        if b == 0:
            parts.append(
                f'<defs><image id="p{p}" width="1" height="1" style="image-rendering:pixelated"'
                f' href="{ink_png(picture, 1.0, [PICTURE_INK], 15)}"/></defs>'
            )
            parts.append(
                f'<text x="{left - 8}" y="{y + cell / 2:.0f}"'
                f' text-anchor="end">{html.escape(names[p])}</text>'
            )
        drawn = (
            f'<use href="#p{p}"/><image width="1" height="1" style="image-rendering:pixelated"'
            f' href="{ink_png(over, 1.0, [OVER_INK], 15)}"/>'
        )
        parts.append(
            f'<g transform="translate({x} {y}) scale({cell})">{drawn}<g transform="scale({1 / side:.5f})">'
            f'{_patch_outlines(best, side)}</g><rect width="1" height="1" fill="none"'
            f' stroke="#d9dde2" stroke-width=".01"/></g>'
        )
    return sheet("".join(parts), left + len(blocks) * (cell + 8) + 8, 60 + len(names) * (cell + 8))
