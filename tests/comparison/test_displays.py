import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from planted_views import two_views

from sklearn_dsh import CCAHasher, stack_views
from sklearn_dsh.comparison import RetrievalCurveDisplay, plot_retrieved
from sklearn_dsh.comparison._displays import GREEN, RED, choose_queries
from sklearn_dsh.metrics import precision_at_k, precision_recall_curve

mpl.use("Agg")


@pytest.fixture(scope="module")
def hasher():
    return CCAHasher(16, reg=0.1, random_state=0).fit(*two_views(0))


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def test_curves_show_the_metrics(hasher):
    X_sk, X_img, (y_sk, y_img) = two_views(1)
    codes = hasher.transform(X_sk), hasher.transform(X_img, view="image")
    display = RetrievalCurveDisplay.from_codes(*codes, y_sk, y_img, name="CCA", color="red")
    precision, recall, _ = precision_recall_curve(*codes, y_sk, y_img)
    np.testing.assert_array_equal(display.line_.get_xdata(), recall)
    np.testing.assert_array_equal(display.line_.get_ydata(), precision)
    assert display.ax_.get_xlabel() == "recall"
    assert display.line_.get_color() == "red"
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["CCA"]
    by_rank = RetrievalCurveDisplay.from_codes(*codes, y_sk, y_img, kind="precision_at_k")
    assert by_rank.ax_ is not display.ax_
    assert by_rank.y[-1] == pytest.approx(precision_at_k(*codes, y_sk, y_img, k=90))
    assert by_rank.line_.get_xdata()[-1] == 90
    assert by_rank.ax_.get_legend() is None


def test_all_call_forms_draw_the_same_curve(hasher):
    X_sk, X_img, y = two_views(1)
    display = RetrievalCurveDisplay.from_estimator(hasher, X_sk, X_img, y)
    X, rows = stack_views(X_sk, X_img, y)
    same = RetrievalCurveDisplay.from_estimator(hasher, X, rows, ax=display.ax_, name="again")
    assert same.figure_ is display.figure_
    np.testing.assert_array_equal(same.y, display.y)
    assert [line.get_label() for line in display.ax_.get_lines()] == ["CCAHasher", "again"]


def test_bad_input(hasher):
    X_sk, X_img, (y_sk, y_img) = two_views(1)
    with pytest.raises(ValueError, match="kind must be one of"):
        RetrievalCurveDisplay.from_estimator(hasher, X_sk, X_img, (y_sk, y_img), kind="roc")
    for wrong in ((X_sk, y_sk), (X_sk[:50], X_img[:50])):
        with pytest.raises(ValueError, match="pass both views with labels"):
            RetrievalCurveDisplay.from_estimator(hasher, *wrong)


def test_picture_frames_right_photos_green():
    rng = np.random.default_rng(0)
    labels = np.array(["lying", "standing"] * 8)
    codes = np.where(labels == "lying", 0, 255).astype(np.uint8)[:, None]
    sketches = rng.integers(0, 256, (4, 32, 32), dtype=np.uint8)
    photos = rng.integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    figure = plot_retrieved(
        sketches, photos, codes[:4], codes, labels[:4], labels, n_queries=3, title="found"
    )
    axes = np.array(figure.axes).reshape(3, 11)
    assert figure.get_suptitle() == "found"
    assert {row[0].get_title() for row in axes} == {"sketch: lying", "sketch: standing"}
    for row in axes:
        label = row[0].get_title().removeprefix("sketch: ")
        query = row[0].get_images()[0].get_array()
        assert any((query == sketches[i]).all() for i in np.flatnonzero(labels[:4] == label))
        for place, ax in enumerate(row[1:]):
            right = place < 8  # there are eight photos of each category, and codes are perfect
            assert ax.get_title().startswith(label) is right
            assert to_hex(ax.spines["left"].get_edgecolor()) == (GREEN if right else RED)


def test_pictures_read_files(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("sketch.png", "photo.png"):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(tmp_path / name)
    sketches, photos = (np.array([str(tmp_path / f"{n}.png")] * 2) for n in ("sketch", "photo"))
    points, labels = rng.normal(size=(2, 3)), np.array(["a", "b"])
    figure = plot_retrieved(sketches, photos, points, points, labels, labels)
    shapes = [ax.get_images()[0].get_array().shape for ax in figure.axes]
    assert shapes == [(128, 128), (128, 128, 3), (128, 128, 3)] * 2
    far = np.linalg.norm(points[0] - points[1])
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[:3] == ["sketch: a", "a (0.00)", f"b ({far:.2f})"]


def test_pictures_of_lists_series_and_codes_of_any_integers(tmp_path):
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(np.full((40, 40, 3), 80 * i, dtype=np.uint8)).save(paths[-1])
    labels = pd.Series(["a", "b", "c"], index=[2, 0, 1])
    query, gallery = [[128]], [[127], [0], [129]]  # 8, 1 and 1 bits away
    figure = plot_retrieved(paths[:1], paths, query, gallery, ["a"], labels)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["sketch: a", "b (1)", "c (1)", "a (8)"]
    levels = [ax.get_images()[0].get_array().max() for ax in figure.axes]
    assert levels == [0, 80, 160, 0]


@pytest.mark.parametrize(
    ("short", "message"),
    [
        (0, "There are 2 pictures, 3 codes and 3 labels of queries"),
        (3, "There are 5 pictures, 4 codes and 5 labels of the gallery"),
        (5, "There are 5 pictures, 5 codes and 4 labels of the gallery"),
    ],
)
def test_pictures_without_codes_or_labels(short, message):
    sketches, photos = np.zeros((3, 32, 32), np.uint8), np.zeros((5, 32, 32, 3), np.uint8)
    codes, labels = np.zeros((5, 1), np.uint8), np.array(list("aabbb"))
    arguments = [sketches, photos, codes[:3], codes, labels[:3], labels]
    arguments[short] = arguments[short][:-1]
    with pytest.raises(ValueError, match=message):
        plot_retrieved(*arguments)


def test_codes_and_floats_have_no_distance():
    sketches, photos = np.zeros((1, 32, 32), np.uint8), np.zeros((2, 32, 32, 3), np.uint8)
    floats, codes = np.array([[3.0]]), np.uint8([[19], [4]])
    for query, gallery in ((floats, codes), (codes[:1], np.repeat(floats, 2, axis=0))):
        with pytest.raises(ValueError, match="both are packed codes, or both are floats"):
            plot_retrieved(sketches, photos, query, gallery, ["a"], ["a", "b"])


def test_queries_are_drawn_from_different_categories():
    labels = np.repeat(["a", "b", "c"], [50, 5, 1])
    rows = choose_queries(labels, 5, 0)
    assert list(labels[rows]) == ["a", "a", "b", "b", "c"]
    assert len(set(rows)) == 5
