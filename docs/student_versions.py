"""The student versions of the homeworks as web pages, which ``make docs`` puts into the site."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import nbformat
from nbconvert.filters import Highlight2HTML
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from autograder.declare import Homework, homeworks
from autograder.names import notebook_path
from autograder.report import safehtml

ROOT = Path(__file__).parents[1]
FOLDER = "homeworks"  # in the site
KIT = "%%writefile homework_kit.py"  # how the first cell of a notebook begins
BADGE = re.compile(r"\[!\[[^\]]*\]\([^)]*\)\]\([^)]*\)")  # the Colab badge, a picture from elsewhere
STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1b1b1b; background: #fff }
body { max-width: 54rem; margin: 0 auto; padding: 1rem }
pre { background: #f6f6f6; border: 1px solid #ddd; padding: .6rem .8rem; overflow-x: auto }
pre { font-size: .88rem; line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere }
table { border-collapse: collapse } th, td { border: 1px solid #ccc; padding: .25rem .6rem; text-align: left }
img { max-width: 100% } .note { color: #555 } summary { cursor: pointer }
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<nav aria-label="Site"><p><a href="../gallery.html">All homeworks</a></p></nav>
<main>
{cells}
</main>
</body>
</html>
"""


def _cell(cell: NotebookNode) -> str:
    if cell.cell_type == "markdown":
        return str(safehtml.markdown(BADGE.sub("", cell.source)))
    if KIT in cell.source[:2_000]:
        return '<p class="note">Not shown: the cell that writes the kit, which the notebook uses.</p>'
    return str(Highlight2HTML(pygments_lexer="ipython3")(cell.source))


def page(homework: Homework) -> str:
    """A student version as one HTML page without scripts: text, equations as MathML, and code."""
    notebook = nbformat.read(notebook_path(ROOT, homework.stem), as_version=4)
    return PAGE.format(
        title=escape(f"{homework.id} · {homework.title}"),
        style=STYLE + HtmlFormatter(style="xcode").get_style_defs(".highlight"),  # its contrasts suffice
        cells="\n".join(map(_cell, notebook.cells)),
    )


def write(site: Path) -> None:
    """Writes a page for each homework, and their list, into the folder of the built site."""
    (site / FOLDER).mkdir(exist_ok=True)
    links = []
    for homework in homeworks().values():
        (site / FOLDER / f"{homework.stem}.html").write_text(page(homework), encoding="utf-8")
        title = escape(f"{homework.id} · {homework.title}")
        links.append(f'<li><a href="{homework.stem}.html">{title}</a></li>')
    cells = "<h1>Homeworks</h1>\n<ul>\n" + "\n".join(links) + "\n</ul>"
    text = PAGE.format(title="Homeworks", style=STYLE, cells=cells)
    (site / FOLDER / "index.html").write_text(text, encoding="utf-8")
