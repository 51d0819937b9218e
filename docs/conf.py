"""Settings of Sphinx: ``make docs`` builds the site, warnings are errors, nothing comes from a network."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # student_versions.py

project = "Attention homeworks"
author = "The attention-homeworks authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3  # links such as security.md#limits
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True  # defaults as the source says them
napoleon_google_docstring = True
napoleon_numpy_docstring = False
html_theme = "furo"
html_title = project
html_show_copyright = False
html_copy_source = False
html_permalinks_icon = "#"
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of numpy and of rooms that the API page does not show
LABELS = {  # what the theme writes → what axe finds no barrier in
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<div class="highlight"><pre>': '<div class="highlight"><pre tabindex="0">',  # long lines scroll
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
}


def setup(app: Any) -> None:
    """Mends the theme's pages and adds the student versions of the homeworks to the finished site."""

    def label(app: Any, error: Exception | None) -> None:
        """Names the theme's landmarks and gives its headings their level, for screen readers."""
        if error is None and app.builder.format == "html":
            for path in Path(app.outdir).glob("*.html"):
                text = path.read_text(encoding="utf-8")
                for old, new in LABELS.items():
                    text = text.replace(old, new)
                path.write_text(text, encoding="utf-8")

    def add(app: Any, error: Exception | None) -> None:
        if error is None and app.builder.format == "html":
            import student_versions

            student_versions.write(Path(app.outdir))

    app.connect("build-finished", label)
    app.connect("build-finished", add)
