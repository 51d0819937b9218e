"""Makes HTML out of what students wrote, and keeps it harmless: sanitized by nh3, no script at all.

Every page of this project shows student text only through :func:`clean` or :func:`markdown`. Equations become
MathML when a page is made (latex2mathml), so that a page needs no script and no font from anywhere.
"""

from __future__ import annotations

import html
import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any

import nh3
from jinja2 import ChoiceLoader, Environment, PackageLoader
from latex2mathml.converter import convert
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from autograder.files import points

MAX_MARKDOWN = 30_000  # characters of a cell that are rendered; the rest of such an answer is shown as it is
MAX_MATH = 3_000
OWN_CLASSES = ("ag-",)  # classes of our pages; student HTML may not wear them
TEMPLATES = Path(__file__).parent / "templates"

MATH_TAGS = {
    *(
        "math",
        "mrow",
        "mi",
        "mo",
        "mn",
        "mtext",
        "mspace",
        "ms",
        "mfrac",
        "msqrt",
        "mroot",
        "mstyle",
        "mpadded",
        "mphantom",
        "menclose",
    ),
    *(
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mtable",
        "mtr",
        "mtd",
        "mmultiscripts",
        "mprescripts",
        "none",
        "merror",
    ),
}
TAGS = (
    (
        nh3.ALLOWED_TAGS
        - {"map", "area", "article", "header", "footer", "nav", "aside", "section", "main", "form"}
    )
    | MATH_TAGS
    | {"details", "summary", "figure", "figcaption", "section"}
)
MATH_ATTRIBUTES = {
    *(
        "display",
        "displaystyle",
        "scriptlevel",
        "mathvariant",
        "stretchy",
        "fence",
        "separator",
        "lspace",
        "rspace",
        "minsize",
        "maxsize",
    ),
    *(
        "width",
        "height",
        "depth",
        "accent",
        "accentunder",
        "linethickness",
        "columnalign",
        "rowspacing",
        "columnspacing",
        "form",
        "movablelimits",
    ),
}
ATTRIBUTES: dict[str, set[str]] = {
    **{tag: set(names) - {"name"} for tag, names in nh3.ALLOWED_ATTRIBUTES.items() if tag in TAGS},
    **dict.fromkeys(MATH_TAGS, MATH_ATTRIBUTES),
    "math": {"display", "xmlns"},
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height", "title"},
    "*": {"class", "style"},
    "details": {"open"},
}
STYLES = {
    *(
        "color",
        "background-color",
        "font-weight",
        "font-style",
        "text-align",
        "text-decoration",
        "white-space",
        "line-height",
        "font-size",
    ),
    *(
        "border",
        "border-left",
        "border-collapse",
        "padding",
        "margin",
        "max-width",
        "width",
        "height",
        "vertical-align",
    ),
}
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*\Z")
PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=]{40,}")
SCRIPTED = re.compile(
    r"<\s*/?\s*(?:script|iframe|object|embed|form|meta|base|link|frame|portal|style)\b"
    r"|\bon\w+\s*=|(?:java|vb)script\s*:|srcdoc\s*=",
    re.I,
)


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "src":
        return value if IMAGE.match(value) else None
    if name == "href":
        return value if re.match(r"(?:https?://|mailto:)", value, re.I) else None
    if name == "class":
        return " ".join(word for word in value.split() if not word.startswith(OWN_CLASSES)) or None
    if name == "style":
        return None if re.search(r"url\s*\(|expression|\\|/\*", value, re.I) else value
    return value


UNLOADED = re.compile(r"<img(?![^>]*\ssrc=)[^>]*>")  # as the cleaner writes it: quoted attributes, > escaped
_CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    attribute_filter=_attribute,
    clean_content_tags={"script", "style", "iframe", "object", "embed", "noscript", "template"},
    filter_style_properties=STYLES,
    url_schemes={"http", "https", "mailto", "data"},  # data for img alone: see _attribute
)


def clean(text: str) -> Markup:
    """The HTML without what runs, loads, or leaves its place; pictures from elsewhere become their words."""
    kept = UNLOADED.sub(
        lambda image: f"[{words[1]}]" if (words := re.search(r'alt="([^"]*)"', image[0])) else "",
        _CLEANER.clean(text),
    )
    return Markup(kept)  # noqa: S704  # that is what the cleaner is for


def as_text(text: str) -> Markup:
    """The text itself, as it was written, in a box."""
    return Markup("<pre>{}</pre>").format(text)


def shown_html(text: str) -> str:
    """HTML out of a notebook's output: as it is, or as plain text if it tries to run or embed something."""
    if SCRIPTED.search(text):
        told = "This output holds a script or the like; it is shown as text."
        return f"<p><em>{told}</em></p><pre>{html.escape(text[:20_000])}</pre>"
    return text


@lru_cache(maxsize=2_000)
def math(tex: str, block: bool = False) -> str:
    """TeX as MathML; as code where the converter does not know it."""
    if len(tex) <= MAX_MATH:
        try:
            return str(convert(tex.strip(), display="block" if block else "inline"))
        except Exception:  # noqa: S110  # a converter's trouble with odd TeX must not cost a page
            pass
    return f"<code>{html.escape(tex)}</code>"


class _Renderer(IPythonRenderer):
    """nbconvert's Markdown renderer, with equations as MathML."""

    def block_math(self, body: str) -> str:
        return f"<div>{math(body, True)}</div>"

    def inline_math(self, body: str) -> str:
        return math(body)

    def latex_environment(self, name: str, body: str) -> str:
        whole = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return f"<div>{math(whole, True)}</div>"


def markdown_html(text: str, **_: Any) -> str:
    """Markdown as Jupyter reads it, with MathML; not sanitised yet."""
    pictures: dict[str, str] = {}

    def aside(picture: re.Match[str]) -> str:
        name = f"data:image/png;base64,{secrets.token_hex(12)}"  # nobody's text can hold it
        pictures[name] = picture[0]
        return name

    short = PICTURE.sub(aside, text)  # the parser is slow on long data, and its length is not the text's
    if len(short) > MAX_MARKDOWN:
        return str(as_text(PICTURE.sub("[picture]", text)))
    try:
        made = str(
            MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True)).render(short)
        )
    except Exception:  # odd nesting can exhaust the parser; the words count, not their dress
        made = str(as_text(short))
    for name, picture in pictures.items():
        made = made.replace(name, picture)
    return made


def markdown(text: str) -> Markup:
    """Markdown as harmless HTML."""
    return clean(markdown_html(text))


def environment(*packages: str) -> Environment:
    """Jinja2 with our templates; everything is escaped unless it is Markup.

    Args:
        packages: whose folders ``templates`` are searched beside this room's.
    """
    made = Environment(
        loader=ChoiceLoader(
            [PackageLoader(package, "templates") for package in ("autograder.report", *packages)]
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["markdown"] = markdown
    made.filters["points"] = points
    made.globals["page_css"] = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))  # noqa: S704  # our own file
    return made
