"""Pictures that move: what they hold, that nothing in them runs or loads, how large they are, colors."""

from __future__ import annotations

import html
import itertools
import json
import random
import re
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest

from autograder import kit
from autograder.kit.shared.boxes import Box, shape_picture, traced_shapes
from autograder.kit.shared.moving import STILL, Moving, ink_png
from autograder.kit.shared.patches import patch_viewer
from autograder.kit.shared.slider import bars, frames_slider, heat, plane
from autograder.kit.shared.viewer import attention_viewer
from autograder.report.notebook_html import render_cells

HOSTILE = [
    "<script>alert(1)</script>",
    '" onmouseover="alert(2)',
    "</style><img src=x onerror=alert(3)>",
    "a\nb",
    "",
]
BOXES = (
    Box("X", ("n", "d"), "input", 0),
    Box("Q", ("n", "k"), "query", 1),
    Box("scores", ("n", "n"), "attention", 2),
    Box("output", ("n", "k"), "output", 3),
)
SIZES = {"n": 4, "d": 5, "k": 3}


def weights(*shape: int) -> np.ndarray:
    scores = np.exp(2 * np.random.default_rng(0).normal(size=shape))
    return scores / scores.sum(axis=-1, keepdims=True)


def pictures(names: list[str]) -> dict[str, Moving]:
    n = len(names)
    frames = np.random.default_rng(1).normal(size=(20, n, n))
    return {
        "viewer": attention_viewer(weights(4, n, n), names, title=names[0]),
        "slider": frames_slider(
            [
                heat(frames, names[0], names, names),
                bars(weights(20, n), names[0], names),
                plane(frames[:, :, :2], names[0], names[1], names[2], fixed={names[0]: frames[0, :, :2]}),
            ],
            [f"{names[0]} {k}" for k in range(20)],
            names[2],
        ),
        "patches": patch_viewer(
            np.full((2, 6, 6), 0.5), weights(2, 3, 10, 10), names[:2], names[:3], title=names[1]
        ),
    }


class Tags(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("kind", ["viewer", "slider", "patches"])
def test_hostile_names_are_text_and_nothing_loads(kind: str):
    made = pictures(HOSTILE)[kind]
    text = made._repr_html_()
    for tag, attributes in Tags(text).found:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        if "src" in attributes:
            assert attributes["src"].startswith(("data:image/png;base64,", "data:image/svg+xml;base64,"))
    assert sum(tag == "script" for tag, _ in Tags(text).found) == 1  # our own
    assert text.count("</style>") == 1
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    still = Tags(made.still).found
    assert {tag for tag, _ in still} <= {"svg", "rect", "text", "g", "image", "path", "line", "defs", "use"}


@pytest.mark.parametrize("kind", ["viewer", "slider", "patches"])
def test_a_feedback_page_shows_the_still_picture_and_no_script_or_style(kind: str):
    made = pictures(HOSTILE)[kind]
    output = nbformat.v4.new_output(
        "display_data", data={"text/html": made._repr_html_(), "text/plain": made.words}
    )
    cell = nbformat.v4.new_code_cell("x", outputs=[output])
    (shown,) = render_cells(nbformat.v4.new_notebook(cells=[cell]))
    found = Tags(str(shown)).found
    assert sum(attributes.get("src", "").startswith("data:image/svg+xml") for _, attributes in found) == 1
    assert not {tag for tag, _ in found} & {"script", "style", "input", "button", "svg"}
    assert "shown as text" not in str(shown)
    (alt,) = [attributes["alt"] for tag, attributes in found if tag == "img"]
    assert alt.split() == made.words.split()


def test_marks_of_a_still_picture_let_nothing_through():
    bad = f"<b>kept?</b>{STILL[0]}<script>alert(1)</script><iframe src='//x'></iframe>{STILL[1]}"
    worse = f"{STILL[1]}<img src=x onerror=alert(1)>{STILL[0]}"
    for text in (bad, worse, STILL[0] * 3 + bad, f"{STILL[0]}<style>*{{display:none}}</style>{STILL[1]}"):
        output = nbformat.v4.new_output("display_data", data={"text/html": text})
        cell = nbformat.v4.new_code_cell("x", outputs=[output])
        (shown,) = render_cells(nbformat.v4.new_notebook(cells=[cell]))
        assert not {tag for tag, _ in Tags(str(shown)).found} & {"script", "iframe", "style"}
        assert not any("onerror" in attributes for _, attributes in Tags(str(shown)).found)


def test_each_display_has_ids_of_its_own_and_leaves_seeded_generators_alone():
    random.seed(3)
    np.random.seed(3)
    before = random.getstate(), np.random.get_state()[1].tolist()
    made = pictures(list("ABCDE"))
    texts = [picture._repr_html_() for picture in made.values() for _ in range(2)]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    ids = [re.findall(r'\bid="(\w+)"', text) for text in texts]
    assert all(ids)
    assert len(set(itertools.chain(*ids))) == sum(map(len, ids))


def test_every_control_keeps_its_keys_from_jupyterlab():
    for picture in pictures(list("ABCDE")).values():
        controls = [
            attributes for tag, attributes in Tags(picture._repr_html_()).found if tag in ("input", "button")
        ]
        assert controls
        assert all(attributes.get("data-lm-suppress-shortcuts") == "true" for attributes in controls)


def test_an_output_stays_below_100_kb():
    words = [
        "The",
        "quick",
        "brown",
        "fox",
        "jumps",
        "over",
        "the",
        "lazy",
        "dog",
        "because",
        "it",
        "was",
        "chasing",
        "a",
        "gray",
        "mouse",
        "in",
        "our",
        "barn",
    ]
    many = attention_viewer(weights(4, 24, 24), (words * 2)[:24])
    frames = frames_slider(np.random.default_rng(0).normal(size=(20, 10, 10)), range(20), "noise")
    smooth = np.exp(-np.linspace(0, 3, 50))[None, None, None] * np.ones((4, 6, 50, 50))
    patches = patch_viewer(np.random.default_rng(0).random((4, 28, 28)), smooth)
    for picture in (many, frames, patches):
        assert len(json.dumps(picture._repr_html_())) + len(json.dumps(picture.words)) < 100_000


def test_what_does_not_fit_is_refused_in_words():
    with pytest.raises(ValueError, match="do not fit 2 queries, 2 keys"):
        attention_viewer(weights(3, 3), ["a", "b"])
    with pytest.raises(ValueError, match="scores before the softmax"):
        attention_viewer(-weights(2, 2), ["a", "b"])
    with pytest.raises(ValueError, match=r"weights holds nan at \(0, 1\)"):
        attention_viewer([[0.5, float("nan")], [0.5, 0.5]], ["a", "b"])
    with pytest.raises(ValueError, match="every frame needs one label"):
        frames_slider(np.ones((3, 2, 2)), [1, 2], "x")


def test_the_viewer_says_where_each_token_looks():
    made = attention_viewer(np.array([[0.1, 0.9], [0.75, 0.25]]), ["cat", "sat"], title="Two words")
    assert "cat looks most at sat (0.90); sat looks most at cat (0.75)." in made.words
    assert html.escape("cat looks at sat 0.90, cat 0.10") in made._repr_html_()
    assert repr(made) == made.words


def test_ink_is_the_number():
    from base64 import b64decode
    from io import BytesIO

    from PIL import Image

    values = np.array([[0.0, 0.5], [1.0, -1.0]])
    address = ink_png(values, 1.0, [(10, 20, 30), (200, 100, 0)])
    with Image.open(BytesIO(b64decode(address.split(",")[1]))) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    assert pixels[0, 0, 3] == 0
    assert abs(int(pixels[0, 1, 3]) - 127) <= 5
    assert pixels[1, 0].tolist() == [10, 20, 30, 255]
    assert pixels[1, 1].tolist() == [200, 100, 0, 255]


def right(X, W):
    Q = X @ W
    scores = Q @ Q.T
    return scores @ Q


def across_features(X, W):
    queries = X @ W
    s = queries.T @ queries
    return s @ X


@pytest.mark.parametrize(("function", "wrong"), [(right, set()), (across_features, {"scores"})])
def test_the_picture_of_shapes_marks_the_array_that_does_not_fit(function, wrong: set[str]):
    X, W = np.ones((4, 5)), np.ones((5, 3))
    made = traced_shapes(function.__code__, lambda: function(X, W))
    picture = shape_picture(BOXES, made, SIZES, "Shapes", failed=True)
    assert set(re.findall(r"(\w+) has the wrong shape", picture.words)) == wrong
    assert picture.still.count("✗ ") == len(wrong)
    assert 'width="344"' in picture.still  # an output on a phone, so that its letters keep their size there
    assert ("It raised ValueError" in picture.words) == bool(wrong)
    assert shape_picture(BOXES, made, SIZES, "Shapes", failed=False).still.count("✗ ") == 0


def test_the_colors_differ_for_every_color_vision():
    # Machado, Oliveira and Fernandes (2009), severity 1
    sights = {
        "usual": np.eye(3),
        "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    }
    names = ("query", "key", "value", "attention", "target", "prediction")
    for sight, matrix in sights.items():
        seen = {name: lab(np.asarray(matrix) @ linear(kit.MEANS[name])) for name in names}
        for one, other in itertools.combinations(names, 2):
            assert np.linalg.norm(seen[one] - seen[other]) > 12, (sight, one, other)


def linear(color: str) -> np.ndarray:
    values = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(
        rgb, 0, 1
    )
    t = xyz / [0.9505, 1.0, 1.089]
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_a_map_of_one_color_shows_its_cells_and_names_none_as_the_largest():
    shown = frames_slider(heat(np.full((1, 3, 3), 1 / 3), "attention", "abc", "abc"), ["β = 0"], "x")
    assert "attention: 0.333 everywhere" in shown.words
    assert 'd="M0 77h230M0 153h230M77 0v230M153 0v230"' in shown.live, "two lines across, two down"
    fine = frames_slider(heat(np.full((1, 30, 30), 1 / 30)), ["β = 0"], "x")
    assert "h230" not in fine.live, "cells of a few pixels have no lines"


def test_a_panel_keeps_its_title_off_the_names_and_writes_a_minus_sign():
    points = np.array([[[-1.0, 0.0]], [[3.0, 2.0]]])
    body = frames_slider(plane(points, "output", "first", "second"), ["a", "b"], "x").live
    assert float(re.search(r'<text x="-58" y="(-\d+)"', body)[1]) <= -19, "a name over a point at the edge"
    assert ">−1<" in body or ">−1.2<" in body
    assert not re.search(r">-\d", body)


def test_a_row_of_the_viewer_has_room_for_one_wide_letter():
    """An M is about 0.87 em wide, and the row keeps 1 em beside it: "M…" stood there before."""
    style = attention_viewer(weights(2, 2), ["M", "a"]).style
    assert float(re.search(r"grid-template-columns:([\d.]+)em", style)[1]) >= 1.9


def test_the_picture_of_shapes_says_what_dashed_means():
    def whole(X, Q):
        return X @ Q

    made = traced_shapes(whole.__code__, lambda: whole(np.ones((4, 5)), np.ones((5, 3))))
    picture = shape_picture(BOXES, made, SIZES, "Shapes", failed=False)
    assert "Dashed: the shape that the formula gives" in picture.still, "no scores among its arrays"
    made.shapes["scores"] = (4, 4)
    assert "Dashed" not in shape_picture(BOXES, made, SIZES, "Shapes", failed=False).still
