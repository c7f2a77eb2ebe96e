"""How Sphinx builds the site: ``make docs``. The pages are the Markdown of this folder, as a code host shows them too.

Nothing is asked of the network. Notebooks are shown with the outputs that they were committed with; docs/gallery/run.py
renews them.
"""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Final

project = "darec"
author = "The authors of darec"
project_copyright = "the authors of darec, Apache-2.0"
release = version_of("darec")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
# Files that pages link to, and not pages of their own.
exclude_patterns = ["_build", "template", "deploy"]

# Links between pages are those of Markdown, with anchors as code hosts make them.
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "off"
highlight_language = "none"  # blocks without a language are shells

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_default_options: Final = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
add_module_names = False
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = "darec"
html_show_sphinx = False
templates_path: list[str] = []
