"""Makes HTML out of what students wrote, and keeps it harmless: sanitized by nh3, no script at all.

Every page of this project shows student text only through :func:`clean` or :func:`markdown`. Equations become
MathML when a page is made (latex2mathml), so that a page needs no script and no font from anywhere.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Set
from functools import lru_cache
from pathlib import Path
from typing import Any

import nh3
from jinja2 import ChoiceLoader, Environment, PackageLoader
from latex2mathml.converter import convert
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from autograder.files import points
from autograder.kit.shared.moving import STILL

MAX_MARKDOWN = 30_000  # characters of a cell that are rendered; the rest of such an answer is shown as it is
MAX_MATH = 3_000
MAX_BLANKS = 200  # in a row: the Markdown parser takes the square of their number
_BLANKS = re.compile(rf"[ \t]{{{MAX_BLANKS},}}+")
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
# possessive (++, ?+): what has matched is not tried again in another way, so that none takes quadratic time
SCRIPTED = re.compile(
    r"<\s*+/?+\s*+(?:script|iframe|object|embed|form|meta|base|link|frame|portal|style)\b"
    r"|\bon\w++\s*+=|(?:java|vb)script\s*+:|srcdoc\s*+=",
    re.I,
)
MAX_DEPTH = 150  # of elements in each other: cleaning takes their square
MAX_UNCLEAR = 300  # elements where it cannot be told how deep they lie
MAX_TEXT = 100_000  # characters of one text that a page shows
_TAG = re.compile(
    r"<(?:!--[^<>]*+--(?P<comment>)>"
    r"|(?P<close>/?)(?P<name>[a-z][a-z0-9-]*+)"
    r"(?:\s++[\w:-]++(?:=(?:\"[^\"<>]*+\"|'[^'<>]*+'|[^\s\"'<>=`]++))?+)*+\s*+/?+>"
    r"|(?P<unclear>[a-z/!?]))",
    re.I,
)
# every element of HTML, whether a page may show it or not
_NAMES = (
    "a abbr acronym address applet area article aside audio b base bdi bdo big blink blockquote body br"
    " button canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl"
    " dt em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header"
    " hgroup hr html i iframe img input ins kbd label legend li link main map mark marquee menu meta meter"
    " nav nobr noembed noframes noscript object ol optgroup option output p param picture plaintext portal"
    " pre progress q rp rt ruby s samp script search section select slot small source span strike strong"
    " style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul"
    " var video wbr xmp"
)
HTML_NAMES = frozenset(_NAMES.split())
_ANY_TAG = re.compile(
    r"</?(?P<name>[A-Za-z][\w-]*+)(?P<rest>(?:=\s*+\"[^\"]{0,999}+\"|=\s*+'[^']{0,999}+'|[^<>])*+)>"
)
# an attribute with a value
_BARE = re.compile(r"(?<![\w:-])[\w:-]++\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"']++)")
_ALONE = {  # attributes that need no value
    *("open", "hidden", "controls", "reversed", "disabled", "checked", "selected", "defer", "async"),
    *("nowrap", "noshade", "compact", "allowfullscreen", "autoplay", "loop", "muted", "required", "multiple"),
}
_VOID = {"area", "br", "col", "hr", "img", "input", "wbr"}
_OPTIONAL = {"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot"}  # may be left unclosed
_RAW = {
    *("select", "template", "textarea", "title", "noscript", "style", "script", "xmp", "iframe", "svg"),
    *("noembed", "noframes", "plaintext", "frameset", "option"),
}  # what stands in there closes nothing


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


# as the cleaner writes it: each attribute in double quotes
# what only a terminal takes for something, and what turns the text that follows it around
UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e]")
UNLOADED, UNDESCRIBED = (
    re.compile(rf'<img(?:\s++(?!{lacking}=)[\w:-]++="[^"]*+")*+\s*+>') for lacking in ("src", "alt")
)
NO_WORDS = "A picture without a description"
_CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    attribute_filter=_attribute,
    clean_content_tags={"script", "style", "iframe", "object", "embed", "noscript", "template"},
    filter_style_properties=STYLES,
    url_schemes={"http", "https", "mailto", "data"},  # data for img alone: see _attribute
)


def clean(text: str, depth: int = MAX_DEPTH) -> Markup:
    """The HTML without what runs, loads, or leaves its place; pictures from elsewhere become their words.

    What is nested so deeply that cleaning would take long is shown as text.
    """
    if too_deep(text, depth):
        return cut_text(text, "This is nested too deeply to be shown as more than text.")
    kept = UNLOADED.sub(
        lambda image: f"[{words[1]}]" if (words := re.search(r'alt="([^"]*)"', image[0])) else "",
        _CLEANER.clean(text),
    )
    kept = UNDESCRIBED.sub(lambda image: f'{image[0][:-1]} alt="{NO_WORDS}">', kept)
    return Markup(UNSEEN.sub("", kept))  # noqa: S704  # that is what the cleaner is for


def too_deep(text: str, depth: int = MAX_DEPTH) -> bool:
    """Whether elements lie in each other more than so deep, or may do so; in linear time."""
    inside: list[str] = []
    opened, unclear = 0, False
    for tag in _TAG.finditer(text):
        name = (tag["name"] or "").lower()
        unclear = unclear or tag["unclear"] is not None or name in _RAW
        if tag["close"]:
            _close(inside, name)
        elif tag["unclear"] or (name and name not in _VOID):
            opened += 1
            inside.append(name)
        if len(inside) > depth or (unclear and opened > MAX_UNCLEAR):
            return True
    return False


def _close(inside: list[str], name: str) -> None:
    """Closes an element, with those in it that need no end; one that is closed out of turn stays open."""
    at = len(inside) - 1
    while at >= 0 and inside[at] != name and inside[at] in _OPTIONAL:
        at -= 1
    if at >= 0 and inside[at] == name:
        del inside[at:]


def as_text(text: str) -> Markup:
    """The text itself, as it was written, in a box; what is longer than a page shows is cut."""
    return Markup("<pre>{}</pre>{}").format(text[:MAX_TEXT], _cut_note(text))


def cut_text(text: str, why: str) -> Markup:
    """The text itself, in a box, and why it is shown like this."""
    return Markup("<p><em>{}</em></p>{}").format(why, as_text(text))


def _cut_note(text: str) -> Markup:
    more = len(text) - MAX_TEXT
    return (
        Markup("<p><em>Cut here: {} more characters are not shown.</em></p>").format(f"{more:,}")
        if more > 0
        else Markup("")
    )


def shown_html(text: str) -> str:
    """HTML out of a notebook's output: as it is, or as plain text if it tries to run or embed something.

    Of a picture that moves, what its still part holds, whoever wrote it; a page has no script and takes no
    style from a notebook.
    """
    start, end = (text.find(mark) for mark in STILL)
    still = 0 <= start < end
    if still:
        text = text[start + len(STILL[0]) : end]
    if SCRIPTED.search(text) and not still:  # names of tokens may look like one; the cleaner takes real ones
        return str(cut_text(text, "This output holds a script or the like; it is shown as text."))
    if len(text) > MAX_TEXT or too_deep(text):
        return str(cut_text(text, "This output is too large or nested too deeply; it is shown as text."))
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


def words_of_tags(text: str, names: Set[str] = HTML_NAMES) -> str:
    """Raw HTML in which what is no HTML is text: ``<mask>``, ``<EOS>``, ``x<y and y>z`` are words of answers.

    A browser hides such a tag, and the cleaner would take some of them out with all that follows.
    """

    def told(tag: re.Match[str]) -> str:
        bare = _BARE.sub(" ", tag["rest"]).replace("/", " ").lower().split()
        real = tag["name"].lower() in names and all(word in _ALONE for word in bare)
        return tag[0] if real else html.escape(tag[0])

    return _ANY_TAG.sub(told, text)


class _Renderer(IPythonRenderer):
    """nbconvert's Markdown renderer, with equations as MathML, and with tags that are none as text."""

    names: Set[str] = HTML_NAMES

    def block_html(self, html: str) -> str:
        return str(super().block_html(words_of_tags(html, self.names)))

    def inline_html(self, html: str) -> str:
        return str(super().inline_html(words_of_tags(html, self.names)))

    def block_math(self, body: str) -> str:
        return f"<div>{math(body, True)}</div>"

    def inline_math(self, body: str) -> str:
        return math(body)

    def latex_environment(self, name: str, body: str) -> str:
        whole = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return f"<div>{math(whole, True)}</div>"


def markdown_html(text: str, **_: Any) -> str:
    """Markdown as Jupyter reads it, with MathML; not sanitized yet."""
    pictures: dict[str, str] = {}

    def aside(picture: re.Match[str]) -> str:
        name = f"data:image/png;base64,{secrets.token_hex(12)}"  # nobody's text can hold it
        pictures[name] = picture[0]
        return name

    short = PICTURE.sub(aside, text)  # the parser is slow on long data, and its length is not the text's
    if len(short) > MAX_MARKDOWN:
        return str(as_text(PICTURE.sub("[picture]", text)))
    short = _BLANKS.sub(" " * MAX_BLANKS, short)
    renderer = _Renderer(escape=False, exclude_anchor_links=True)
    if "<math" in short:
        renderer.names = HTML_NAMES | MATH_TAGS
    try:
        made = str(MarkdownWithMath(renderer=renderer).render(short))
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
