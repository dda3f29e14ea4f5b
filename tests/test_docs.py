"""The documentation: complete, its examples run, and what it names exists."""

import ast
import doctest
import importlib.util
import inspect
import pkgutil
import re
import textwrap
from pathlib import Path

import pytest

import sklearn_dsh

DOCS = Path(__file__).parent.parent / "docs"
PACKAGE = Path(sklearn_dsh.__file__).parent
PAGES = sorted([*DOCS.glob("*.rst"), *(DOCS / "guide").glob("*.rst")])
SUBMODULES = sorted(m.name for m in pkgutil.iter_modules([PACKAGE]) if m.name[0] != "_")
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def page_id(page):
    return page.relative_to(DOCS).as_posix()


def blocks(text, directive):
    """Contents of all blocks of a directive, without indentation and options."""
    found = []
    for match in re.finditer(
        rf"^( *)\.\. {re.escape(directive)}\n((?:\1 +.*\n|[ \t]*\n)+)", text + "\n", re.MULTILINE
    ):
        lines = textwrap.dedent(match[2]).splitlines()
        found.append("\n".join(line for line in lines if not line.startswith(":")).strip("\n"))
    return found


def listed_names():
    """Dotted names, from the package on, that the API reference lists."""
    text = (DOCS / "api.rst").read_text()
    return [name for block in blocks(text, "autosummary::") for name in block.split()]


def look_up(name):
    """The object of a dotted name from the package on."""
    found = sklearn_dsh
    for part in name.split("."):
        if inspect.ismodule(found) and not hasattr(found, part):
            found = importlib.import_module(f"{found.__name__}.{part}")
        else:
            found = getattr(found, part)
    return found


def public_names(module):
    """``__all__``; else the functions and classes that a module defines.

    A module with a ``main`` and no ``__all__`` is a command, whose functions nobody imports.
    """
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if name != "__version__"]
    defined = [
        name
        for name, value in vars(module).items()
        if name[0] != "_" and getattr(value, "__module__", None) == module.__name__
    ]
    return [] if "main" in defined else defined


@pytest.mark.parametrize("module_name", ["", *SUBMODULES])
def test_public_names_are_in_the_api_reference(module_name):
    name = f"sklearn_dsh.{module_name}".rstrip(".")
    module = importlib.import_module(name)
    listed = {id(look_up(entry)) for entry in listed_names()}
    missing = [n for n in public_names(module) if id(getattr(module, n)) not in listed]
    assert not missing, f"docs/api.rst lacks {missing} of {name}"


def own_functions(thing):
    """A function, or those that a class of the package, or a base of it there, defines itself."""
    if not inspect.isclass(thing):
        return [thing] if inspect.isfunction(thing) else []
    found = {}
    for base in reversed(inspect.getmro(thing)):
        if base.__module__.startswith("sklearn_dsh"):
            found |= {
                name: inspect.unwrap(getattr(value, "__func__", value))
                for name, value in vars(base).items()
                if name == "__init__" or name[0] != "_"
            }
    return [f for f in found.values() if inspect.isfunction(f)]


def test_parameters_of_hashers_that_have_many_are_in_groups():
    spec = importlib.util.spec_from_file_location("groups", DOCS / "parameter_groups.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    large = {
        name
        for name in sklearn_dsh.__all__
        if name.endswith("Hasher") and len(look_up(name)().get_params(deep=False)) > 10
    }
    assert large == set(module.GROUPS)
    for name, groups in module.GROUPS.items():
        grouped = [parameter for names in groups.values() for parameter in names]
        assert sorted(grouped) == sorted(look_up(name)().get_params(deep=False)), name
        assert groups[module.FIRST][0] == "n_bits"


@pytest.mark.parametrize("name", listed_names())
def test_public_signatures_have_type_hints(name):
    for function in own_functions(look_up(name)):
        if not function.__module__.startswith("sklearn_dsh"):
            continue  # of a dataclass
        signature = inspect.signature(function)
        bare = [
            parameter.name
            for parameter in signature.parameters.values()
            if parameter.annotation is parameter.empty and parameter.name not in ("self", "cls")
        ]
        assert not bare, f"{function.__qualname__} has no hints of {bare}"
        assert signature.return_annotation is not signature.empty, function.__qualname__


def test_api_reference_lists_nothing_twice_and_nothing_private():
    names = listed_names()
    assert len(names) > 50
    objects = [look_up(name) for name in names]  # raises for what does not exist
    assert len({id(value) for value in objects}) == len(names)
    for name in names:
        assert not any(part.startswith("_") for part in name.split("."))
        assert inspect.getdoc(look_up(name)), f"{name} has no docstring"


def test_blocks_are_found():
    text = "a\n\n.. x:: y\n    :option:\n\n    1\n\n      2\n\nb\n\n* c\n\n  .. x:: y\n\n     3\n"
    assert blocks(text, "x:: y") == ["1\n\n  2", "3"]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>> " in page.read_text()], ids=page_id
)
def test_examples_of_pages(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    test = doctest.DocTestParser().get_doctest(page.read_text(), {}, page_id(page), str(page), 0)
    runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).attempted > 0
    assert not report, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_names_in_code_blocks_exist(page):
    for block in blocks(page.read_text(), "code-block:: python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("sklearn_dsh"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in vars_of_api():
                accepted = inspect.signature(vars_of_api()[node.func.id]).parameters
                given = {keyword.arg for keyword in node.keywords}
                assert given <= set(accepted), f"{node.func.id} takes no {given - set(accepted)}"


@pytest.mark.parametrize("name", ["your_vectors.rst", "your_codes.rst"])
def test_only_blocks_of_other_packages_are_not_run(name):
    """On the pages that promise it: all else is an example, and those run."""
    others = {"imagehash", "sentence_transformers", "transformers"}
    text = (DOCS / "guide" / name).read_text()
    shown = blocks(text, "code-block:: python")
    for block in shown:
        nodes = list(ast.walk(ast.parse(block)))
        used = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
        used |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        assert used & others, block
    assert shown
    assert "**not run by the" in text


def test_every_line_of_the_table_of_forms_is_run():
    text = (DOCS / "guide" / "your_codes.rst").read_text()
    rows = blocks(text, "list-table::")[0].split("* - ")[2:]  # without the head
    lines = [re.findall(r"^ *- ``(.+)``$", row, re.MULTILINE)[-1] for row in rows]
    run = re.findall(r"^>>> same\((.+)\)$", text, re.MULTILINE)
    assert len(lines) == 16
    assert lines == run


def vars_of_api():
    """The classes and functions of the API reference, by their last name."""
    return {name.split(".")[-1]: look_up(name) for name in listed_names()}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files_that_pages_name_exist(page):
    text = page.read_text()
    for name in re.findall(r"``(_\w+\.py)``", text):
        assert list(PACKAGE.rglob(name)), name
    for name in re.findall(r"\b((?:sklearn_dsh|benchmarks|docs|tests)/[\w/.]*\w)", text):
        assert (DOCS.parent / name).exists(), name


def test_functions_that_the_page_on_the_method_names_exist():
    text = (DOCS / "guide" / "deep_sketch_hashing.rst").read_text()
    source = "\n".join(path.read_text() for path in (PACKAGE / "deep").glob("*.py"))
    named = re.findall(r"``(\w+)`` (?:and ``\w+`` )?in\s+``", text)
    assert len(named) >= 4
    for name in named:
        assert re.search(rf"^(?:def|class) {name}\b", source, re.MULTILINE), name


def test_hasher_of_the_guide_passes_the_checks():
    from sklearn_dsh.estimator_checks import check_hasher

    block = blocks((DOCS / "guide" / "extending.rst").read_text(), "code-block:: python")[0]
    names = {"__name__": __name__}  # where pickle looks for the class
    exec(compile(block, "extending.rst", "exec"), names)
    globals()["RandomPairHasher"] = names["RandomPairHasher"]
    check_hasher(names["RandomPairHasher"]())


def test_changelog_becomes_rst():
    """The conversion in conf.py, on all that the changelog's format has."""
    source = (DOCS / "conf.py").read_text()
    function = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "_changelog_as_rst"
    )
    names = {"re": re}
    exec(ast.get_source_segment(source, function), names)
    content = [
        "# Changelog\n\nSee [this](https://a.b/c).\n\n## [1.2.0] - 2026-05-01\n\n### Added\n\n"
        "- `fit(X)` and\n  `y`.\n"
    ]
    names["_changelog_as_rst"](None, Path("../CHANGELOG.md"), "whats_new", content)
    assert content[0].strip() == (
        "See `this <https://a.b/c>`__.\n\n1.2.0 - 2026-05-01\n------------------\n\n"
        "Added\n~~~~~\n\n- ``fit(X)`` and\n  ``y``."
    )
    untouched = ["`a`"]
    names["_changelog_as_rst"](None, Path("other.txt"), "page", untouched)
    assert untouched == ["`a`"]
