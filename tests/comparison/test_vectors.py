"""Feature vectors in place of images."""

import json

import numpy as np
import pytest
from planted_views import two_views
from sklearn.utils import Bunch

from sklearn_dsh import CCAHasher, Compact, DeepSketchHasher, Paper, make_sketch_photo
from sklearn_dsh.comparison import (
    Method,
    Plan,
    compare,
    default_methods,
    make_problem,
    markdown_report,
    plot_cell,
    plot_comparison,
)

OF_IMAGES = ("HOG, not hashed", "S-HELO, not hashed", "GF-HOG, not hashed")
LEFT_OUT = "Left out, as they are made of images and the data are vectors: HOG, not hashed; S-HELO"


def make_data(width=(12, 12), **options):
    X_sk, X_img, (y_sk, y_img) = two_views(width=width, **options)
    return Bunch(sketches=X_sk, images=X_img, y_sketch=y_sk, y_image=y_img)


def test_methods_of_vectors():
    with pytest.warns(UserWarning, match=LEFT_OUT):
        methods = default_methods("vectors")
    of_images = default_methods()
    assert list(methods) == [*(n for n in of_images if n not in OF_IMAGES), "vectors, not hashed"]
    assert {method.reads for method in methods.values()} == {"vectors"}
    assert methods["SDH"].grid == of_images["SDH"].grid
    with pytest.raises(ValueError, match="Paper reads images, and features='vectors' are"):
        default_methods("vectors", architecture=Paper())
    with pytest.warns(UserWarning, match="Left out"):
        dropout = default_methods("vectors", architecture=Compact(dropout="tu_berlin"))
    assert dropout["DSH"].make(8, 0).architecture.dropout == "tu_berlin"


def test_cells_are_the_methods_on_the_vectors(tmp_path, recwarn):
    data = make_data()
    names = ("DSH", "CCA-ITQ", "LSH", "vectors, not hashed")
    plan = Plan(methods=names, bits=(8,), protocols=("unseen",), seeded_bits=8, k=5)
    rows = compare(data, plan, tmp_path / "r.jsonl")
    assert not [w for w in recwarn if "Left out" in str(w.message)]  # nobody asked for them
    assert [row["method"] for row in rows] == list(names)
    problem = make_problem(data, "unseen")
    queries, y = (problem.queries, problem.gallery), (problem.y_query, problem.y_gallery)
    deep = DeepSketchHasher(8, random_state=0).fit(problem.train, problem.y_train)
    assert rows[0]["map"] == pytest.approx(deep.score(*queries, y))
    hasher = CCAHasher(8, random_state=0, **rows[1]["settings"])
    hasher.fit(problem.train, problem.y_train)
    assert rows[1]["map"] == pytest.approx(hasher.score(*queries, y))
    assert rows[3]["bytes_per_photo"] == 8 * 12
    with pytest.raises(ValueError, match=r"feature vectors, which are no pictures: plot_retrieved"):
        plot_cell(rows[0], problem)


def test_a_plan_of_all_methods(tmp_path, monkeypatch):
    """What needs images is left out with a word, and everything else runs."""
    quick = {
        name: Method(
            lambda m, s: CCAHasher(m, random_state=s), reads=method.reads, hashes=method.hashes
        )
        if method.make is not None
        else method
        for name, method in default_methods().items()
    }
    monkeypatch.setattr("sklearn_dsh.comparison._compare.METHODS", quick)
    plan = Plan(bits=(8,), protocols=("paper",), seeded_bits=8)
    with pytest.warns(UserWarning, match=LEFT_OUT):
        rows = compare(make_data(), plan, tmp_path / "r.jsonl")
    assert [row["method"] for row in rows] == [
        *(name for name in quick if name not in OF_IMAGES), "vectors, not hashed"
    ]  # fmt: skip
    assert all(0 < row["map"] <= 1 for row in rows)


def test_views_of_different_width(tmp_path):
    """Methods of one feature space fail, each with its reason; the others run."""
    names = ("CCA-ITQ", "PCA-ITQ", "LSH", "vectors, not hashed")
    plan = Plan(methods=names, bits=(8,), protocols=("paper",), seeded_bits=8, k=5)
    with pytest.warns(UserWarning, match="failed, and is tried again by the next run"):
        rows = compare(make_data(width=(12, 20)), plan, tmp_path / "r.jsonl")
    assert ["error" in row for row in rows] == [False, True, True, True]
    text = markdown_report(rows)
    assert "* LSH (8 bits): ValueError: RandomProjectionHasher needs both views as rows of" in text
    assert "* vectors, not hashed: ValueError: The rows of the queries have shape (12,)" in text


def test_methods_that_cannot_read_the_data_are_told_before_any_work(tmp_path):
    path = tmp_path / "r.jsonl"
    images = make_sketch_photo(n_categories=2, n_sketches=12, n_photos=20, random_state=0)
    plan = Plan(methods=("DSH", "LSH"), bits=(8,), protocols=("paper",))
    with pytest.raises(
        ValueError,
        match=r"methods \['DSH', 'LSH'\] read images, and the data hold vectors\. Take .*vectors",
    ):
        compare(make_data(), plan, path, methods=default_methods())
    with pytest.warns(UserWarning, match="Left out"):
        methods = default_methods("vectors")
    with pytest.raises(ValueError, match=r"\['DSH', 'LSH'\] read vectors, and the data hold image"):
        compare(images, plan, path, methods=methods)
    mixed = make_data() | {"images": images.images, "y_image": images.y_image}
    with pytest.raises(ValueError, match="The sketches are feature vectors and the photos images"):
        compare(Bunch(**mixed), plan, path)
    with pytest.raises(ValueError, match="The data have no images"):
        compare(Bunch(**(make_data() | {"images": None})), plan, path)
    with pytest.raises(ValueError, match=r"There are no methods \['HOG, not hashed'\]"):
        compare(make_data(), Plan(methods=("HOG, not hashed",), protocols=("paper",)), path)
    assert not path.exists() or path.read_text() == ""


@pytest.fixture
def failing():
    """A method that fails with short codes until it is mended, and one that does not."""
    state = {"broken": True, "fits": []}

    class Broken(CCAHasher):
        def _fit_views(self, data):
            state["fits"].append(self.n_bits)
            if state["broken"] and self.n_bits < 10:
                raise ZeroDivisionError("no\nluck " + 500 * "x" + " the end")
            super()._fit_views(data)

    methods = {
        "broken": Method(lambda m, s: Broken(m, random_state=s), reads="vectors"),
        "sound": Method(lambda m, s: CCAHasher(m, random_state=s), reads="vectors"),
    }
    return methods, state


def test_a_failure_stops_no_other_method(failing, tmp_path):
    methods, state = failing
    path, data = tmp_path / "r.jsonl", make_data()
    plan = Plan(bits=(8, 16), protocols=("paper",), seeded_bits=8, n_seeds=2, k=5)
    with pytest.warns(UserWarning, match=r"broken with 8 bits \(protocol paper, seed 1\) failed, "):
        rows = compare(data, plan, path, methods=methods)
    assert [(row["method"], row["bits"], "error" in row) for row in rows] == [
        ("broken", 8, True), ("broken", 8, True), ("broken", 16, False),
        ("sound", 8, False), ("sound", 8, False), ("sound", 16, False),
    ]  # fmt: skip
    assert rows[0]["error"].startswith("ZeroDivisionError: no luck xxx")
    assert "in _fit_views" in rows[0]["traceback"]
    json.dumps(rows)

    text = markdown_report(rows)
    line = next(line for line in text.splitlines() if line.startswith("| broken"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:3] == ["-", f"{rows[2]['map']:.3f}"]
    assert text.count("* broken") == 1
    assert "Failed (-); the next run tries it again:\n\n* broken (8 bits, 8 bits seed 1): " in text
    reason = next(line for line in text.splitlines() if line.startswith("* broken"))
    assert "no luck xxx" in reason
    assert "xx ... xx" in reason
    assert reason.endswith("x the end")
    figure = plot_comparison(rows, n_bits=8)
    assert [line.get_label() for line in figure.axes[2].get_lines()] == ["broken", "sound"]
    assert len(figure.axes[0].get_lines()) == 1
    with pytest.raises(ValueError, match=r"broken, 8 bits \(paper\) failed and found nothing to"):
        plot_cell(rows[0], make_problem(data))

    # The next run tries again what failed, and nothing else.
    assert state["fits"] == [8, 8, 16]
    with pytest.warns(UserWarning, match="failed"):
        again = compare(data, plan, path, methods=methods)
    assert state["fits"] == [8, 8, 16, 8, 8]
    assert again[2:] == rows[2:]
    state["broken"] = False
    mended = compare(data, plan, path, methods=methods)
    assert not any("error" in row for row in mended)
    assert mended[0]["map"] == mended[3]["map"]
    assert compare(data, plan, path, methods=methods) == mended
    assert state["fits"] == [8, 8, 16, 8, 8, 8, 8]
    assert "Failed" not in markdown_report(mended)


def test_of_seeds_those_that_did_not_fail_are_the_mean(failing, tmp_path):
    methods, _ = failing
    rows = compare(
        make_data(),
        Plan(methods=("sound",), bits=(8,), protocols=("paper",), seeded_bits=8, n_seeds=3, k=5),
        tmp_path / "r.jsonl",
        methods=methods,
    )
    failed = {name: rows[1][name] for name in ("protocol", "method", "bits", "seed", "k", "sizes")}
    text = markdown_report([rows[0], failed | {"error": "E: x"}, rows[2]])
    line = next(line for line in text.splitlines() if line.startswith("| sound"))
    seeds = [rows[0]["map"], rows[2]["map"]]
    assert f" {np.mean(seeds):.3f} +- {np.std(seeds, ddof=1):.3f} |" in line
    assert "* sound (8 bits seed 1): E: x" in text


def test_when_everything_fails(tmp_path):
    def make(n_bits, seed):
        raise RuntimeError("not there")

    plan = Plan(bits=(8,), protocols=("paper",), k=5)
    with pytest.warns(UserWarning, match="RuntimeError: not there"):
        rows = compare(
            make_data(), plan, tmp_path / "r.jsonl", methods={"a": Method(make, reads="vectors")}
        )
    assert "* a (8 bits): RuntimeError: not there" in markdown_report(rows)
    plot_comparison(rows, n_bits=8).savefig(tmp_path / "empty.png")


def test_settings_that_cannot_be_chosen_are_not_sought_again_in_a_run(tmp_path):
    fits = []

    class Broken(CCAHasher):
        def _fit_views(self, data):
            fits.append(self.n_bits)
            raise ValueError("never")

    methods = {
        "broken": Method(
            lambda m, s: Broken(m, random_state=s), reads="vectors", grid={"reg": [0.1, 1.0]}
        )
    }
    plan = Plan(bits=(8, 16), protocols=("paper",), seeded_bits=8, k=5)
    with pytest.warns(UserWarning, match="failed"):
        rows = compare(make_data(), plan, tmp_path / "r.jsonl", methods=methods)
    assert len(fits) == 6  # three folds by two settings, once
    assert all("ValueError: never" in row["error"] for row in rows)


def test_an_interruption_stops_the_run(tmp_path):
    class Interrupted(CCAHasher):
        def _fit_views(self, data):
            raise KeyboardInterrupt

    methods = {"mine": Method(lambda m, s: Interrupted(m), reads="vectors")}
    with pytest.raises(KeyboardInterrupt):
        compare(make_data(), Plan(bits=(8,), protocols=("paper",)), tmp_path / "r", methods=methods)
    assert (tmp_path / "r").read_text() == ""
