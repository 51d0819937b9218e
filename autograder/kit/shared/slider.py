"""A slider over precomputed frames: maps, bars, and points or curves in a plane."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.kit.shared.moving import (
    BLUE,
    KEYS,
    ORANGE,
    VIOLET,
    Moving,
    finite,
    ink_png,
    sheet,
    visible,
)
from autograder.kit.style import NEGATIVE

MAX_FRAMES = 60
SIDE = 230  # units of a panel's picture; its names stand around it
# what a picture is about has the ink of its page: dark on a light page, light on a dark one
ATTENTION, PAGE_INK, KNOWN = "#a0539a", "currentColor", "#8a929c"
QUERY, KEY = "var(--q,#0072b2)", "var(--k,#b84f00)"  # as in the viewer; the second where styles are stripped
RULED = 12  # rows or columns of a map with lines between its cells
ABOVE = 34  # units over a panel, for its title and a name at its upper edge
SLIDER_STYLE = """
#U .panels{display:flex;flex-wrap:wrap;gap:.4em 1.4em;margin-top:.4em}#U .panels svg{width:min(100%,24em);
flex:0 1 24em;height:auto}
#U .step+label{min-width:1em;padding:3px 6px}#U .cap{font-variant-numeric:tabular-nums}
#U .cap b{font-size:16px}
#U text.n{opacity:.75}#U line{stroke:currentColor;stroke-opacity:.18}
"""
SLIDER_SCRIPT = """r=>{if(!r)return;const p=[...r.querySelectorAll('.step')],
s=document.createElement('input');
Object.assign(s,{type:'range',min:0,max:p.length-1,value:0});s.setAttribute('aria-label',
r.getAttribute('aria-label'));
s.setAttribute('data-lm-suppress-shortcuts','true');const show=()=>{p[s.value].checked=true;
s.setAttribute('aria-valuetext',p[s.value].getAttribute('aria-label'))};s.addEventListener('input',show);
r.classList.add('ranged');p.forEach(x=>{x.tabIndex=-1});p[0].before(s);show()}"""


@dataclass
class Panel:
    """One picture of a slider: what stands still, and a group for each frame.

    Attributes:
        title: above it.
        ground: SVG of what stands still.
        frames: SVG of each frame.
        words: of each frame, in words.
        height: of the picture; it is :data:`SIDE` wide, with margins.
    """

    title: str
    ground: str
    frames: list[str]
    words: list[str]
    height: float = SIDE


def heat(
    values: Any,
    title: str = "",
    rows: Sequence[Any] = (),
    columns: Sequence[Any] = (),
    top: float | None = None,
) -> Panel:
    """Maps (frames, rows, columns): more ink is larger, orange below zero; one scale for all frames.

    Args:
        values: the maps.
        title: what they show.
        rows: their names.
        columns: their names.
        top: what gets all the ink; 1 for maps of weights, else the largest absolute number.
    """
    a = finite(values, (3,), "the maps")
    weights = a.min() >= 0
    full = top or (1.0 if weights and a.max() <= 1 else float(np.abs(a).max()) or 1.0)
    inks = [VIOLET] if weights else [BLUE, ORANGE]
    height = SIDE * min(1.4, max(0.35, a.shape[1] / a.shape[2]))
    frames, words = [], []
    names = [[visible(one, 10) for one in some] for some in (rows, columns)]
    for one in a:
        frames.append(
            f'<image width="{SIDE}" height="{height:.0f}" preserveAspectRatio="none"'
            f' style="image-rendering:pixelated" href="{ink_png(one, full, inks)}"/>'
        )
        i, j = np.unravel_index(np.abs(one).argmax(), one.shape)
        if one.size > 1 and np.allclose(one, one[0, 0], rtol=1e-6, atol=0):
            words.append(f"{title}: {one[0, 0]:.3g} everywhere")
            continue
        place = f"{names[0][i]}, {names[1][j]}" if rows and columns else f"row {i}, column {j}"
        words.append(f"{title}: largest {one[i, j]:.3g} at {place}")
    looks = weights and full == 1.0 and bool(rows) and bool(columns)  # attention: the colors of its viewer
    ground = [
        _panel_text(-6, (i + 0.5) * height / len(rows) + 4, name, "end", QUERY if looks else "")
        for i, name in enumerate(names[0])
    ]
    ground += [
        _panel_text((j + 0.5) * SIDE / len(columns), height + 15, name, "middle", KEY if looks else "")
        for j, name in enumerate(names[1])
    ]
    within = _cell_lines(a.shape[1], a.shape[2], height) if max(a.shape[1:]) <= RULED else ""
    frames = [frame + within for frame in frames]
    ground.append(
        f'<rect width="{SIDE}" height="{height:.0f}" fill="none" stroke="currentColor" stroke-opacity=".2"/>'
    )
    above = f"{title} (row: query, column: key)" if looks else title
    return Panel(above, "".join(ground), frames, words, height)


def bars(
    values: Any, title: str = "", names: Sequence[Any] = (), top: float | None = None, color: str = ATTENTION
) -> Panel:
    """Bars (frames, n), not negative; one scale for all frames."""
    a = finite(values, (2,), "the bars")
    full, height = top or float(a.max()) or 1.0, SIDE * 0.62
    width = SIDE / a.shape[1]
    frames, words = [], []
    labels = [visible(name, 12) for name in names]
    for row in np.clip(a / full, 0, 1):
        path = "".join(
            f"M{(j + 0.12) * width:.0f} {height:.0f}v{-v * height:.0f}h{0.76 * width:.0f}V{height:.0f}z"
            for j, v in enumerate(row)
        )
        frames.append(f'<path fill="{color}" d="{path}"/>')
    for row in a:
        j = int(row.argmax())
        words.append(f"{title}: largest {row[j]:.3g} at {labels[j] if labels else j}")
    ground = _panel_ticks(0, full, height) + "".join(
        _panel_text((j + 0.5) * width, height + 15, name, "middle") for j, name in enumerate(labels)
    )
    return Panel(title, ground, frames, words, height)


def plane(
    values: Any,
    title: str = "",
    x: str = "",
    y: str = "",
    join: bool = False,
    fixed: Mapping[str, Any] | None = None,
    color: str = PAGE_INK,
) -> Panel:
    """Points (frames, n, 2) in a plane, or with ``join`` a curve through them.

    Args:
        values: the points.
        title: what they show.
        x: of the axis.
        y: of the axis.
        join: whether a curve goes through the points of a frame.
        fixed: name → points (m, 2) that stand still, drawn gray; joined if there are more than eight.
        color: of the points.
    """
    a = finite(values, (3,), "the points")
    still = {
        visible(name) if name else "": finite(points, (2,), name) for name, points in (fixed or {}).items()
    }
    every = np.concatenate([a.reshape(-1, 2), *still.values()])
    low, high = every.min(axis=0), every.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    low, span, height = low - 0.05 * span, span * 1.1, SIDE * 0.78

    def placed(points: np.ndarray) -> np.ndarray:
        unit = (points - low) / span
        return np.stack([unit[:, 0] * SIDE, (1 - unit[:, 1]) * height], axis=1)

    def path(points: np.ndarray, joined: bool) -> str:
        if joined:
            return "M" + "L".join(f"{h:.1f} {v:.1f}" for h, v in placed(points))
        return "".join(f"M{h:.0f} {v:.0f}h0" for h, v in placed(points))

    def stroke(ink: str, joined: bool) -> str:
        width = 2 if joined else 7
        return f'fill="none" stroke="{ink}" stroke-linecap="round" stroke-width="{width}"'

    ground = _panel_ticks(low[1], low[1] + span[1], height)
    for name, points in still.items():
        ground += f'<path {stroke(KNOWN, len(points) > 8)} d="{path(points, len(points) > 8)}"/>'
        h, v = placed(points[-1:])[0]
        ground += _panel_text(min(h + 7, SIDE), v - 6, name, "start" if h < SIDE * 0.7 else "end")
    ends = low[0], low[0] + span[0]
    round_numbers = _round_numbers(*ends)
    round_ends = round_numbers[:: max(len(round_numbers) - 1, 1)]
    shares = [(end - low[0]) / span[0] for end in round_ends]
    if len(shares) < 2 or shares[0] > 0.25 or shares[1] < 0.75:  # too near to the name between them
        round_ends, shares = list(ends), [0.0, 1.0]
    for end, share in zip(round_ends, shares, strict=True):
        ground += _panel_text(share * SIDE, height + 15, _signed(f"{float(f'{end:.3g}'):g}"), "middle")
    ground += _panel_text(SIDE / 2, height + 15, x, "middle")
    frames = [f'<path {stroke(color, join)} d="{path(one, join)}"/>' for one in a]
    told = np.where(np.abs(a) < 1e-6 * span, 0.0, a)  # 0, not 7.56e-20
    walks = ((one[0], one[-1]) for one in told)
    words = [
        f"{title}: from ({p[0]:.3g}, {p[1]:.3g}) to ({q[0]:.3g}, {q[1]:.3g})" if len(a[0]) > 1 else
        f"{title}: at ({p[0]:.3g}, {p[1]:.3g})"
        for p, q in walks
    ]  # fmt: skip
    return Panel(f"{title}{': ' if title and y else ''}{y}", ground, frames, words, height)


def _cell_lines(rows: int, columns: int, height: float) -> str:
    """Lines between the cells of a map, so that cells of one color can be told apart."""
    across = "".join(f"M0 {i * height / rows:.0f}h{SIDE}" for i in range(1, rows))
    down = "".join(f"M{j * SIDE / columns:.0f} 0v{height:.0f}" for j in range(1, columns))
    path = across + down
    return f'<path fill="none" stroke="{KNOWN}" stroke-opacity=".45" d="{path}"/>' if path else ""


def _signed(number: str) -> str:
    """A number with the sign that the figures of the notebooks have."""
    return number.replace("-", "−")


def _panel_text(x: float, y: float, words: str, anchor: str, color: str = "") -> str:
    look = f'style="fill:{color}"' if color else 'class="n"'
    return (
        f'<text {look} x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{html.escape(words)}</text>'
        if words
        else ""
    )


def _panel_ticks(low: float, high: float, height: float) -> str:
    """Light lines across at round numbers."""
    parts = []
    for tick in _round_numbers(low, high):
        y = height * (1 - (tick - low) / (high - low))
        parts.append(f'<line x1="0" x2="{SIDE}" y1="{y:.0f}" y2="{y:.0f}"/>')
        parts.append(_panel_text(-6, y + 4, _signed(f"{tick:.6g}"), "end"))
    return "".join(parts)


def _round_numbers(low: float, high: float) -> list[float]:
    """Two to four multiples of 1, 2 or 5 times a power of ten from low to high."""
    aim = (high - low) / 3
    power = 10.0 ** np.floor(np.log10(aim))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= aim * (1 - 1e-9))
    first, last = int(np.ceil(low / step)), int(np.floor(high / step))
    return [float(number * step) for number in range(first, last + 1)]


def frames_slider(
    panels: Any, labels: Sequence[Any], title: str, says: Sequence[str] = (), script: bool = True
) -> Moving:
    """A slider over frames that were computed before: move it, or press the arrow keys.

    Args:
        panels: one or several of :func:`heat`, :func:`bars`, :func:`plane`; or maps (frames, rows, columns).
        labels: what the slider stands at in each frame, such as ``β = 2``.
        title: what the picture shows.
        says: a sentence for each frame, where wanted.
        script: whether a range input moves through the frames; without it a strip of buttons does.

    Raises:
        ValueError: panels and labels do not have the same number of frames, or there are more than 60.
    """
    if isinstance(panels, Panel):
        panels = [panels]
    elif not (isinstance(panels, list | tuple) and panels and isinstance(panels[0], Panel)):
        panels = [heat(panels)]
    names = [visible(label, 60) for label in labels]
    counts = {len(names), *(len(panel.frames) for panel in panels)} | ({len(says)} if len(says) else set())
    if len(counts) != 1 or not 1 <= len(names) <= MAX_FRAMES:
        raise ValueError(
            f"every frame needs one label, and there may be {MAX_FRAMES}; found {sorted(counts)}"
        )
    radios, captions, words = [], [], [f"{title}: {len(names)} frames."]
    for k, name in enumerate(names):
        said = says[k] if len(says) else "; ".join(panel.words[k] for panel in panels)
        said = NEGATIVE.sub("−", said)
        words.append(f"{name}: {said}.")
        told = html.escape(f"{name}: {said}")
        radios.append(
            f'<input class="pick step" type="radio" name="@Us" id="@Us{k}" aria-label="{told}" {KEYS}'
            f'{"" if k else " checked"}><label for="@Us{k}" title="{html.escape(name)}">{k + 1}</label>'
        )
        captions.append(f'<div class="view v{k} cap"><b>{html.escape(name)}</b> {html.escape(said)}</div>')
    drawn = "".join(_drawn_panel(panel) for panel in panels)
    rules = "".join(f"#Us{k}:checked~.stage .v{k}{{display:block}}" for k in range(len(names)))
    return Moving(
        title,
        "\n".join(words),
        f'{"".join(radios)}<div class="stage">{"".join(captions)}<div class="panels">{drawn}</div></div>',
        _still_frames(panels, names, title),
        SLIDER_STYLE + rules,
        SLIDER_SCRIPT if script else "",
    )


def _drawn_panel(panel: Panel) -> str:
    groups = "".join(f'<g class="view v{k}">{frame}</g>' for k, frame in enumerate(panel.frames))
    told = f'role="img" aria-label="{html.escape(panel.title)}"' if panel.title else 'aria-hidden="true"'
    return (
        f'<svg viewBox="-62 {-ABOVE} {SIDE + 82} {panel.height + ABOVE + 22:.0f}" {told}>'
        f'<text x="-58" y="-19" font-weight="600">{html.escape(panel.title)}</text>'
        f"{panel.ground}{groups}</svg>"
    )


def _still_frames(panels: Sequence[Panel], names: Sequence[str], title: str, most: int = 4) -> str:
    """Some of the frames, one below the other, with the panels side by side."""
    keep = np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))
    wide = SIDE + 90

    def ground(panel: Panel) -> str:
        return panel.ground.replace("<line ", '<line stroke="#d9dde2" ')

    parts = [f'<text x="10" y="20" font-size="14" font-weight="600">{html.escape(title)}</text>']
    y = 44.0
    for k in keep:
        parts.append(
            f'<text x="10" y="{y:.0f}" fill="#8e3a80" font-weight="600">{html.escape(names[k])}</text>'
        )
        for number, panel in enumerate(panels):
            parts.append(
                f'<g transform="translate({62 + number * wide} {y + ABOVE + 4:.0f})">'
                f'<text x="-50" y="-19">{html.escape(panel.title)}</text>{ground(panel)}{panel.frames[k]}</g>'
            )
        y += max(panel.height for panel in panels) + ABOVE + 50
    return sheet("".join(parts), max(wide * len(panels) + 10, 8.5 * len(title) + 20), y)
