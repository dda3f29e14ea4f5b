"""The stored gallery: whole or not there, searched from its map, and nothing else taken for one."""

import copy
import json
import os
import pickle
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hamming_reference import brute_force

from sklearn_dsh import HammingRetriever
from sklearn_dsh import gallery as module
from sklearn_dsh.gallery import Gallery


def make_gallery(n=20, n_bits=20, seed=0, labels=True):
    rng = np.random.default_rng(seed)
    codes = np.packbits(rng.integers(0, 2, (n, n_bits)), axis=1)
    paths = [f"photos/{seed}/{i:03d}.jpg" for i in range(n)]
    return Gallery(codes, n_bits, paths, [f"c{i % 3}" for i in range(n)] if labels else None)


def assert_same(gallery, other):
    np.testing.assert_array_equal(gallery.codes, other.codes)
    assert gallery.codes.dtype == np.uint8
    assert (gallery.n_bits, gallery.model_id) == (other.n_bits, other.model_id)
    assert (gallery.paths, gallery.labels) == (other.paths, other.labels)


def is_in_a_file(array):
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("n_bits", [1, 8, 20, 64])
def test_round_trip(n_bits, labels, tmp_path):
    gallery = make_gallery(n_bits=n_bits, labels=labels)
    gallery.save(tmp_path / "new" / "gallery")
    loaded = Gallery.load(tmp_path / "new" / "gallery")
    assert_same(loaded, gallery)
    assert len(loaded) == 20
    assert repr(loaded) == f"Gallery(n_photos=20, n_bits={n_bits})"


def test_any_file_name_comes_back(tmp_path):
    paths = ["a b.jpg", "Skizze für Δ.png", 'quote".png', os.fsdecode(b"not utf-8 \xff.png")]
    Gallery(np.zeros((4, 1), np.uint8), 8, np.array(paths), model_id="sha256:12").save(tmp_path)
    loaded = Gallery.load(tmp_path)
    assert loaded.paths == paths
    assert loaded.model_id == "sha256:12"
    assert {type(path) for path in loaded.paths} == {str}


def test_paths_may_be_path_objects():
    assert Gallery([[1]], 8, [Path("a") / "b.jpg"]).paths == [os.path.join("a", "b.jpg")]


@pytest.mark.parametrize(("mmap_mode", "mapped"), [("r", True), (None, False)])
def test_codes_stay_on_disk_if_wanted(mmap_mode, mapped, tmp_path):
    gallery = make_gallery()
    gallery.save(tmp_path)
    loaded = Gallery.load(tmp_path, mmap_mode=mmap_mode)
    assert is_in_a_file(loaded.codes) is mapped
    assert is_in_a_file(loaded.retriever._buffer) is mapped


@pytest.mark.parametrize("n_bits", [20, 64])
def test_search_from_the_map_is_brute_force(n_bits, tmp_path):
    gallery, queries = make_gallery(200, n_bits), make_gallery(7, n_bits, seed=1).codes
    gallery.save(tmp_path)
    distances, indices = Gallery.load(tmp_path).search(queries, 12)
    expected_distances, expected_indices = brute_force(gallery.codes, queries, 12)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_array_equal(distances, expected_distances)
    assert (distances.dtype, indices.dtype) == (np.int32, np.intp)


def test_a_small_gallery_gives_all_it_has():
    gallery = make_gallery(3)
    assert gallery.search(gallery.codes[:2])[1].shape == (2, 3)
    with pytest.raises(ValueError, match="Expected 1 <= n_neighbors <= 3"):
        gallery.search(gallery.codes, 0)


def test_photos_that_may_be_found():
    gallery = make_gallery()
    of_a_category = np.array(gallery.labels) == "c1"
    expected = brute_force(gallery.codes, gallery.codes[:3], 7, allowed=of_a_category)
    for mask in (of_a_category, np.flatnonzero(of_a_category)):
        for n_neighbors in (4, 100):  # seven photos are of the category
            distances, indices = gallery.search(gallery.codes[:3], n_neighbors, mask=mask)
            n = min(n_neighbors, 7)
            np.testing.assert_array_equal(distances, expected[0][:, :n])
            np.testing.assert_array_equal(indices, expected[1][:, :n])
    with pytest.raises(ValueError, match="mask lets no photo be found"):
        gallery.search(gallery.codes[:3], mask=[])
    with pytest.raises(ValueError, match="rows 0 to 19: mask names row 20"):
        gallery.search(gallery.codes[:3], mask=[20])


def test_queries_of_another_width_are_refused():
    with pytest.raises(ValueError) as error:
        make_gallery(n_bits=20).search(np.zeros((1, 8), np.uint8))
    assert str(error.value).startswith(
        "query_codes has 8 bytes a code, but 3 were expected: codes that are compared must come "
        "from the same hasher, with the same n_bits."
    )


def test_many_threads_share_one_retriever(monkeypatch):
    fitted, fit = [], HammingRetriever.fit

    def slow_fit(self, X, y=None):
        fitted.append(self)
        time.sleep(0.05)  # the other threads come meanwhile
        return fit(self, X)

    monkeypatch.setattr(HammingRetriever, "fit", slow_fit)
    gallery = make_gallery()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: gallery.retriever, range(8)))
    assert len(fitted) == 1
    assert all(retriever is fitted[0] for retriever in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1]], 0, ["a"]), "n_bits=0: expected a whole number, at least 1."),
        (([[1]], True, ["a"]), "n_bits=True: expected a whole number, at least 1."),
        (
            ([[1, 2]], 8, ["a"]),
            "The codes have 2 bytes each, but n_bits=8 makes 1: give the n_bits of the hasher that "
            "made them.",
        ),
        (
            ([[255, 16], [255, 8]], 12, ["a", "b"]),
            "The codes have bits beyond n_bits=12: give the n_bits of the hasher that made them.",
        ),
        (([[1], [2]], 8, ["a"]), "There are 2 codes and 1 paths: expected one for each."),
        (([[1], [2]], 8, "ab"), "There are 2 codes and 1 paths: expected one for each."),
        (([[1]], 8, [3]), "paths holds 3: expected a str for each photo."),
        (([[1]], 8, ["a"], ["x", "y"]), "There are 1 codes and 2 labels: expected one for each."),
        (([[1]], 8, ["a"], [None]), "labels holds None: expected a str for each photo."),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError) as error:
        Gallery(*arguments)
    assert str(error.value) == message


def test_an_empty_gallery_is_refused():
    with pytest.raises(ValueError, match="0 sample"):
        Gallery(np.empty((0, 2), np.uint8), 16, [])


def test_saving_replaces_and_leaves_nothing_behind(tmp_path):
    make_gallery(seed=0).save(tmp_path)
    opened = Gallery.load(tmp_path)
    (tmp_path / "README").write_text("mine")
    make_gallery(5, 64, seed=1, labels=False).save(tmp_path)
    assert_same(Gallery.load(tmp_path), make_gallery(5, 64, seed=1, labels=False))
    assert len(list(tmp_path.iterdir())) == 4  # three files of the gallery, and the user's
    assert (tmp_path / "README").read_text() == "mine"
    assert_same(opened, make_gallery(seed=0))  # what is mapped stays


def test_what_a_killed_save_left_goes_with_the_next(tmp_path):
    make_gallery().save(tmp_path)
    for name in ("codes-00000000.npy", "items-00000000.json", "gallery-00000000.part"):
        (tmp_path / name).touch()
    make_gallery(seed=1).save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    assert_same(Gallery.load(tmp_path), make_gallery(seed=1))


def test_a_gallery_that_is_replaced_while_it_is_opened(tmp_path, monkeypatch):
    make_gallery(seed=0).save(tmp_path)
    original = module.read_header

    def read_header(folder):
        monkeypatch.setattr(module, "read_header", original)
        header = original(folder)
        make_gallery(seed=1).save(tmp_path)  # by another process
        return header

    monkeypatch.setattr(module, "read_header", read_header)
    assert_same(Gallery.load(tmp_path), make_gallery(seed=1))


@pytest.mark.parametrize("searched", [False, True])
@pytest.mark.parametrize("again", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_galleries_are_copied_and_pickled(searched, again):
    gallery = make_gallery()
    if searched:
        gallery.search(gallery.codes[:1])
    other = again(gallery)
    assert_same(other, gallery)
    np.testing.assert_array_equal(other.search(gallery.codes)[1], gallery.search(gallery.codes)[1])


def test_a_gallery_may_be_saved_over_itself(tmp_path):
    make_gallery().save(tmp_path)
    Gallery.load(tmp_path).save(tmp_path)
    assert_same(Gallery.load(tmp_path), make_gallery())


def test_other_folders_are_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError) as error:
        make_gallery().save(tmp_path)
    assert str(error.value) == (
        f"The folder {str(tmp_path)!r} is no gallery and not empty (it holds 'thesis.tex'): "
        "nothing was written. Give a new folder, or one that holds a gallery, to be replaced."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_place_for_a_gallery(tmp_path):
    path = tmp_path / "model.joblib"
    path.write_text("mine")
    with pytest.raises(ValueError) as error:
        make_gallery().save(path)
    assert str(error.value) == (f"{str(path)!r} is a file: expected a folder for the gallery.")


def test_a_gallery_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "gallery.json").write_text('{"artist": "Klee"}')
    for action in (make_gallery().save, Gallery.load):
        with pytest.raises(ValueError) as error:
            action(tmp_path)
        assert str(error.value) == (
            f"{str(tmp_path)!r} is no gallery: 'gallery.json' is of something else."
        )
    assert (tmp_path / "gallery.json").read_text() == '{"artist": "Klee"}'


def test_where_there_is_no_gallery(tmp_path):
    with pytest.raises(ValueError, match=r"There is no folder '.*none': expected one that holds"):
        Gallery.load(tmp_path / "none")
    with pytest.raises(ValueError, match=r"is no gallery: it has no file 'gallery.json'"):
        Gallery.load(tmp_path)
    with pytest.raises(ValueError, match="mmap_mode='w': expected 'r' or None"):
        Gallery.load(tmp_path, mmap_mode="w")


def change_header(folder, **changes):
    path = folder / "gallery.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_newer_formats_are_refused(tmp_path):
    make_gallery().save(tmp_path)
    change_header(tmp_path, version=2, sklearn_dsh="9.0")
    for action in (make_gallery().save, Gallery.load):
        with pytest.raises(ValueError) as error:
            action(tmp_path)
        assert str(error.value) == (
            f"The gallery {str(tmp_path)!r} is of format 2, written by sklearn_dsh 9.0: this "
            f"version, {module.sklearn_dsh.__version__}, reads up to format 1. Update it."
        )


@pytest.mark.parametrize("kind", ["codes-*.npy", "items-*.json", "gallery.json"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_files_that_are_cut_off_are_named(kind, kept, tmp_path):
    make_gallery(400).save(tmp_path)
    (path,) = tmp_path.glob(kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match="is missing, cut off or damaged") as error:
        Gallery.load(tmp_path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("kind", ["codes-*.npy", "items-*.json"])
def test_files_that_are_missing_are_named(kind, tmp_path):
    make_gallery().save(tmp_path)
    (path,) = tmp_path.glob(kind)
    path.unlink()
    with pytest.raises(ValueError) as error:
        Gallery.load(tmp_path)
    assert str(error.value).startswith(f"{str(path)!r} is missing, cut off or damaged (")
    make_gallery().save(tmp_path)  # a damaged gallery may be replaced
    assert_same(Gallery.load(tmp_path), make_gallery())


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 19},
        {"n_bits": 8},
        {"n_bits": "20"},
        {"codes": "../elsewhere/codes-00000000.npy"},
        {"codes": None},
        {"items": 3},
    ],
)
def test_headers_that_do_not_fit_are_refused(changes, tmp_path):
    make_gallery().save(tmp_path)
    change_header(tmp_path, **changes)
    with pytest.raises(ValueError, match="is missing, cut off or damaged"):
        Gallery.load(tmp_path)


def test_pickles_are_not_loaded(tmp_path):
    make_gallery().save(tmp_path)
    (path,) = tmp_path.glob("codes-*.npy")
    np.save(path, np.array([{}] * 20, dtype=object), allow_pickle=True)
    for mmap_mode in ("r", None):
        with pytest.raises(ValueError, match="is missing, cut off or damaged"):
            Gallery.load(tmp_path, mmap_mode=mmap_mode)


@pytest.mark.parametrize("there_before", [True, False])
@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_an_interruption_leaves_what_was_there(step, there_before, tmp_path, monkeypatch):
    if there_before:
        make_gallery().save(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    calls = []

    def interrupted(function):
        def call(*args):
            calls.append(function)
            if len(calls) == step + 1:
                raise KeyboardInterrupt
            return function(*args)

        return call

    monkeypatch.setattr(os, "fsync", interrupted(os.fsync))  # of three files
    monkeypatch.setattr(os, "replace", interrupted(os.replace))
    with pytest.raises(KeyboardInterrupt):
        make_gallery(seed=1).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    if there_before:
        assert_same(Gallery.load(tmp_path), make_gallery())


@pytest.mark.parametrize("there_before", [True, False])
@pytest.mark.parametrize("step", [1, 4, 5])
def test_a_kill_leaves_the_old_gallery_or_the_new_one(step, there_before, tmp_path):
    """The process ends at once: at the first file, before the header is moved, and after."""
    if there_before:
        make_gallery().save(tmp_path)
    code = f"""
        import os, sys
        import numpy as np
        from sklearn_dsh.gallery import Gallery

        calls = []
        def killed(function):
            def call(*args, **kwargs):
                calls.append(function)
                if len(calls) == {step}:
                    os._exit(9)
                return function(*args, **kwargs)
            return call

        os.fsync, os.replace = killed(os.fsync), killed(os.replace)
        import pathlib
        pathlib.Path.unlink = killed(pathlib.Path.unlink)
        Gallery(np.zeros((3, 1), np.uint8), 8, ["a", "b", "c"]).save(sys.argv[1])
        os._exit(9)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path], timeout=300)
    assert done.returncode == 9
    if step == 5:
        assert Gallery.load(tmp_path).paths == ["a", "b", "c"]
    elif there_before:
        assert_same(Gallery.load(tmp_path), make_gallery())
    else:
        with pytest.raises(ValueError, match=r"is no gallery: it has no file 'gallery.json'"):
            Gallery.load(tmp_path)
    make_gallery(seed=2).save(tmp_path)  # what the kill left behind is no obstacle
    assert_same(Gallery.load(tmp_path), make_gallery(seed=2))
