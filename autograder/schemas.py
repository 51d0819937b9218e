"""jsonschema, imported without what it would import to check formats that nothing here has.

Where JupyterLab is installed, the check of international addresses (``iri``) builds a parser of a whole
grammar, which takes more than a second in each process that reads a notebook. nbformat imports jsonschema,
too, so this module has to be imported before it.
"""

from __future__ import annotations

import sys

UNUSED = ("rfc3987_syntax", "isoduration")

_kept = {name: sys.modules[name] for name in UNUSED if name in sys.modules}
sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # to import them raises ImportError
try:
    import jsonschema as jsonschema
finally:
    for _name in UNUSED:
        del sys.modules[_name]
    sys.modules.update(_kept)
