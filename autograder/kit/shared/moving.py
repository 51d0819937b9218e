"""Pictures that move in a notebook's output: no widgets, no kernel, no network, nothing to install.

HTML and CSS do all the work; a script, where it may run, adds comfort. Three forms stand in one output:

* the live part is hidden until the output's own ``<style>`` shows it, so it appears where styles survive;
* the still part, an ``<img>``, is hidden by the same style, so it appears where styles are stripped: in a
  notebook that is not trusted yet, and on feedback pages, which take what stands between :data:`STILL`;
* the words, for consoles and for those who cannot see.

Ids start with a prefix that is drawn anew for each output by ``secrets``, which leaves seeded generators
alone. ``data-lm-suppress-shortcuts`` stands on each control itself: without it JupyterLab keeps the
arrow keys.
"""

from __future__ import annotations

import base64
import html
import secrets
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.kit.feedback import show_both

STILL = "<!--still-->", "<!--/still-->"  # what lies between is shown where nothing may move
KEYS = 'data-lm-suppress-shortcuts="true"'
LEVELS = 31  # of ink; the eye tells fewer apart
VIOLET, BLUE, ORANGE = (155, 77, 170), (40, 130, 195), (222, 110, 20)  # seen on white and on black
LIGHT = "--a:#8e3a80;--q:#0072b2;--k:#b84f00;--v:#00805d;--i:none;color-scheme:light"
DARK = "--a:#d58ccb;--q:#56b4e9;--k:#f09a55;--v:#3cc79e;--i:brightness(1.6);color-scheme:dark"
STYLE = """
#U{LIGHT;--b:var(--jp-layout-color0,#fff);--f:var(--jp-content-font-color1,#22252a);--l:#8884;
container-type:inline-size;max-width:52em;padding:.5em .7em;background:var(--b);color:var(--f);
border-radius:6px;
font:14px/1.4 system-ui,sans-serif;box-sizing:border-box}
@media(prefers-color-scheme:dark){#U{DARK;--b:var(--jp-layout-color0,#16181c);
--f:var(--jp-content-font-color1,#eceef0)}}
[data-jp-theme-light=true] #U{LIGHT}[data-jp-theme-light=false] #U{DARK}
#U .still,#U .view{display:none}#U>.live{display:flex;flex-wrap:wrap;gap:4px;align-items:center}
#U .title,#U .stage,#U .row{flex:0 0 100%;min-width:0}#U .title{font-weight:600;font-size:15px}
#U .row{height:0}#U .of{opacity:.75;margin-right:.2em}#U svg{display:block;max-width:100%;color:inherit}
#U svg text{fill:currentColor;font:12px system-ui,sans-serif}
#U .pick{position:absolute;opacity:0;width:1px;height:1px;margin:0}
#U .pick+label{min-width:1.4em;padding:3px 8px;text-align:center;border-radius:99px;cursor:pointer;
background:var(--l)}
#U .pick:checked+label{background:var(--a);color:var(--b);font-weight:600}
#U .pick:focus-visible+label,#U [type=range]:focus-visible,
#U button:focus-visible{outline:3px solid var(--q);outline-offset:1px}
#U [type=range]{flex:1 1 12em;min-height:28px;margin:0;accent-color:var(--a)}
#U.ranged .step+label{display:none}#U :is(img,image){image-rendering:pixelated;filter:var(--i)}
#U button{border:0;background:none;color:inherit;font:inherit;padding:0;cursor:pointer}
""".replace("LIGHT", LIGHT).replace("DARK", DARK)  # fmt: skip


@dataclass
class Moving:
    """HTML that moves, an SVG that does not, and the picture in words.

    Attributes:
        title: what it shows.
        words: the picture in words.
        live: HTML of the moving part, empty if nothing moves; ``@U`` stands for the prefix of its ids.
        still: the SVG.
        style: CSS beyond the common one, with ``#U``.
        script: a function of the root element; it only adds comfort.
    """

    title: str
    words: str
    live: str
    still: str
    style: str = ""
    script: str = ""

    def _repr_html_(self) -> str:
        """HTML with a fresh prefix, so that the same picture can stand twice in one page."""
        uid = "lm" + secrets.token_hex(5)
        picture = image_tag(self.still, self.words)
        if not self.live:
            return f"{STILL[0]}{picture}{STILL[1]}"
        style = "".join((STYLE + self.style).splitlines()).replace("#U", f"#{uid}")
        script = f"<script>({self.script})(document.getElementById('{uid}'))</script>" if self.script else ""
        return (
            f'<div id="{uid}" role="group" aria-label="{html.escape(self.title)}"><style>{style}</style>'
            f'<div class="live" hidden="hidden"><div class="title">{html.escape(self.title)}</div>'
            f"{self.live.replace('@U', uid)}</div><div"
            f' class="still">{STILL[0]}{picture}<br><i>A still picture: run'
            f" this cell, or trust this notebook, for the one that moves.</i>{STILL[1]}</div>{script}</div>"
        )

    def __repr__(self) -> str:
        return self.words

    def show(self) -> None:
        """Displays itself: in a notebook the picture, elsewhere its words."""
        show_both(self.words, self._repr_html_())


def image_tag(svg: str, words: str) -> str:
    """An SVG as an image: it cannot run anything, and it survives where styles do not."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{html.escape(words)}" src="data:image/svg+xml;base64,{data}" style="max-width:100%">'


def finite(values: Any, ndims: Sequence[int], name: str) -> np.ndarray:
    """A float array from NumPy, lists or a torch tensor.

    Raises:
        ValueError: another number of axes, nothing in it, or NaN or infinities; in words.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    array = np.asarray(values, dtype=float)
    if array.ndim not in ndims or not array.size:
        raise ValueError(
            f"{name} must have {' or '.join(map(str, ndims))} axes, but its shape is {array.shape}"
        )
    if not np.isfinite(array).all():
        place = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise ValueError(f"{name} holds {array[place]} at {place}; every number must be finite")
    return array


def visible(value: Any, most: int = 24) -> str:
    """A token as one visible line, whatever it holds: a dot for a blank, an escape for a line break."""
    text = "".join(c if c.isprintable() else "\\n" if c == "\n" else "?" for c in str(value)[: 4 * most])
    text = text.replace(" ", "\N{MIDDLE DOT}") if text.strip() != text or not text else text
    return (text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}") or "(empty)"


def ink_png(
    values: np.ndarray, top: float, inks: Sequence[tuple[int, int, int]], levels: int = LEVELS
) -> str:
    """A data address of a PNG with a pixel for each number: the larger, the more ink.

    Args:
        values: (rows, columns).
        top: the number that gets all the ink.
        inks: RGB for numbers above zero, and where there are any for those below.
        levels: how many amounts of ink are told apart.
    """
    level = np.clip(np.rint(np.abs(values) / top * levels), 0, levels).astype(int)
    index = np.where((values < 0) & (level > 0) & (len(inks) > 1), level + levels, level).astype(np.uint8)
    colors = [inks[0]] * (levels + 1) + [one for one in inks[1:] for _ in range(levels)]
    ink = [round(255 * number / levels) for number in range(levels + 1)]
    rows, columns = index.shape
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(part for color in colors for part in color)),
        (b"tRNS", bytes([*ink, *(ink[1:] if len(inks) > 1 else ())])),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in index), 9)),
        (b"IEND", b""),
    )
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def pickers(groups: Sequence[tuple[str, str, Sequence[str]]], shown: Sequence[int] = (0, 0)) -> str:
    """Groups of radio buttons that look like pills.

    Args:
        groups: letter of the group, what it picks, and its labels; a group of one label is not shown.
        shown: the number that is picked at first in each group.
    """
    parts = []
    for (letter, what, labels), first in zip(groups, shown, strict=True):
        hidden = ' style="display:none"' if len(labels) == 1 else ""
        parts.append(f'<span class="of"{hidden}>{html.escape(what)}</span>')
        for number, label in enumerate(labels):
            told = html.escape(f"{what} {label}".strip())
            parts.append(
                f'<input class="pick" type="radio" name="@U{letter}" id="@U{letter}{number}" {KEYS}'
                f' aria-label="{told}"{" checked" if number == first else ""}{hidden}>'
                f'<label for="@U{letter}{number}"{hidden}>{html.escape(label)}</label>'
            )
        parts.append('<span class="row"></span>')
    return "".join(parts)


def sheet(parts: str, width: float, height: float) -> str:
    """A still SVG on its own light ground, which reads on light and dark pages."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" font-family="system-ui,sans-serif" font-size="12"'
        f' fill="#22252a"><rect width="100%" height="100%" rx="6" fill="#fff"/>{parts}</svg>'
    )
