"""An executed notebook as harmless HTML, cell by cell, by nbconvert's HTML exporter."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from functools import lru_cache
from typing import Any

import nbformat
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbconvert.preprocessors import HighlightMagicsPreprocessor
from nbformat import NotebookNode
from traitlets.config import Config

from autograder.report import safehtml
from autograder.submissions.cells import is_kit

MAX_RENDERED = 2_000  # cells that a process remembers rendered,
MAX_KEPT = 20_000  # characters: of such a length at most
MAX_COLORED = 20_000  # characters of a code cell that is shown in colors
MAX_SHOWN = 3_000_000  # characters of all cells and their text; pictures have a limit of their own
MAX_PICTURES = 15_000_000
MAX_WIDTH = 2_000  # pixels of a page that a picture may ask for
_rendered: dict[str, Markup] = {}
_KINDS = {
    "text/html",
    "text/plain",
    "text/markdown",
    "text/latex",
    "image/png",
    "image/jpeg",
    "image/svg+xml",
}


class _CellExporter(HTMLExporter):
    """nbconvert's exporter without its last step, which parses the page again to set a few attributes.

    That takes as long as all before it. Of its attributes only the words for pictures without any concern our
    pages, and :func:`autograder.report.safehtml.clean` sets those.
    """

    def from_notebook_node(  # type: ignore[override]  # as HTMLExporter's own
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, dict[str, Any]]:
        """The body of a page, as the template makes it."""
        return super(HTMLExporter, self).from_notebook_node(nb, resources, **options)


@lru_cache(maxsize=1)
def _exporter() -> _CellExporter:
    config = Config()
    config.HTMLExporter.extra_template_basedirs = [str(safehtml.TEMPLATES)]
    config.HTMLExporter.default_preprocessors = [HighlightMagicsPreprocessor]  # each walks over all cells
    config.CSSHTMLHeaderPreprocessor.enabled = False  # our pages have a style of their own
    config.HTMLExporter.embed_images = False  # it would read the grader's files for a student's ![](path)
    logging.getLogger("traitlets").setLevel(
        logging.ERROR
    )  # a student's picture without words is no news for the instructor
    exporter = _CellExporter(template_name="notebook", config=config)
    colored = Highlight2HTML(pygments_lexer="python")
    exporter.filters = {
        "markdown2html": lambda text, **_: safehtml.markdown(text),
        "filter_data_type": WidgetsDataTypeFilter(notebook_metadata={}, parent=exporter),
        # bleach, cell by cell, takes most of the time; nh3 cleans the whole below
        "clean_html": lambda text: text,
        # it searches for paths of an old notebook server, in quadratic time
        "strip_files_prefix": lambda text: text,
        "highlight_code": lambda text, **options: (
            colored(text, **options)
            if len(text) <= MAX_COLORED
            else safehtml.cut_text(text, "This cell is long, so it is shown without colors.")
        ),
    }
    return exporter


def _harmless_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy without kit text, output metadata, scripts and widgets."""
    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for index, cell in enumerate(copy.cells):
        cell.metadata = nbformat.NotebookNode()
        cell.pop("attachments", None)
        if cell.cell_type != "code":
            continue
        if is_kit(cell.source):
            cell.source = "# The homework kit was written here."
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = _cut(_joined(output.text))
            if "traceback" in output:
                output.traceback = [_cut("\n".join(map(str, output.traceback)))]
            if "data" not in output:
                continue
            data = {kind: value for kind, value in output.data.items() if kind in _KINDS}
            if "text/html" in data:
                data["text/html"] = safehtml.clean(safehtml.shown_html(_joined(data["text/html"])))
            elif "text/latex" in data:
                data["text/html"] = safehtml.markdown(_joined(data["text/latex"]))
            if "text/plain" in data:
                data["text/plain"] = _cut(_joined(data["text/plain"]))
            output.data = nbformat.from_dict(data)
            pictures = {
                kind: {
                    "alt": _alt(output, kind) or f"Figure drawn by cell {index + 1}",
                    **_width(output, kind),
                }
                for kind in data
                if kind.startswith("image/")
            }
            output.metadata = nbformat.from_dict(pictures)
    copy.cells = _cut_cells(copy.cells)
    copy.metadata = nbformat.from_dict({"language_info": {"name": "python"}})
    return copy


def _cut(text: str) -> str:
    """The text, cut to what a page shows."""
    more = len(text) - safehtml.MAX_TEXT
    return (
        text
        if more <= 0
        else f"{text[: safehtml.MAX_TEXT]}\n[Cut here: {more:,} more characters are not shown.]"
    )


def _cut_cells(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The first cells, as many as a page shows, and a cell that says so if there are more."""
    text, pictures = 0, 0
    for index, cell in enumerate(cells):
        text += len(cell.source)
        for output in cell.get("outputs", []):
            sizes = {kind: len(_joined(value)) for kind, value in output.get("data", {}).items()}
            drawn = sum(size for kind, size in sizes.items() if kind.startswith("image/"))
            pictures += drawn
            text += sum(sizes.values()) - drawn
            text += len(_joined(output.get("text", ""))) + len(_joined(output.get("traceback", "")))
        if text > MAX_SHOWN or pictures > MAX_PICTURES:
            told = f"Cut here: the notebook is too large to be shown; {len(cells) - index} cells follow."
            return [*cells[:index], nbformat.v4.new_markdown_cell(f"*{told}*")]
    return cells


def _alt(output: NotebookNode, kind: str) -> str:
    """The text that the kit put beside a picture; as untrusted as all of the notebook."""
    told = output.get("metadata", {}).get(kind, {})
    words = told.get("alt") if isinstance(told, dict) else None
    return " ".join(words.split())[:1_000] if isinstance(words, str) else ""


def _width(output: NotebookNode, kind: str) -> dict[str, int]:
    """How wide a picture is on a page, where the kit says so: it has twice as many pixels."""
    told = output.get("metadata", {}).get(kind, {})
    width = told.get("width") if isinstance(told, dict) else None
    return {"width": width} if type(width) is int and 20 <= width <= MAX_WIDTH else {}


def _joined(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _clean(html: str) -> Markup:
    """A cell, whose parts are clean already; the exporter has put them into elements of its own."""
    return safehtml.clean(html, 2 * safehtml.MAX_DEPTH)


def render_cells(notebook: NotebookNode) -> list[Markup]:
    """Each cell as harmless HTML, by nbconvert's HTML exporter; where there is too much, fewer and a note.

    Most cells of a class are the same in every notebook, and rendering takes longer than grading: such cells
    are rendered once in each process.
    """
    shown = _harmless_outputs(notebook)
    keys = [
        hashlib.sha256(json.dumps({**cell, "id": ""}, sort_keys=True).encode()).hexdigest()
        for cell in shown.cells
    ]
    new = {key: cell for key, cell in zip(keys, shown.cells, strict=True) if key not in _rendered}
    made: dict[str, Markup] = {}
    if new:
        shown.cells = list(new.values())
        separator = secrets.token_hex(16)  # drawn after the notebook was handed in: no cell can hold it
        body, _ = _exporter().from_notebook_node(shown, resources={"separator": separator})
        made = dict(zip(new, map(_clean, body.split(separator)[1:]), strict=True))
    cells = [made[key] if key in made else _rendered[key] for key in keys]
    if len(_rendered) > MAX_RENDERED:
        _rendered.clear()
    _rendered.update((key, html) for key, html in made.items() if len(html) <= MAX_KEPT)
    return cells
