"""Pictures pasted into written answers: shown as copies that we made, refused with words, never trusted."""

from __future__ import annotations

import base64
import io
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from autograder.author.build import build_notebook, dumps
from autograder.declare import homeworks
from autograder.grade.marks import digest
from autograder.grade.report import QuestionResult
from autograder.names import source_path
from autograder.report import safehtml, written
from autograder.submissions import pictures
from autograder.submissions.find import Submission
from autograder.submissions.notebook import read_notebook, written_answers
from tests.gallery import ROOT

HW3 = homeworks()["hw3"]
SECRET = b"GPS 52.1 N 13.2 E"


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), color: str = "red") -> bytes:
    buffer = io.BytesIO()
    made = Image.new("RGB", size, color)
    if kind == "JPEG":
        exif = made.getexif()
        exif[0x010E] = SECRET.decode()
        made.save(buffer, kind, exif=exif)
    else:
        made.save(buffer, kind, **({"compress_level": 1} if kind == "PNG" else {}))  # other bytes than ours
    return buffer.getvalue()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@cache
def built_text() -> str:
    return dumps(build_notebook(HW3, source_path(ROOT, HW3.stem)))


def handed_in(source: str, attached: dict | None = None, other: dict | None = None) -> bytes:
    """A notebook with this answer cell, and another cell with an attachment of its own."""
    built = nbformat.reads(built_text(), as_version=4)
    place = next(n for n, cell in enumerate(built.cells) if cell.source.startswith("**Answer 3.7**"))
    built.cells[place].source = f"**Answer 3.7**\n\n{source}"
    if attached is not None:
        built.cells[place]["attachments"] = nbformat.from_dict(attached)
    if other is not None:
        built.cells[3]["attachments"] = nbformat.from_dict(other)
    return dumps(built).encode()


def answer(data: bytes):
    return written_answers(read_notebook(data), HW3, data)["3.7"]


def shown(found) -> list[Image.Image]:
    """The pictures of an answer, decoded."""
    uris = re.findall(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)", found.text)
    return [Image.open(io.BytesIO(base64.b64decode(uri))) for uri in uris]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_an_attached_picture_becomes_a_copy_of_ours(kind: str):
    data = picture(kind)
    handed = handed_in(
        "See ![my map](attachment:map.png).", {"map.png": {f"image/{kind.lower()}": text(data)}}
    )
    found = answer(handed)
    (copy,) = shown(found)
    assert copy.size == (60, 40)
    assert copy.convert("RGB").getpixel((5, 5))[0] > 240
    assert text(data) not in found.text
    assert SECRET not in base64.b64decode(found.text.split("base64,")[1].split(")")[0])
    assert "attachment:" not in found.text
    page = safehtml.markdown(found.text)
    assert 'alt="my map"' in page
    assert 'src="data:image/' in page


@pytest.mark.parametrize(
    "source",
    ["![x](data:image/png;base64,{0})", '<img src="data:image/png;base64,{0}" alt="x">',
     "![x][one]\n\n[one]: data:image/png;base64,{0}"],
)  # fmt: skip
def test_a_picture_in_the_text_is_copied_too(source: str):
    found = answer(handed_in("Look: " + source.format(text(picture()))))
    assert [copy.size for copy in shown(found)] == [(60, 40)]
    assert found.original
    assert "<img" in safehtml.markdown(found.text)


def test_pictures_of_the_same_name_in_two_cells_are_not_mixed_up():
    mine = {"image.png": {"image/png": text(picture(color="blue"))}}
    others = {"image.png": {"image/png": text(picture(color="lime"))}}
    (copy,) = shown(answer(handed_in("![](attachment:image.png)", mine, others)))
    assert copy.convert("RGB").getpixel((1, 1)) == (0, 0, 255)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (SVG, "SVG"),
        (b"\x89PNG\r\n\x1a\nbroken", "cannot be read|no PNG"),
        (b"GIF89a\xff\xff\xff\xff", "pixels|cannot be read|no PNG"),
        (b"", "not in the notebook"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "no PNG"),
        (picture()[:-40], "cannot be read"),
    ],
)
def test_what_is_no_picture_is_refused_with_words_and_the_answer_stays(data: bytes, why: str):
    found = answer(
        handed_in("Words. ![my map](attachment:a.png) More.", {"a.png": {"image/png": text(data)}})
    )
    assert shown(found) == []
    assert "Words." in found.text
    assert re.search(f"is not shown: .*({why})", found.text)
    page = safehtml.markdown(found.text)
    assert "<img" not in page
    assert "[my map]" in page
    assert "<script" not in page


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_unpacked():
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG", optimize=True)
    assert len(buffer.getvalue()) < 1_000_000
    found = answer(handed_in("![x](attachment:a.png)", {"a.png": {"image/png": text(buffer.getvalue())}}))
    assert "too many" in found.text
    assert shown(found) == []


def test_a_photo_is_made_smaller():
    noise = Image.effect_noise((3_000, 2_000), 80).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=80)
    (copy,) = shown(
        answer(handed_in("![x](attachment:a.jpg)", {"a.jpg": {"image/jpeg": text(buffer.getvalue())}}))
    )
    assert max(copy.size) == 1_600


def test_more_than_some_pictures_are_named_and_not_shown():
    names = [f"p{number}.png" for number in range(15)]
    attached = {name: {"image/png": text(picture(size=(20 + n, 20)))} for n, name in enumerate(names)}
    found = answer(handed_in(" ".join(f"![x](attachment:{name})" for name in names), attached))
    assert len(shown(found)) == pictures.MAX_PICTURES
    assert found.text.count("is not shown") == 3


def test_a_child_that_dies_costs_its_own_picture_only(monkeypatch: pytest.MonkeyPatch):
    calls = []
    real = pictures.subprocess.run

    def run(command, **options):
        calls.append(command)
        if len(calls) == 1:
            raise pictures.subprocess.TimeoutExpired(command, 1)
        return real(command, **options)

    monkeypatch.setattr(pictures.subprocess, "run", run)
    attached = {"a.png": {"image/png": text(picture())}, "b.png": {"image/png": text(picture("GIF"))}}
    assert len(shown(answer(handed_in("![](attachment:a.png) ![](attachment:b.png)", attached)))) == 2


def test_a_child_that_was_taken_over_cannot_put_anything_on_a_page():
    for said in (
        {"uri": "javascript:alert(1)"},
        {"uri": 'data:image/png;base64,AA"><script>'},
        {"why": "<b>x</b>"},
    ):
        checked = pictures._checked(said)
        assert "uri" not in checked
        assert "<" not in checked["why"]


def test_an_answer_has_the_same_digest_however_its_pictures_are_copied(monkeypatch: pytest.MonkeyPatch):
    data = handed_in("![x](attachment:a.png)", {"a.png": {"image/png": text(picture())}})
    other = handed_in("![x](attachment:a.png)", {"a.png": {"image/png": text(picture(color="navy"))}})

    def key(found) -> str:
        return digest(
            QuestionResult("3.7", "", (), written=found.text, found="found", original=found.original).answer
        )

    before, different = key(answer(data)), key(answer(other))
    monkeypatch.setattr(
        pictures, "_child", lambda given: [{"uri": "data:image/png;base64,AAAA"} for _ in given]
    )
    assert key(answer(data)) == before != different


def test_the_pages_of_written_answers_show_the_picture(tmp_path: Path):
    data = handed_in("![my map](attachment:a.png)", {"a.png": {"image/png": text(picture())}})
    homework, found = written.answers(Submission("jane", notebook=data))
    page = written.page("jane", homework, found)
    assert 'alt="my map"' in page
    assert "data:image/png;base64," in page


def test_a_long_answer_with_pictures_is_still_shown_as_markdown():
    uri = f"data:image/png;base64,{'A' * 400_000}"
    page = safehtml.markdown(f"**Words** ![x]({uri})")
    assert "<strong>Words</strong>" in page
    assert uri in page
