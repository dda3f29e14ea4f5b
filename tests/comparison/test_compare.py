import json
from dataclasses import replace

import numpy as np
import pytest
from backbones import MADE, WIDTH, make_stranger
from planted_views import two_views
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from sklearn_dsh import (
    CCAHasher,
    Compact,
    DeepSketchHasher,
    ITQHasher,
    PerView,
    Pretrained,
    SketchImageArray,
    SketchKFold,
    TorchBackbone,
    make_sketch_photo,
)
from sklearn_dsh.comparison import (
    Method,
    Plan,
    compare,
    default_methods,
    markdown_report,
    plot_cell,
    plot_comparison,
)
from sklearn_dsh.comparison import _compare as module
from sklearn_dsh.comparison._problem import make_problem


@pytest.fixture
def data(monkeypatch):
    """Feature vectors stand for images, and for their features."""
    monkeypatch.setattr(module, "_held", lambda data: "images")
    monkeypatch.setattr(module, "with_features", lambda problem, per_view: problem)
    X_sk, X_img, (y_sk, y_img) = two_views(width=(12, 12))
    return Bunch(sketches=X_sk, images=X_img, y_sketch=y_sk, y_image=y_img)


PLAN = Plan(
    methods=("CCA-ITQ", "LSH", "HOG, not hashed"), bits=(8, 16), n_seeds=2, seeded_bits=16, k=5
)


def test_cells():
    assert list(PLAN.cells(default_methods()))[:6] == [
        ("paper", "CCA-ITQ", 8, 0),
        ("paper", "CCA-ITQ", 16, 0),
        ("paper", "CCA-ITQ", 16, 1),
        ("paper", "LSH", 8, 0),
        ("paper", "LSH", 16, 0),
        ("paper", "LSH", 16, 1),
    ]
    assert list(PLAN.cells(default_methods()))[6] == ("paper", "HOG, not hashed", None, 0)
    assert len(list(PLAN.cells(default_methods()))) == 14


def test_every_cell_is_the_method_on_the_problem(data, tmp_path):
    rows = compare(data, PLAN, tmp_path / "r.jsonl", name="planted")
    assert len(rows) == 14
    problem = make_problem(data)
    settings = rows[0]["settings"]
    assert settings["reg"] in default_methods()["CCA-ITQ"].grid["reg"]
    hasher = CCAHasher(16, random_state=1, **settings).fit(problem.train, problem.y_train)
    X, y = (problem.queries, problem.gallery), (problem.y_query, problem.y_gallery)
    assert rows[2]["map"] == pytest.approx(hasher.score(*X, y))
    assert rows[2]["sizes"] == problem.sizes()
    assert "precision_recall" in rows[1]
    assert "precision_recall" not in rows[2]  # the curves of one seed are enough


def test_settings_are_the_best_of_cross_validation(data, tmp_path):
    plan = Plan(methods=("CCA-ITQ",), bits=(16,), protocols=("unseen",), seeded_bits=16)
    (row,) = compare(data, plan, tmp_path / "r.jsonl")
    problem = make_problem(data, "unseen")
    folds = module.StratifiedViewKFold(3, shuffle=True, random_state=0)
    scores = {}
    for reg in default_methods()["CCA-ITQ"].grid["reg"]:
        hasher = CCAHasher(16, reg=reg, random_state=0)
        scores[reg] = np.mean([
            hasher.fit(problem.train[train], problem.y_train[train]).score(
                problem.train[test], problem.y_train[test]
            )
            for train, test in folds.split(problem.train, problem.y_train)
        ])  # fmt: skip
    assert scores[row["settings"]["reg"]] == max(scores.values())


def test_finished_cells_are_not_run_again(data, tmp_path):
    path = tmp_path / "r.jsonl"
    fits = []

    class Counted(ITQHasher):
        def _fit_views(self, data):
            fits.append(self.n_bits)
            super()._fit_views(data)
            if len(fits) == 2:
                raise KeyboardInterrupt

    methods = {"mine": Method(lambda m, s: Counted(m, random_state=s))}
    plan = Plan(methods=("mine",), bits=(4, 8, 12), protocols=("paper",))
    with pytest.raises(KeyboardInterrupt):
        compare(data, plan, path, methods=methods)
    assert fits == [4, 8]
    rows = compare(data, plan, path, methods=methods)
    assert fits == [4, 8, 8, 12]
    assert [row["bits"] for row in rows] == [4, 8, 12]
    assert compare(data, plan, path, methods=methods) == rows
    assert fits == [4, 8, 8, 12]
    assert len(path.read_text().splitlines()) == 3
    compare(data, plan, path, methods=methods, name="other")  # of other data nothing is finished
    assert len(fits) == 7


def test_report_and_plot(data, tmp_path):
    rows = compare(data, PLAN, tmp_path / "r.jsonl")
    text = markdown_report(rows, published="sketchy")
    lines = [line for line in text.splitlines() if line.startswith("| CCA-ITQ")]
    heads = next(line for line in text.splitlines() if "gallery kB" in line)
    cells = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert cells[1] == f"{rows[0]['map']:.3f}"
    seeds = [rows[1]["map"], rows[2]["map"]]
    assert cells[2] == f"{np.mean(seeds):.3f} +- {np.std(seeds, ddof=1):.3f}"
    assert "precision@5, 16 bits" in text
    assert f"Chosen on the training data: CCA-ITQ reg={rows[0]['settings']['reg']}." in text
    assert "published MAP, from memory of the paper" in text
    assert "0.783" in text
    figures = dict(
        zip(*(map(str.strip, line.split("|")) for line in (heads, lines[1])), strict=True)
    )
    assert figures["gallery kB, 16 bits"] == f"{2 * rows[1]['sizes'][3] / 1000:.1f}"
    with pytest.raises(ValueError, match="published must be one of"):
        markdown_report(rows, published="Sketchy")
    features = next(line for line in text.splitlines() if line.startswith("| HOG"))
    assert features.count(f"{rows[6]['map']:.3f}") == 2  # the same at every length
    figure = plot_comparison(rows, n_bits=16)
    assert len(figure.axes) == 6
    labels = [line.get_label() for line in figure.axes[2].get_lines()]
    assert labels == ["CCA-ITQ", "LSH", "HOG, not hashed"]
    assert len(figure.axes[0].get_lines()) == 3
    figure.savefig(tmp_path / "plot.png")
    json.dumps(rows)


def test_precision_is_labelled_as_it_is_cut(data, tmp_path):
    plan = Plan(methods=("LSH",), bits=(8,), protocols=("paper",), k=200)
    rows = compare(data, plan, tmp_path / "r.jsonl")
    assert f"precision@{len(data.images)}" in markdown_report(rows)


def test_results_of_other_data_are_refused(data, tmp_path):
    plan = Plan(methods=("LSH",), bits=(8,), protocols=("paper",))
    compare(data, plan, tmp_path / "r.jsonl")
    less = Bunch(**(data | {"images": data.images[:-1], "y_image": data.y_image[:-1]}))
    with pytest.raises(ValueError, match=r"r\.jsonl' holds results of other data of the name"):
        compare(less, plan, tmp_path / "r.jsonl")
    longer = Plan(methods=("LSH", "CCA-ITQ"), bits=(16,), seeded_bits=16, protocols=("paper",))
    with pytest.raises(ValueError, match=r"r\.jsonl' holds results of other data of the name"):
        compare(less, longer, tmp_path / "r.jsonl")  # though none of its cells is there
    assert len(compare(less, plan, tmp_path / "r.jsonl", name="less")) == 1


def test_nothing_is_counted_twice(data, tmp_path):
    path = tmp_path / "r.jsonl"
    plan = Plan(methods=("LSH", "LSH"), bits=(np.int64(8), 8), protocols=("paper", "paper"))
    (row,) = compare(data, plan, path)
    path.write_text(2 * path.read_text())  # as of two processes at once
    assert compare(data, plan, path) == [row]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"bits": (32, 0)}, r"bits\[1\] must be an integer of 1 or more, got 0"),
        ({"bits": (8.0,)}, r"bits\[0\]"),
        ({"n_seeds": 0}, "n_seeds"),
        ({"seeded_bits": 0}, "seeded_bits"),
        ({"k": 0}, "k must"),
    ],
)
def test_bad_plans(wrong, match):
    with pytest.raises(ValueError, match=match):
        Plan(**wrong)


def test_features_that_learn_know_nothing_of_the_fold_that_chooses(data, tmp_path):
    fitted = []

    class Labels(TransformerMixin, BaseEstimator):
        """The labels of what it was fitted on: a feature that gives everything away."""

        def fit_transform(self, X, y):
            fitted.append(len(X))
            self.known = {row.tobytes(): label for row, label in zip(rows_of(X), y, strict=True)}
            return self.transform(X)

        def transform(self, X):
            found = np.array([self.known.get(row.tobytes(), -1) for row in rows_of(X)])
            features = np.eye(6)[found]
            sketches, images = features[X.is_sketch], features[~X.is_sketch]
            order = np.argsort(np.argsort(~X.is_sketch, kind="stable"))
            return SketchImageArray(sketches, images)[order]

    def rows_of(X):
        first = iter(X.take_view("sketch")), iter(X.take_view("image"))
        return [next(first[0] if is_sketch else first[1]) for is_sketch in X.is_sketch]

    def reads(problem):
        return Labels()

    problems = module._Problems(data)
    X, y, folds = problems.to_choose_with("unseen", Method(None, reads=reads), 8)
    ((train, test),) = folds
    assert fitted == [len(train)]
    assert len(train) + len(test) == len(X) == len(make_problem(data, "unseen").train)
    known = np.array([row.argmax() for row in rows_of(X)])
    np.testing.assert_array_equal(known[train], y[train])
    assert (known[test] == 5).all()
    problems.to_choose_with("unseen", Method(None, reads=reads), 8)
    assert len(fitted) == 1


def test_a_finished_cell_as_a_picture(tmp_path):
    data = make_sketch_photo(n_categories=2, n_sketches=12, n_photos=20, random_state=0)
    plan = Plan(methods=("LSH", "HOG, not hashed"), bits=(8,), protocols=("unseen",))
    rows = compare(data, plan, tmp_path / "r.jsonl")
    problem = make_problem(data, "unseen")
    for row, title in zip(rows, ("LSH, 8 bits (unseen)", "HOG, not hashed (unseen)"), strict=True):
        figure = plot_cell(row, problem)
        assert figure.get_suptitle() == title
        shown = figure.axes[1].get_images()[0].get_array()
        nearest = problem.gallery[row["retrieved"]["found"][0][0]]
        np.testing.assert_array_equal(shown, nearest)


def test_features_are_read_from_images(tmp_path):
    data = make_sketch_photo(n_categories=2, n_sketches=12, n_photos=20, random_state=0)
    names = ("LSH", "HOG, not hashed", "S-HELO, not hashed", "GF-HOG, not hashed")
    plan = Plan(methods=names, bits=(8,), protocols=("unseen",))
    rows = compare(data, plan, tmp_path / "r.jsonl")
    widths = [1, 4 * 1764, 4 * 1296, 4 * 1000]
    assert [row["bytes_per_photo"] for row in rows] == widths


def test_unknown_methods(data, tmp_path):
    path = tmp_path / "new" / "r.jsonl"
    with pytest.raises(ValueError, match=r"There are no methods \['DHS'\]: expected some of"):
        compare(data, Plan(methods=("DHS",)), path)
    with pytest.raises(ValueError, match="protocol must be one of"):
        compare(data, Plan(protocols=("paper", "unsen")), path)
    with pytest.raises(ValueError, match="seeded_bits=64, which is none of bits="):
        compare(data, Plan(bits=(8,), n_seeds=3), path)
    grid = {"reg": np.arange(1, 3)}
    methods = {"mine": Method(lambda m, s: CCAHasher(m, random_state=s), grid=grid)}
    with pytest.raises(TypeError, match="not JSON serializable"):
        compare(data, Plan(methods=("mine",)), path, methods=methods)
    assert not path.exists()
    with pytest.raises(ValueError, match="reads must be"):
        Method(None, reads="feature")


def test_features_alone(data, tmp_path):
    rows = compare(
        data, Plan(methods=("HOG, not hashed",), protocols=("paper",)), tmp_path / "r.jsonl"
    )
    text = markdown_report(rows)
    assert f"{rows[0]['map']:.3f}" in text
    assert "bits" not in text
    assert "Chosen" not in text


def test_settings_of_another_length_are_not_taken(data, tmp_path):
    for n_bits in (4, 16):
        plan = Plan(methods=("CCA-ITQ",), bits=(n_bits,), protocols=("paper",), seeded_bits=n_bits)
        compare(data, plan, tmp_path / "r.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [line["bits"] for line in lines if "settings_of" in line] == [4, 16]


def test_methods_that_are_not_hashed_are_ranked_by_their_projections(data, tmp_path):
    made = CCAHasher(8, random_state=0)
    methods = {
        "real": Method(lambda n_bits, seed: CCAHasher(n_bits, random_state=seed), hashes=False)
    }
    plan = Plan(methods=("real",), bits=(8,), protocols=("paper",), seeded_bits=8, k=5)
    (row,) = compare(data, plan, tmp_path / "r.jsonl", methods=methods)
    expected = module.evaluate_projections(made, make_problem(data), k=5)
    assert row["map"] == expected.mean_average_precision
    assert row["bytes_per_photo"] == 8 * 8


def test_settings_of_projections_are_chosen_by_their_ranking(data, tmp_path):
    """Of a pipeline, too, whose last step projects."""

    def make(n_bits, seed):
        return make_pipeline(PerView(), CCAHasher(n_bits, random_state=seed))

    grid = {"ccahasher__reg": [1e-3, 0.1, 10.0]}
    methods = {"real": Method(make, grid=grid, hashes=False)}
    plan = Plan(methods=("real",), bits=(3,), protocols=("paper",), seeded_bits=3, k=5)
    (row,) = compare(data, plan, tmp_path / "r.jsonl", methods=methods)
    problem = make_problem(data)
    X, y, scores = problem.train, problem.y_train, {}
    for reg in grid["ccahasher__reg"]:
        of_folds = []
        for train, test in SketchKFold(3, shuffle=True, random_state=0).split(X, y):
            hasher = CCAHasher(3, reg=reg, random_state=0).fit(X[train], y[train])
            test_X, test_y = X[test], y[test]
            queries = hasher.project(test_X.take_view("sketch")[:], "sketch")
            gallery = hasher.project(test_X.take_view("image")[:], "image")
            relevant = test_y[~test_X.is_sketch] == test_y[test_X.is_sketch][:, None]
            nearness = -euclidean_distances(queries, gallery)
            of_folds.append(np.mean(list(map(average_precision_score, relevant, nearness))))
        scores[reg] = np.mean(of_folds)
    assert row["settings"] == {"ccahasher__reg": max(scores, key=scores.get)}
    hasher = CCAHasher(3, reg=row["settings"]["ccahasher__reg"], random_state=0)
    assert row["map"] == module.evaluate_projections(hasher, problem, k=5).mean_average_precision


class Encoder(BaseEstimator):
    """The signs of features as codes, and nothing else."""

    def __init__(self, n_kept=8):
        self.n_kept = n_kept

    def fit(self, X, y):
        return self

    def transform(self, X):
        rows = np.empty((len(X), self.n_kept))
        for view, of_view in (("sketch", X.is_sketch), ("image", ~X.is_sketch)):
            if of_view.any():
                rows[of_view] = X.take_view(view)[:][:, : self.n_kept]
        return np.packbits(rows > 0, axis=1)


def test_settings_of_what_only_gives_codes(data, tmp_path):
    methods = {"signs": Method(lambda n_bits, seed: Encoder(), grid={"n_kept": [4, 8]})}
    plan = Plan(methods=("signs",), bits=(8,), protocols=("paper",), seeded_bits=8, k=5)
    (row,) = compare(data, plan, tmp_path / "r.jsonl", methods=methods)
    assert row["settings"]["n_kept"] in (4, 8)


def test_frames_for_arrays(data, tmp_path):
    plan = Plan(methods=("CCA-ITQ", "HOG, not hashed"), bits=(8,), seeded_bits=8, k=5)
    arrays = compare(data, plan, tmp_path / "arrays.jsonl")
    with config_context(transform_output="pandas"):
        frames = compare(data, plan, tmp_path / "frames.jsonl")
    assert [row["map"] for row in arrays] == [row["map"] for row in frames]


def test_methods_on_learned_features():
    methods = default_methods("fc")
    (reads,) = {method.reads for name, method in methods.items() if name != "DSH"}
    assert (
        reads(None, 8, 1).hasher.hasher.get_params()
        == DeepSketchHasher(8, random_state=1).get_params()
    )
    larger = default_methods("fc", architecture=Compact(96))["CCA-ITQ, fc"]
    assert larger.reads(None, 8, 0).hasher.hasher.architecture == Compact(96)
    assert default_methods(architecture=Compact(96))["DCMH"].make(8, 0).architecture.size == 96
    assert methods["CCA-ITQ, fc"].grid == default_methods()["CCA-ITQ"].grid
    assert "DSH, fc" not in methods
    with pytest.raises(
        ValueError, match="features must be 'HOG', 'fc', 'pretrained' or 'vectors', got 'pixels'"
    ):
        default_methods("pixels")


def test_every_method_on_learned_features(tmp_path, monkeypatch):
    """The last layer of sketches is narrower than that of photos, and of each length and seed."""
    fits = []

    class FewSteps(DeepSketchHasher):
        def fit(self, X, *args):
            fits.append((self.n_bits, self.random_state, len(X)))
            return self.set_params(max_iter=1, steps_per_iter=2)._fit_call(X, *args, None)

    monkeypatch.setattr("sklearn_dsh.comparison._methods.DeepSketchHasher", FewSteps)
    data = make_sketch_photo(n_categories=3, n_sketches=30, n_photos=36, size=32, random_state=0)
    methods = default_methods("fc", architecture=Compact(32))
    for name in set(methods) - {"CCA-ITQ, fc"}:  # one choice of settings is enough
        methods[name] = replace(methods[name], grid={})
    plan = Plan(
        methods=tuple(methods), bits=(8, 12), seeded_bits=8, n_seeds=2, protocols=("unseen",), k=2
    )
    rows = compare(data, plan, tmp_path / "r.jsonl", methods=methods)
    names = ("SDH", "SePH", "SCM-Seq", "SCM-Orth", "CVH", "CMFH", "CMSSH", "CCA-ITQ")
    assert list(dict.fromkeys(row["method"] for row in rows)) == [
        "DSH", *(f"{name}, fc" for name in names)
    ]  # fmt: skip
    assert all(0 < row["map"] <= 1 for row in rows)
    methods = default_methods("fc", architecture=Compact(32))
    methods["CCA-ITQ, fc"] = replace(methods["CCA-ITQ, fc"], grid={})
    plan = replace(plan, methods=("CCA-ITQ, fc", "DSH"), bits=(8,), n_seeds=1)
    trained_before = compare(data, plan, tmp_path / "other.jsonl", methods=methods)[1]
    assert trained_before["fit_seconds"] > 0.01
    del fits[-1]
    # One training a length and seed for all methods, and one more on two folds for the settings.
    assert sorted(fits) == [(8, 0, 34), (8, 0, 52), (8, 1, 52), (12, 0, 52)]
    assert len(rows) == 3 * len(methods)


def test_every_method_on_features_of_a_backbone(tmp_path):
    data = make_sketch_photo(n_categories=3, n_sketches=30, n_photos=36, size=32, random_state=0)
    backbone = TorchBackbone(make_stranger, size=32)
    architecture = Pretrained(backbone, trained="none", n_versions=1)
    methods = default_methods("pretrained", architecture=architecture)
    assert {"DSH", "DCMH", "SDH, pretrained", "LSH, pretrained", "features, not hashed"} <= set(
        methods
    )
    assert not any("HOG" in name for name in methods)
    assert methods["DSH"].make(8, 0).architecture is architecture
    for name in ("CCA-ITQ, pretrained", "DSH"):
        methods[name] = replace(methods[name], grid={})
    few = methods["DSH"].make
    methods["DSH"] = replace(
        methods["DSH"], make=lambda *a: few(*a).set_params(max_iter=1, steps_per_iter=2)
    )
    names = ("DSH", "CCA-ITQ, pretrained", "LSH, pretrained", "features, not hashed")
    plan = Plan(methods=names, bits=(8,), seeded_bits=8, protocols=("unseen",), k=2)
    MADE.clear()
    rows = compare(data, plan, tmp_path / "r.jsonl", methods=methods)
    assert [row["method"] for row in rows] == list(names)
    assert rows[-1]["bytes_per_photo"] == 4 * WIDTH
    # A fit, the network that encodes, and one a view for all that read the features.
    assert len(MADE) == 4
