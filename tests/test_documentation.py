"""The HTML of estimators links to their pages, once these have an address."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_html_repr

import sklearn_dsh
from sklearn_dsh import BaseCrossModalHasher, CCAHasher, _documentation

API = Path(__file__).parents[1] / "docs" / "api.rst"


def listed_estimators():
    """Name on the API page -> class, of all that are estimators."""
    found = {}
    for name in re.findall(r"^    ([\w.]+)$", API.read_text(encoding="utf-8"), re.MULTILINE):
        module, _, last = f"sklearn_dsh.{name}".rpartition(".")
        value = getattr(importlib.import_module(module), last)
        if inspect.isclass(value) and issubclass(value, BaseEstimator):
            found[name] = value
    return found


ESTIMATORS = listed_estimators()


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setattr(_documentation, "ADDRESS", "file:///pages/")


def test_there_are_estimators():
    assert len(ESTIMATORS) > 20


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_link_is_to_the_page_of_the_reference(name, address):
    estimator = ESTIMATORS[name].__new__(ESTIMATORS[name])  # the link needs no parameters
    assert estimator._get_doc_link() == f"file:///pages/generated/sklearn_dsh.{name}.html"


def test_the_html_has_it(address):
    assert 'href="file:///pages/generated/sklearn_dsh.CCAHasher.html' in estimator_html_repr(
        CCAHasher()
    )


def test_without_an_address_there_is_no_link():
    assert _documentation.ADDRESS is None or _documentation.ADDRESS.endswith("/")
    if _documentation.ADDRESS is None:
        assert CCAHasher()._get_doc_link() == ""
        assert "Documentation for" not in estimator_html_repr(CCAHasher())


def test_a_hasher_of_somebody_else_has_none(address):
    class Mine(BaseCrossModalHasher):
        pass

    assert Mine()._get_doc_link() == ""


def test_nothing_is_public_that_has_no_link():
    public = {getattr(sklearn_dsh, name) for name in sklearn_dsh.__all__}
    for value in public:
        if inspect.isclass(value) and issubclass(value, BaseEstimator):
            assert issubclass(value, _documentation.DocumentationLink), value
