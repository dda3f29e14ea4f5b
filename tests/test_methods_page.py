"""The page of all methods: it has every public hasher, and says what the classes say."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import sklearn_dsh
from sklearn_dsh.baselines._anchors import AnchorHasher

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "guide" / "methods.rst").read_text(encoding="utf-8")
HASHERS = {
    name: getattr(sklearn_dsh, name)
    for name in sklearn_dsh.__all__
    if name.endswith("Hasher") and name != "BaseCrossModalHasher"
}
NEEDS = {"required": "labels", "optional": "labels or pairs", "ignored": "neither"}


def table(number):
    """Column name -> cell, of every row of a table of the page."""
    text = re.split(r"^\.\. list-table::\n", PAGE, flags=re.MULTILINE)[number]
    text = re.match(r"(?:    .*\n|\n)+", text)[0]
    rows = [re.split(r"\n      - ", row.rstrip()) for row in text.split("    * - ")[1:]]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def class_of(row):
    return re.match(r":class:`~sklearn_dsh\.(\w+)`", row["class"])[1]


WHAT, FROM, COSTS = table(1), table(2), table(3)


@pytest.fixture(scope="module")
def measured():
    spec = importlib.util.spec_from_file_location("measured", DOCS / "measured.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.measured


def test_every_hasher_is_there():
    for rows in (WHAT, FROM, COSTS):
        assert sorted({class_of(row) for row in rows}) == sorted(HASHERS)
    assert [class_of(row) for row in WHAT] == [class_of(row) for row in FROM]
    assert len(WHAT) == len(HASHERS)


@pytest.mark.parametrize(
    "row", [*WHAT, *FROM, *COSTS], ids=lambda row: f"{row['class']}, {len(row)}"
)
def test_nothing_is_left_empty(row):
    assert all(cell.strip() for cell in row.values())


def test_columns():
    assert list(WHAT[0]) == ["class", "reads", "labels or pairs", "take it when"]
    assert list(FROM[0]) == ["class", "name", "kind", "paper"]
    assert list(COSTS[0])[:3] == ["class", "fit", "encode"]


@pytest.mark.parametrize("row", WHAT, ids=class_of)
class TestWhatThePageSays:
    def test_reads(self, row):
        hasher = HASHERS[class_of(row)]
        reads = "images, vectors" if "images" in hasher._view_kinds else "vectors"
        assert row["reads"] == reads + " of one space" * hasher._shared_feature_space

    def test_labels_or_pairs(self, row):
        assert (
            re.split("[;,]", row["labels or pairs"])[0] == NEEDS[HASHERS[class_of(row)]._label_use]
        )


@pytest.mark.parametrize("row", FROM, ids=class_of)
def test_kind(row):
    hasher = HASHERS[class_of(row)]
    deep = hasher.__module__.startswith("sklearn_dsh.deep.")
    kernel = issubclass(hasher, AnchorHasher)
    assert row["kind"] == ("deep" if deep else "kernel" if kernel else "linear")


@pytest.mark.parametrize("row", FROM, ids=class_of)
def test_the_paper_is_in_the_references_of_the_class(row):
    references = " ".join(HASHERS[class_of(row)].__doc__.partition("References")[2].split())
    papers = re.findall(r"([A-Z]\w+)(?: et al\.| and (\w+))?, (\w+) (\d{4})", row["paper"])
    assert papers
    for first, second, venue, year in papers:
        entries = re.findall(r"\[\d\](.*?)(?=\.\. \[|Examples|$)", references)
        assert any(
            all(part in entry for part in (first, second, venue, year)) for entry in entries
        ), f"{first}, {venue} {year}"


def test_the_chart_and_its_list_name_the_same():
    figure = (DOCS / "figures" / "choice.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r"\b[A-Z]\w*(?:Hasher|Retriever)\b", " ".join(
        re.findall(r'id="call ([^"]+)"', figure)
    )))  # fmt: skip
    text = PAGE.partition("Which one for my data?")[2].partition("What they are, and of whom")[0]
    named = set(re.findall(r"\b[A-Z]\w*(?:Hasher|Retriever)\b", text))
    assert drawn == named
    assert len(drawn - {"HammingRetriever"} & set(HASHERS)) > 4
    assert drawn <= {*HASHERS, "HammingRetriever"}


def test_figures_are_those_of_rows(measured):
    texts = re.findall(r":measured:`([^`]+)`", PAGE)
    assert len(texts) > 40
    for text in texts:
        assert re.search(r"\d", measured(text)), text
    # No figure of the costs stands there by hand.
    for row in COSTS:
        for column in list(row)[1:]:
            assert not re.search(r"\d", re.sub(":measured:`[^`]*`", "", row[column])), row["class"]


def test_how_rows_become_a_figure(measured, tmp_path):
    rows = [
        {"method": "A", "bits": 64, "protocol": "unseen", "map": 0.5, "fit_seconds": 61.6,
         "encode_microseconds": 1500.4},
        {"method": "A", "bits": 64, "protocol": "unseen", "map": 0.25, "fit_seconds": 0.04,
         "encode_microseconds": 7.4},
        {"method": "A", "bits": 64, "protocol": "paper", "map": 1.0, "fit_seconds": 0.0,
         "encode_microseconds": 0.0},
        {"method": "A", "bits": 32, "protocol": "unseen", "map": 1.0, "fit_seconds": 0.0,
         "encode_microseconds": 0.0},
        {"method": "A", "bits": 64, "protocol": "unseen", "error": "ValueError"},
        {"settings_of": "A", "bits": 64, "protocol": "unseen"},
        {"method": "B, more", "bits": 64, "map": 0.1, "fit_seconds": 2.25},
    ]  # fmt: skip
    (tmp_path / "set").mkdir()
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "set" / "results.jsonl").write_text(lines + "\n\n")
    assert measured("mAP: A @ set", tmp_path) == "0.375"
    assert measured("fit: A @ set", tmp_path) == "under 0.1 s"
    assert measured("encode: A @ set", tmp_path) == "7 \N{MICRO SIGN}s"
    assert measured("fit: B, more @ set/results.jsonl", tmp_path) == "2.2 s"
    with pytest.raises(LookupError, match="no row of 'C'"):
        measured("fit: C @ set", tmp_path)
    with pytest.raises(LookupError, match="neither"):
        measured("memory: A @ set", tmp_path)
