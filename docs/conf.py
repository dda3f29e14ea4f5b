"""Sphinx configuration."""

import sklearn_dsh

project = "sklearn-dsh"
author = "The sklearn-dsh developers"
project_copyright = "2026, The sklearn-dsh developers"
release = version = sklearn_dsh.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
# Pages without pages below them: an empty side bar would only take their width.
html_sidebars = {"index": [], "training": [], "retrieval": [], "measurements": []}
html_title = "sklearn-dsh"
html_show_sourcelink = False

autosummary_generate = True
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "show_memory": False,
}
