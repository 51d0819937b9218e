"""Figures: no wider than a page, with names on their axes, and scales that show the data."""

from __future__ import annotations

import base64
import io
import itertools
import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_hex, to_rgb
from PIL import Image

from autograder.homeworks.hw2.public import decoder
from autograder.homeworks.hw3.public import training
from autograder.homeworks.hw4.public import mosaics
from autograder.homeworks.hw4.public.mosaics import draw_confusion, draw_mosaic, show_places
from autograder.kit import figures
from autograder.kit.shared import slider
from autograder.kit.style import (
    INK,
    MEANS,
    PAGE_DPI,
    PAGE_INCHES,
    PAPER,
    PHONE_PIXELS,
    SERIES,
    draw_panels,
    readable,
    signed_colors,
)
from tests.contrast import contrast
from tests.gallery import ROOT

mpl.use("agg")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list:
    """The figures that would be shown."""
    found: list = []
    monkeypatch.setattr(figures, "show_figure", lambda figure=None, alt="": found.append(figure))
    yield found
    for figure in found:
        mpl.pyplot.close(figure)


def page_width(figure) -> int:
    picture, width = figures._crisp_png(figure)
    with Image.open(io.BytesIO(base64.b64decode(picture))) as opened:
        assert opened.width // 2 == width
    assert len(picture) * 3 / 4 < 150_000
    return width


def rows_and_columns(figure) -> tuple[int, int]:
    return figure.axes[0].get_gridspec().get_geometry()


@pytest.mark.parametrize(("maps", "size", "grid"), [(3, 6, (1, 3)), (4, 4, (2, 2))])
def test_maps_side_by_side_fit_on_a_page(drawn, maps: int, size: int, grid: tuple[int, int]):
    names = [f"w{number}" for number in range(size)]
    figures.show_attention([np.eye(size)] * maps, names, title=[str(number) for number in range(maps)])
    assert rows_and_columns(drawn[0]) == grid
    assert page_width(drawn[0]) <= 100 * (PAGE_INCHES + 0.4)


def pixels_on_a_phone(figure, points: float) -> float:
    """How tall letters of this font size are on a phone of 390 pixels."""
    return points / 72 * PAGE_DPI * min(1, PHONE_PIXELS / page_width(figure))


@pytest.mark.parametrize(
    ("maps", "size", "written"),
    [(1, 4, True), (1, 6, True), (1, 8, True), (2, 5, True), (2, 6, True), (3, 6, False), (6, 5, False)],
)
def test_digits_in_maps_can_be_read_on_a_phone_or_are_left_out(drawn, maps: int, size: int, written: bool):
    weights = np.full((size, size), 1 / size)
    names = [str(number) for number in range(size)]
    figures.show_attention([weights] * maps, names, title=["your causal mask"] * maps, heading="All maps")
    digits = [text for axis in drawn[0].axes for text in axis.texts]
    assert len(digits) == (maps * size**2 if written else 0)
    told = any("white: 0" in axis.get_xlabel() for axis in drawn[0].axes)
    assert told is not written, "without digits the figure says what its colors mean"
    for axis in drawn[0].axes if written else ():
        cell = axis.get_window_extent().width / size
        assert max(text.get_window_extent().width for text in axis.texts) < cell
    assert not digits or pixels_on_a_phone(drawn[0], digits[0].get_fontsize()) > 8.9


def test_matrices_too_wide_for_digits_say_how_far_their_colors_go(drawn):
    panels = {"Q": np.full((3, 3), 6.0), "wide": np.full((3, 8), -1.5)}
    figures.show_matrices({"designed": panels, "trained": panels}, title="T " * 60)
    titles = [axis.get_title("left") for axis in drawn[0].axes]
    assert titles == ["designed\nQ (3 × 3)", "trained\nQ (3 × 3)", *["wide (3 × 8), to ±1.5"] * 2]
    assert [len(axis.texts) for axis in drawn[0].axes] == [9, 9, 0, 0]
    assert "\n" in drawn[0].get_suptitle(), "a title wider than the figure is broken"
    assert page_width(drawn[0]) <= 100 * (PAGE_INCHES + 0.4)


def test_titles_and_ticks_of_curves_can_be_read_on_a_phone(drawn):
    panel = {"title": "A long finding " * 6, "x": "x", "y": "y", "lines": {"a curve": ([1, 2], [3, 4])}}
    figures.show_lines(panel)
    axis = drawn[0].axes[0]
    assert axis.get_title("left").count("\n") >= 1
    letters = [axis._left_title, axis.xaxis.label, *axis.get_xticklabels(), *axis.texts]
    assert all(pixels_on_a_phone(drawn[0], text.get_fontsize()) > 8.8 for text in letters)


def test_a_panel_below_does_not_narrow_a_title_and_names_of_ticks_do_not_touch(drawn):
    line = {"x": "x", "y": "y", "lines": {"slope -0.50": ([1, 4], [-1, 4])}}
    wide = {
        "title": "Gradient descent comes down to the loss",
        "log": "x",
        "ticks": [10**n for n in range(9)],
    }
    figures.show_lines(line | wide, line | {"title": "below", "same": True})
    above, below = drawn[0].axes
    assert below.get_window_extent().x0 > above.get_window_extent().x0 + 20
    assert "\n" not in above.get_title("left")
    names = [name for name in above.get_xticklabels() if name.get_visible() and name.get_text()]
    boxes = [name.get_window_extent() for name in names]
    assert 3 < len(names) < 9
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert above.texts[0].get_text() == "slope −0.50"


def test_a_zero_is_faint_and_short(drawn):
    figures.show_attention(np.array([[1.0, 0.001], [-0.0, 1.0]]), "ab")
    texts = {text.get_text(): text.get_color() for text in drawn[0].axes[0].texts}
    assert texts == {"1.00": "white", "0": readable(MEANS["other"])}


@pytest.mark.parametrize("color", sorted({*MEANS.values(), *SERIES}))
def test_letters_in_the_color_of_a_line_can_be_read(color: str):
    assert contrast(readable(color), PAPER) >= 4.5
    assert contrast(color, PAPER) < 4.5 or readable(color) == color  # no darker than needed
    assert contrast(readable(color), PAPER) < 4.7 or readable(color) == color
    hues = [rgb_to_hsv(to_rgb(one)) for one in (color, readable(color))]
    assert np.abs(hues[0] - hues[1])[:2].max() < 0.03  # still the color of its line


def test_names_of_lines_and_axes_and_zeros_can_be_read(drawn):
    line = ([0, 1], [0, 1])
    names = ["query", "key", "value", "attention", "target", "other"]
    figures.show_lines(
        {
            "title": "",
            "x": "x",
            "y": "y",
            "lines": dict.fromkeys(names, line),
            "colors": dict(zip(names, names, strict=True)),
        }
    )
    figures.show_attention(np.full((2, 2), 0.5), "ab")
    axis = draw_panels()[1][0, 0]
    draw_confusion(axis, np.array([[3, 0], [1, 4]]), ["cat", "dog"])
    told = [text for one in (drawn[0].axes[0], axis) for text in one.texts if text.get_text().strip()]
    assert len(told) == 10
    told += [drawn[1].axes[0].xaxis.label, drawn[1].axes[0].yaxis.label]
    assert {text.get_text() for text in told if contrast(to_hex(text.get_color()), PAPER) < 4.5} == set()


def test_white_pictures_have_a_frame():
    axis = draw_panels()[1][0, 0]
    draw_mosaic(axis, np.ones((2, 3, 4, 4)), "ab", "cde")
    assert [patch.get_xy() for patch in axis.patches] == [
        (x, y) for y in (-0.5, 4.5) for x in (-0.5, 4.5, 9.5)
    ]


def test_panels_of_curves_stand_one_above_the_other_in_plain_colors(drawn):
    line = {"title": "t", "x": "x", "y": "y", "lines": {"one": ([1, 2], [0.3, 6.0]), "two": ([1, 2], [1, 2])}}
    figures.show_lines(line | {"log": "y"}, line)
    assert rows_and_columns(drawn[0]) == (2, 1)
    colors = [one.get_color() for one in drawn[0].axes[0].lines]
    assert colors == list(SERIES[:2]) == [INK, MEANS["other"]]
    assert not {MEANS["query"], MEANS["key"], MEANS["value"], MEANS["attention"]} & set(SERIES)
    drawn[0].canvas.draw()
    ticks = [text.get_text() for text in drawn[0].axes[0].get_yticklabels()]
    assert {"0.5", "1", "2"} <= set(ticks), "a logarithmic axis over few powers of ten has plain numbers"


def test_two_heads_stand_side_by_side_and_every_row_has_its_name(drawn, monkeypatch):
    monkeypatch.setattr(training, "show_matrices", figures.show_matrices)
    monkeypatch.setattr(training, "frames_slider", None)
    head = training.train_head("3.3", steps=2)
    training.compare_heads("3.3", head | {"frames": ()}, head)
    assert rows_and_columns(drawn[0]) == (5, 2)
    assert "nearly the same attention" in " ".join(drawn[0].get_suptitle().split())
    for axis in drawn[0].axes:
        rows = axis.images[0].get_array().shape[0]
        assert [bool(label.get_text()) for label in axis.get_yticklabels()] == [True] * rows
    assert drawn[0].get_size_inches()[0] == PAGE_INCHES


def test_the_own_place_does_not_set_the_scale():
    values = np.full((3, 3, 3, 3), 0.1)
    for i, j in itertools.product(range(3), range(3)):
        values[i, j, i, j] = 1.0
    values[0, 0, 2, 2] = -0.4
    figure, ((axis,),) = draw_panels()
    image = draw_mosaic(axis, values, range(3), range(3), cmap=signed_colors(), mark_own=True)
    assert image.get_clim() == (-0.4, 0.4)
    assert len(axis.lines) == 9
    mpl.pyplot.close(figure)


def test_the_colors_of_a_confusion_matrix_are_those_of_the_mistakes():
    figure, ((axis,),) = draw_panels()
    draw_confusion(axis, [[90, 10, 0], [3, 97, 0], [0, 1, 99]], ["coat", "shirt", "bag"])
    assert np.asarray(axis.images[0].get_array()).max() == 10
    assert (axis.get_title("left") or axis.get_title()) == "95.3% right; most often coat is taken for shirt"
    mpl.pyplot.close(figure)


@pytest.mark.parametrize(("low", "high"), [(-0.637, 1.08), (0, 1), (-4.2, 0.1), (120, 4700), (1e-4, 3e-4)])
def test_axes_of_pictures_that_move_have_round_numbers(low: float, high: float):
    ticks = slider._round_numbers(low, high)
    assert 2 <= len(ticks) <= 4
    assert all(low <= tick <= high for tick in ticks)
    assert all(len(f"{tick:.6g}".strip("-").replace(".", "").strip("0")) <= 2 for tick in ticks)


def test_both_decoders_show_the_same_attention(monkeypatch: pytest.MonkeyPatch, capsys):
    import torch

    monkeypatch.setattr(decoder, "WEIGHTS_FOLDERS", ["notebooks/data"])
    seen = []

    class Shown:
        def __init__(self, weights, letters, **more):
            self.weights = weights
            self.made = real(weights, letters, **more)

        def show(self):
            seen.append(self)

    real = decoder.attention_viewer
    monkeypatch.setattr(decoder, "attention_viewer", Shown)
    stored = decoder.load_pretrained()
    ready = decoder.stored_decoder(stored)
    parts = decoder.decoder_of(decoder.ready_made_parts(), decoder.DECODER_SIZES)
    for model in (ready, parts):
        decoder.show_reading(model, "Jane and Mary", "Letters")
    assert all(one.weights.shape == (2, 4, 13, 13) for one in seen)
    assert torch.allclose(seen[0].weights.sum(-1), torch.ones(2, 4, 13), atol=1e-5)
    assert seen[0].weights.triu(1).abs().max() == 0
    assert seen[0].weights[0, 2, 1, 0] > 0.9, (
        "as the text below the figure says: the a of Jane looks at the J"
    )
    assert seen[0].weights[1, 3, 9, 0] > 0.7
    page = seen[0].made._repr_html_()
    assert len(page) < 100_000
    picked = [number for number in range(4) if re.search(rf'head {number}" checked', page)]
    assert picked == [2], "the head that the title is about"
    decoder.show_reading(None, "Jane", "Letters")
    assert "appears here when" in capsys.readouterr().out


def test_positions_being_learned_are_real_frames_with_the_own_place_left_out(monkeypatch: pytest.MonkeyPatch):
    kept = np.load(ROOT / "solutions" / "hw4_vision_transformer.frames.npz")
    tables = kept["tables"].astype(float)[:, 0, 1:]
    unit = tables / np.linalg.norm(tables, axis=-1, keepdims=True)
    shown, maps = [], []
    monkeypatch.setattr(slider.Moving, "show", lambda picture: shown.append(picture))
    monkeypatch.setattr(
        mosaics, "heat", lambda values, *more: maps.append(values) or slider.heat(values, *more)
    )
    show_places(unit @ unit.transpose(0, 2, 1), kept["epochs"].tolist())
    (picture,) = shown
    assert kept["epochs"].tolist() == [*range(0, 46, 2), 45]
    assert len(picture._repr_html_()) < 100_000
    assert picture.words.count("after epoch") == 23
    assert [np.abs(values[:, place, place]).max() for values, place in zip(maps, (3, 1), strict=True)] == [
        0,
        0,
    ]
    found = [float(number.replace("−", "-")) for number in re.findall(r"−?\d\.\d+", picture.title)]
    assert abs(found[0]) < 0.05
    assert found[1] > 0.15, "neighbors become alike in training"
