"""The contrast of two colors, and a script for a browser that finds text which is hard to read."""

from __future__ import annotations


def contrast(one: str, other: str) -> float:
    """The contrast of two colors such as ``#8a6d00``, by WCAG's formula: from 1 to 21."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# text whose color is too close to what it stands on: less than 4.5 to 1, by WCAG's formula
CONTRASTS = """() => {
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = rgb => rgb.slice(0, 3)
    .map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const under = element => {
    for (let one = element; one; one = one.parentElement) {
      const color = numbers(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] > .99) return color;
    }
    return [255, 255, 255];
  };
  const found = new Set();
  for (const one of document.querySelectorAll('body *')) {
    if (![...one.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !one.checkVisibility()) continue;
    if (one.closest('.ag-hidden, [style], svg g g rect')) continue;
    const drawn = one.closest('svg');
    if (drawn && one.getAttribute('fill')) continue;  // in a cell of its own color
    const style = getComputedStyle(one), color = drawn ? style.fill : style.color;
    const [a, b] = [light(numbers(color)), light(under(one))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) found.add(`${ratio.toFixed(1)} ${one.className}: ${one.textContent.slice(0, 40)}`);
  }
  return [...found];
}"""
