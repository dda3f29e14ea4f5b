import json

import numpy as np
import pytest

from sklearn_dsh.datasets import load_quickdraw

LINE = [[[0, 255], [100, 100]]]
CORNER = [[[0, 0, 200], [0, 255, 255]], [[30], [40]]]


def write_drawings(path, drawings, recognized=True):
    lines = [
        json.dumps({"word": path.stem, "recognized": recognized, "drawing": drawing})
        for drawing in drawings
    ]
    path.write_text("\n".join(lines) + "\n")


def across(y):
    return [[[0, 255], [y, y]], [[0, 0], [0, 255]]]


@pytest.fixture
def drawn(tmp_path):
    """Each drawing of `cat` has its line at another height, those of `dog` are not recognized."""
    write_drawings(tmp_path / "cat.ndjson", [across(20 + 30 * i) for i in range(8)])
    write_drawings(tmp_path / "dog.ndjson", [LINE, CORNER], recognized=False)
    return tmp_path


@pytest.fixture
def bitmaps(tmp_path):
    """Row i of `cat` is white from pixel row i down; `flying saucer` has an empty picture."""
    rows = np.zeros((20, 28, 28), dtype=np.uint8)
    for i, row in enumerate(rows):
        row[i:] = 255
    np.save(tmp_path / "cat.npy", rows.reshape(20, 784))
    np.save(tmp_path / "full_numpy_bitmap_flying saucer.npy", np.zeros((1, 784), np.uint8))
    return tmp_path


def test_drawings(drawn):
    data = load_quickdraw(drawn)
    assert data.sketches.shape == (10, 64, 64)
    assert data.sketches.dtype == np.uint8
    assert list(data.y_sketch) == ["cat"] * 8 + ["dog"] * 2
    assert list(data.target_names) == ["cat", "dog"]
    assert list(data.recognized) == [True] * 8 + [False] * 2
    assert "images" not in data


@pytest.mark.parametrize("size", [64, 80, 224])
def test_horizontal_stroke(tmp_path, size):
    write_drawings(tmp_path / "line.ndjson", [LINE])
    (sketch,) = load_quickdraw(tmp_path, size=size).sketches
    half_width = size / 40 / 2
    away = np.abs(np.arange(size) + 0.5 - size / 2)  # of a row's middle from the stroke's
    dark, white = away + 0.5 <= half_width, away - 0.5 >= half_width
    inside = slice(size // 16 + 1, size - size // 16 - 1)
    assert np.all(sketch[white] == 255)
    assert np.all(sketch[dark][:, inside] == 0)
    assert np.all(sketch[size // 2, inside] < 100)
    # All the ink of a column amounts to the width; margins hold nothing but a round end.
    ink = (255 - sketch.astype(float)).sum(axis=0) / 255
    np.testing.assert_allclose(ink[inside], size / 40, atol=0.26)
    outside = int(size / 16 - half_width)
    assert np.all(ink[:outside] == 0)
    assert np.all(ink[size - outside :] == 0)
    np.testing.assert_array_equal(sketch, sketch[::-1])
    np.testing.assert_array_equal(sketch, sketch[:, ::-1])


def test_drawings_keep_their_proportions_in_the_middle(tmp_path):
    write_drawings(tmp_path / "box.ndjson", [[[[0, 255, 255, 0, 0], [0, 0, 127, 127, 0]]]])
    (sketch,) = load_quickdraw(tmp_path, size=160).sketches
    rows, columns = np.nonzero(sketch < 128)
    # 160 less margins of 10 is the width of 140, and the stroke is 4 wide.
    assert (columns.min(), columns.max()) == (8, 151)
    np.testing.assert_allclose((rows.min(), rows.max()), (80 - 35 - 2, 80 + 35 + 1), atol=1)
    assert np.all(sketch[55:105, 20:140] == 255)


def test_single_point_is_a_dot(tmp_path):
    write_drawings(tmp_path / "dot.ndjson", [[[[9], [9]]]])
    (sketch,) = load_quickdraw(tmp_path, size=80).sketches
    assert sketch[40, 40] < 100
    sketch = sketch.copy()
    sketch[38:42, 38:42] = 255
    assert np.all(sketch == 255)


def test_strokes_are_apart(tmp_path):
    write_drawings(tmp_path / "two.ndjson", [[[[0, 255], [0, 0]], [[0, 255], [200, 200]]]])
    (sketch,) = load_quickdraw(tmp_path, size=80).sketches
    assert np.all(sketch[30:50] == 255)
    rows = np.flatnonzero(sketch[:, 40] < 255)
    assert np.flatnonzero(np.diff(rows) > 1).size == 1
    # 200 of 255 units of the drawing's 70 pixels.
    assert abs(np.diff([rows[rows < 40].mean(), rows[rows > 40].mean()])[0] - 54.9) < 1


def heights(sketches):
    """Where the horizontal line of each drawing of `across` is."""
    return [int(sketch[:, 40].argmin()) for sketch in sketches]


def test_sample(drawn):
    everything = load_quickdraw(drawn, categories=["cat"], max_per_category=None)
    order = heights(everything.sketches)
    assert len(set(order)) == 8
    assert order == sorted(order)
    some = load_quickdraw(drawn, max_per_category=3)
    assert list(some.y_sketch) == ["cat"] * 3 + ["dog"] * 2
    got = heights(some.sketches[:3])
    assert len(set(got)) == 3
    assert set(got) <= set(order)
    assert got == sorted(got)
    again = load_quickdraw(drawn, max_per_category=3, random_state=0)
    np.testing.assert_array_equal(some.sketches, again.sketches)
    seen = {
        tuple(heights(load_quickdraw(drawn, max_per_category=3, random_state=s).sketches[:3]))
        for s in range(12)
    }
    assert len(seen) > 4
    assert {height for sample in seen for height in sample} == set(order)


def test_lines_that_are_not_sampled_are_not_parsed(drawn):
    path = drawn / "cat.ndjson"
    sound = path.read_text()
    path.write_text(sound + "broken\n" * 2 + sound.splitlines()[0])
    outcomes = set()
    for seed in range(20):
        try:
            load_quickdraw(drawn, max_per_category=2, random_state=seed)
            outcomes.add("read")
        except ValueError as error:
            outcomes.add(str(error).partition(": ")[0].partition(", ")[2])
    assert outcomes == {"read", "line 9", "line 10"}


def test_a_file_that_is_cut_off_is_known_by_its_last_line(drawn):
    path = drawn / "cat.ndjson"
    path.write_text(path.read_text()[:-5])
    for seed in range(10):
        with pytest.raises(ValueError, match=r"cat\.ndjson', line 8: broken JSON"):
            load_quickdraw(drawn, max_per_category=2, random_state=seed)


def test_bitmaps(bitmaps):
    data = load_quickdraw(bitmaps, size=56)
    assert data.sketches.shape == (21, 56, 56)
    assert data.sketches.dtype == np.uint8
    assert data.recognized is None
    assert list(data.target_names) == ["cat", "flying saucer"]
    assert np.all(data.sketches[-1] == 255)
    # Dark on white, the right way up; the resizing filter rings a little at the edge.
    assert np.all(data.sketches[10, :19] > 240)
    assert np.all(data.sketches[10, 21:] < 15)
    assert np.all(data.sketches[10, :12] == 255)
    assert np.all(data.sketches[10, 28:] == 0)


def test_sample_of_bitmaps(bitmaps):
    data = load_quickdraw(bitmaps, categories=["cat"], max_per_category=5)
    starts = [int(np.argmin(sketch[:, 0] > 128)) for sketch in data.sketches]
    assert len(set(starts)) == 5
    assert starts == sorted(starts)
    other = load_quickdraw(bitmaps, categories=["cat"], max_per_category=5, random_state=1)
    assert not np.array_equal(data.sketches, other.sketches)


def test_one_format_for_all(drawn, bitmaps):
    # cat has both, dog only drawings, the saucer only a bitmap.
    assert load_quickdraw(drawn, categories=["cat"]).recognized is not None
    assert load_quickdraw(drawn, categories=("dog", "cat")).recognized is not None
    saucers = load_quickdraw(drawn, categories=np.array(["flying saucer", "cat"]))
    assert saucers.recognized is None
    assert list(saucers.target_names) == ["cat", "flying saucer"]
    with pytest.raises(ValueError, match=r"no .ndjson of 'flying saucer'; no .npy of 'dog'"):
        load_quickdraw(drawn)


def test_names_as_browsers_save_them(tmp_path):
    write_drawings(tmp_path / "full_simplified_washing machine.ndjson", [LINE])
    (tmp_path / "notes.txt").write_text("x")
    assert list(load_quickdraw(str(tmp_path)).target_names) == ["washing machine"]
    write_drawings(tmp_path / "washing machine.ndjson", [LINE])
    with pytest.raises(ValueError, match="Two files of one category"):
        load_quickdraw(tmp_path)


def test_hidden_files_are_passed_over(drawn):
    expected = load_quickdraw(drawn).target_names.tolist()
    (drawn / "._cat.ndjson").write_bytes(b"\0\5\x16\7")
    assert load_quickdraw(drawn).target_names.tolist() == expected


def test_blank_lines_and_no_last_line_end(tmp_path):
    line = json.dumps({"recognized": True, "drawing": LINE})
    (tmp_path / "a.ndjson").write_text(f"\n{line}\r\n\n{line}")
    assert len(load_quickdraw(tmp_path).sketches) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"recognized": true, "drawing": [[[1, 2], [3', "broken JSON"),
        ("\xff", "broken JSON"),
        ("[1, 2]", 'expected a JSON object with a list "drawing"'),
        ('{"recognized": true}', 'with a list "drawing"'),
        ('{"recognized": true, "drawing": "x"}', 'with a list "drawing"'),
        ('{"drawing": [[[1, 2], [3, 4]]]}', 'with a bool "recognized"'),
        ('{"recognized": true, "drawing": []}', "without strokes"),
        ('{"recognized": true, "drawing": [[[1, 2], [3]]]}', "a stroke is not"),
        ('{"recognized": true, "drawing": [[[], []]]}', "a stroke is not"),
        ('{"recognized": true, "drawing": [7]}', "a stroke is not"),
        ('{"recognized": true, "drawing": [[[1], [2], [0]]]}', "raw ones have times"),
        ('{"recognized": true, "drawing": [[[1, 256], [2, 2]]]}', "coordinates outside 0 to 255"),
        ('{"recognized": true, "drawing": [[[1, NaN], [2, 2]]]}', "coordinates outside 0 to 255"),
    ],
)
def test_bad_lines_are_named(drawn, line, message):
    path = drawn / "dog.ndjson"
    path.write_bytes(path.read_bytes() + b"\n" + line.encode("latin-1") + b"\n")
    with pytest.raises(ValueError, match=rf"dog\.ndjson', line 4: .*{message}"):
        load_quickdraw(drawn)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 28, 28), np.uint8), r"uint8 of shape \(3, 28, 28\): expected uint8 of"),
        (np.zeros((3, 783), np.uint8), r"shape \(3, 783\)"),
        (np.zeros((3, 784)), "holds float64"),
        (np.zeros((0, 784), np.uint8), "holds no drawings"),
        (np.array([{}], dtype=object), "Cannot read the bitmaps"),
    ],
)
def test_bad_bitmaps_are_named(bitmaps, array, message):
    np.save(bitmaps / "dog.npy", array)
    with pytest.raises(ValueError, match=rf"dog\.npy.*{message}|{message}.*dog\.npy"):
        load_quickdraw(bitmaps)


@pytest.mark.parametrize("kept", [0, 50, 1000])
def test_damaged_bitmap_file(bitmaps, kept):
    path = bitmaps / "cat.npy"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"Cannot read the bitmaps .*cat\.npy"):
        load_quickdraw(bitmaps)


def test_missing_files(tmp_path, drawn):
    with pytest.raises(ValueError, match="There is no folder"):
        load_quickdraw(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ValueError, match="There are no drawings in"):
        load_quickdraw(tmp_path / "bare")
    with pytest.raises(ValueError, match="There are no files of 'bat', 'emu'"):
        load_quickdraw(drawn, categories=["emu", "cat", "bat"])
    (drawn / "cat.ndjson").write_text("\n")
    with pytest.raises(ValueError, match=r"cat\.ndjson' holds no drawings"):
        load_quickdraw(drawn)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"categories": []}, "categories is empty"),
        ({"categories": "cat"}, "'categories' parameter"),
        ({"max_per_category": 0}, "'max_per_category' parameter"),
        ({"size": 28}, "'size' parameter"),
        ({"size": None}, "'size' parameter"),
    ],
)
def test_bad_arguments(drawn, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_quickdraw(drawn, **arguments)
