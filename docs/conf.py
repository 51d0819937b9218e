"""Sphinx' settings for this site: ``make docs`` builds it, warnings are errors, nothing is loaded from a network."""

project = "Attention homeworks"
author = "The attention-homeworks authors"
extensions = ["myst_parser"]
myst_heading_anchors = 3  # links such as security.md#limits
html_theme = "furo"
html_title = project
html_show_copyright = False
html_copy_source = False
html_permalinks_icon = "#"
nitpicky = True
