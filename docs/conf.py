"""Sphinx configuration."""

import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from docutils.utils.math.latex2mathml import tex2mathml

import sklearn_dsh

sys.path.insert(0, str(Path(__file__).parent))
import rooms
from measured import measured
from parameter_groups import group_parameters

project = "sklearn-dsh"
author = "The sklearn-dsh developers"
project_copyright = "2026, The sklearn-dsh developers"
release = version = sklearn_dsh.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Pages without pages below them: an empty side bar would only take their width.
_single = ("index", "install", "quickstart", "measurements", "whats_new")
html_sidebars = {page: [] for page in _single}
html_title = "sklearn-dsh"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["sklearn_dsh.css"]
html_math_renderer = "mathml"  # see setup

autosummary_generate = True
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
autodoc_typehints = "none"  # docstrings say more

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "show_memory": False,
}


def setup(app):
    # Browsers read MathML, and docutils writes it: no script from another host.
    app.add_html_math_renderer("mathml", (_inline_mathml, None), (_display_mathml, None))
    app.connect("include-read", _changelog_as_rst)
    app.connect("autodoc-process-docstring", group_parameters, priority=900)  # after numpydoc
    app.add_directive("rooms", Rooms)
    app.add_role("measured", _measured_figure)


class Rooms(Directive):
    """The table of all rooms of the package, as the layering test has them."""

    def run(self):
        parent = nodes.Element()
        lines = StringList(rooms.table(), source="docs/rooms.py")
        self.state.nested_parse(lines, self.content_offset, parent)
        return parent.children


def _measured_figure(name, rawtext, text, lineno, inliner, options=None, content=None):
    """A figure out of the rows of ``benchmarks/results``, as `measured` finds it."""
    try:
        return [nodes.Text(measured(text))], []
    except LookupError as error:
        message = inliner.reporter.error(str(error), line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]


def _inline_mathml(translator, node):
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _display_mathml(translator, node):
    translator.body.append(
        f'<div class="equation">{tex2mathml(node.astext(), as_block=True)}</div>'
    )
    raise nodes.SkipNode


def _changelog_as_rst(app, path, docname, content):
    """CHANGELOG.md in reStructuredText: headings, links and code are all that it has."""
    if path.name != "CHANGELOG.md":
        return
    text = re.sub(r"`([^`]+)`", r"``\1``", content[0])
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", text)
    text = re.sub(r"^## \[(.+?)\]", r"## \1", text, flags=re.MULTILINE)
    for mark, line in (("##", "-"), ("###", "~")):
        text = re.sub(
            rf"^{mark} (.+)$",
            lambda match, line=line: f"{match[1]}\n{line * len(match[1])}",
            text,
            flags=re.MULTILINE,
        )
    content[0] = re.sub(r"^# .*$", "", text, flags=re.MULTILINE)
