"""``search``, ``evaluate`` and ``info``: what is printed is what Python computes."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import sklearn_dsh
from sklearn_dsh import (
    CCAHasher,
    HammingRetriever,
    ITQHasher,
    load_model,
    load_sketch_photo_folder,
    save_model,
)
from sklearn_dsh.comparison import make_problem
from sklearn_dsh.gallery import Gallery, hash_file
from sklearn_dsh.views import SketchImageArray


def codes_of(shared, paths, view):
    views = (None, np.array(paths)) if view == "image" else (np.array(paths), None)
    return load_model(shared / "cca.model").transform(SketchImageArray(*views))


@pytest.mark.parametrize("view", ["sketch", "image"])
@pytest.mark.parametrize("top", [None, 3, 1000])
def test_search_is_that_of_the_codes(view, top, shared, run, images_of):
    photos = images_of(shared / "data/photo")
    queries = images_of(shared / "data" / ("sketch" if view == "sketch" else "photo"))[:7]
    arguments = [] if top is None else ["--top", top]
    result = run("search", shared / "cca.model", shared / "gallery", *queries, *arguments,
                 "--view", view, "--json")  # fmt: skip
    assert result.stderr == ""
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["query"] for answer in answers] == queries
    retriever = HammingRetriever().fit(codes_of(shared, photos, "image"))
    n = {None: 10, 3: 3, 1000: len(photos)}[top]
    distances, indices = retriever.kneighbors(codes_of(shared, queries, view), n)
    for answer, row_distances, row_indices in zip(answers, distances, indices, strict=True):
        assert answer["results"] == [
            {"distance": distance, "path": photos[i], "label": Path(photos[i]).parent.name}
            for distance, i in zip(row_distances.tolist(), row_indices.tolist(), strict=True)
        ]


@pytest.mark.parametrize("top", [None, 2])
def test_radius(top, shared, run, images_of):
    photos, queries = images_of(shared / "data/photo"), images_of(shared / "data/sketch")
    arguments = ["--radius", 4, "--json", *([] if top is None else ["--top", top])]
    result = run("search", shared / "cca.model", shared / "gallery", *queries, *arguments)
    answers = [json.loads(line)["results"] for line in result.stdout.splitlines()]
    retriever = HammingRetriever().fit(codes_of(shared, photos, "image"))
    _, indices = retriever.radius_neighbors(codes_of(shared, queries, "sketch"), 4)
    assert [[hit["path"] for hit in hits] for hits in answers] == [
        [photos[i] for i in row[:top]] for row in indices
    ]
    assert len({len(hits) for hits in answers}) > 1


def test_text(shared, run, images_of, tmp_path):
    photos = images_of(shared / "data/photo")
    sketch = images_of(shared / "data/sketch")[0]
    result = run("search", shared / "cca.model", shared / "gallery", sketch, "--top", 2)
    retriever = HammingRetriever().fit(codes_of(shared, photos, "image"))
    distances, indices = retriever.kneighbors(codes_of(shared, [sketch], "sketch"), 2)
    lines = [
        f"{distance:5d}  {photos[i]}  {Path(photos[i]).parent.name}"
        for distance, i in zip(distances[0], indices[0], strict=True)
    ]
    assert result.stdout.splitlines() == [sketch, *lines]


def test_text_without_results_and_labels(shared, run, images_of, tmp_path):
    sketch = images_of(shared / "data/sketch")[0]
    code = codes_of(shared, [sketch], "sketch")
    Gallery(code ^ np.uint8(0b10000000), 20, ["far.jpg"]).save(tmp_path / "g")
    model = shared / "cca.model"
    result = run("search", model, tmp_path / "g", sketch, "--radius", 2)
    assert result.stdout == f"{sketch}\n       nothing within the radius\n"
    result = run("search", model, tmp_path / "g", sketch, "--radius", 3)
    assert result.stdout == f"{sketch}\n    3  far.jpg\n"


def test_a_gallery_of_another_model_is_refused(shared, run, images_of, tmp_path):
    sketch = images_of(shared / "data/sketch")[0]
    other = tmp_path / "other.model"
    model = load_model(shared / "cca.model")
    save_model(model.set_params(hasher__reg=0.5), other)
    result = run("search", other, shared / "gallery", sketch, code=1)
    assert result.stderr == (
        f"Error: The gallery was encoded with another model file than {str(other)!r}: take that "
        "one, or encode the photos again with this one.\n"
    )
    Gallery([[1]], 8, ["a.jpg"]).save(tmp_path / "g")
    result = run("search", other, tmp_path / "g", sketch, code=1)
    assert result.stderr == (
        f"Error: The model {str(other)!r} gives codes of 20 bits and the gallery "
        f"{str(tmp_path / 'g')!r} holds codes of 8: encode its photos with this model.\n"
    )


def test_a_view_that_was_not_fitted(run, tmp_path, shared, images_of):
    X = np.random.default_rng(0).normal(size=(20, 5))
    save_model(ITQHasher(8).fit(X), tmp_path / "m.model")
    arguments = [shared / "data/photo", "-o", tmp_path / "g"]
    result = run("encode", tmp_path / "m.model", *arguments, code=1)
    assert "ITQHasher was fitted on the sketch view only, so view='image'" in result.stderr


def test_a_broken_sketch_is_named(shared, run, tmp_path):
    (tmp_path / "a.png").write_text("no image")
    arguments = [shared / "cca.model", shared / "gallery", tmp_path / "a.png"]
    result = run("search", *arguments, code=1)
    assert f"Cannot read the image file {str(tmp_path / 'a.png')!r}" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("protocol", ["paper", "unseen"])
def test_evaluate_is_score(protocol, shared, run):
    hasher = load_model(shared / "cca.model")
    problem = make_problem(load_sketch_photo_folder(shared / "data", size=None), protocol)
    arguments = [] if protocol == "paper" else ["--protocol", protocol]
    result = run("evaluate", shared / "cca.model", shared / "data", "-k", 5, "--json", *arguments)
    report = json.loads(result.stdout)
    features = hasher[:-1].transform(SketchImageArray(problem.queries, problem.gallery))
    score = hasher[-1].score(features, y=np.concatenate([problem.y_query, problem.y_gallery]))
    assert report.pop("mean_average_precision") == pytest.approx(score)
    assert 0 < report.pop("precision_at_k") <= 1
    n_gallery = {"paper": 36, "unseen": 8}[protocol]
    assert report == {
        "protocol": protocol,
        "n_queries": len(problem.queries),
        "n_gallery": len(problem.gallery),
        "k": 5,
        "n_queries_trained_on": 0,
        "n_gallery_trained_on": len(problem.gallery),  # it was trained on all photos
    }
    assert abs(len(problem.gallery) - n_gallery) <= 1
    warned = "Warning: the model was trained on" in result.stderr
    assert warned is (protocol == "unseen")


def test_evaluate_in_words(shared, run):
    result = run("evaluate", shared / "cca.model", shared / "data", "--quiet")
    assert result.stderr == ""
    # Of the gallery's 36 photos, which are fewer than 50, 12 are of each category.
    assert re.fullmatch(
        r"6 sketches query 36 photos \(protocol paper\): mean average precision [01]\.\d{3}, "
        r"precision@36 0\.333\n",
        result.stdout,
    )


def test_queries_that_were_trained_on_are_told_of(shared, run, tmp_path):
    model = tmp_path / "m.model"
    run("fit", shared / "data", model, "--method", "LSH", "--bits", 8, "--size", 32)
    moved = tmp_path / "moved"
    shutil.copytree(shared / "data", moved)
    result = run("evaluate", model, moved, "--quiet")
    assert result.stderr == (
        "Warning: the model was trained on 6 of the 6 queries, so that the figures are too good. "
        "Train with `fit --protocol paper`.\n"
    )


def test_evaluate_knows_nothing_of_other_models(shared, run, tmp_path):
    hasher = load_model(shared / "cca.model")
    del hasher.fitted_on_
    save_model(hasher, tmp_path / "m.model")
    report = json.loads(run("evaluate", tmp_path / "m.model", shared / "data", "--json").stdout)
    assert report["n_queries_trained_on"] is None


def test_info_of_a_model(shared, run):
    path = shared / "cca.model"
    facts = json.loads(run("info", path, "--json").stdout)
    assert facts.pop("written_by").keys() == {"sklearn-dsh", "scikit-learn", "torch", "numpy"}
    assert facts.pop("trained_on").pop("seconds") >= 0
    categories = facts.pop("categories")
    assert len(categories) == 3
    assert facts == {
        "kind": "model",
        "steps": ["PerView", "CCAHasher"],
        "n_bits": 20,
        "views": ["sketch", "image"],
        "n_bytes": path.stat().st_size,
        "model_id": hash_file(path),
        "read_by": {"sklearn-dsh": sklearn_dsh.__version__},
    }
    text = run("info", path).stdout
    assert "steps: PerView, CCAHasher\n" in text
    assert f"categories: {', '.join(categories)}\n" in text
    assert "trained on: data data, protocol paper, method CCA-ITQ, n_sketches 24, " in text


def test_info_of_a_model_of_other_making(run, tmp_path):
    rng = np.random.default_rng(0)
    hasher = CCAHasher(8).fit(rng.normal(size=(20, 5)), rng.normal(size=(20, 4)))
    save_model(hasher, tmp_path / "m.model")
    facts = json.loads(run("info", tmp_path / "m.model", "--json").stdout)
    assert (facts["steps"], facts["categories"]) == (["CCAHasher"], None)
    assert (facts["written_by"], facts["trained_on"]) == (None, None)
    assert "written by" not in run("info", tmp_path / "m.model").stdout


def test_info_of_a_gallery(shared, run):
    facts = json.loads(run("info", shared / "gallery", "--json").stdout)
    assert len(facts.pop("categories")) == 3
    assert facts == {
        "kind": "gallery",
        "n_photos": 36,
        "n_bits": 20,
        "n_code_bytes": 108,
        "model_id": hash_file(shared / "cca.model"),
        "written_by": {"sklearn-dsh": sklearn_dsh.__version__},
    }
    assert run("info", shared / "gallery").stdout.startswith("kind: gallery\nn photos: 36\n")


def test_info_of_neither(run, tmp_path, shared):
    result = run("info", tmp_path / "none", code=1)
    assert "There is no model file" in result.stderr
    result = run("info", shared / "data", code=1)
    assert "is no gallery: it has no file 'gallery.json'" in result.stderr
