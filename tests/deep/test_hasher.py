import copy
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import softmax
from sklearn.exceptions import NotFittedError

from sklearn_dsh import (
    Compact,
    DeepSketchHasher,
    EdgeTokens,
    SketchImageArray,
    SketchTokenizer,
    make_sketch_photo,
)
from sklearn_dsh.codes import unpack_bits
from sklearn_dsh.deep import _batches, _reading, _weights
from sklearn_dsh.deep._fit import _steps_of_rounds
from sklearn_dsh.deep._networks import TEMPERATURE

QUICK = {
    "max_iter": 2,
    "steps_per_iter": 4,
    "batch_size": 8,
    "architecture": Compact(32),
    "random_state": 0,
}


def draw_images(n_sketches=18, n_photos=24, size=32, seed=0):
    """Discs, bars and crosses: as dark strokes on white, and as coloured photos with noise."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:size, :size] - size / 2

    def shape(kind, i):
        x, y = cols + i % 5 - 2, rows + i % 3 - 1
        return [np.hypot(x, y) < size / 4, abs(x) < 3, (abs(x) < 3) | (abs(y) < 3)][kind]

    y_sk, y_img = np.arange(n_sketches) % 3, np.arange(n_photos) % 3
    sketches = np.stack([np.where(shape(k, i), 0, 255) for i, k in enumerate(y_sk)])
    photos = rng.integers(0, 90, (n_photos, size, size, 3))
    for i, k in enumerate(y_img):
        photos[i][shape(k, i)] += rng.integers(80, 160, 3)
    return sketches.astype(np.uint8), photos.astype(np.uint8), (y_sk, y_img)


def blobs(n_sk=60, n_img=90, c=3, seed=0):
    rng = np.random.default_rng(seed)
    centres = {view: 2.5 * rng.standard_normal((c, d)) for view, d in (("sk", 6), ("img", 9))}
    y_sk, y_img = np.arange(n_sk) % c, np.arange(n_img) % c
    X_sk = centres["sk"][y_sk] + rng.standard_normal((n_sk, 6))
    X_img = centres["img"][y_img] + rng.standard_normal((n_img, 9))
    return X_sk, X_img, (y_sk, y_img)


IMAGES = draw_images()


@pytest.fixture(scope="module")
def fitted():
    return DeepSketchHasher(12, **QUICK).fit(*IMAGES)


def test_learns_what_new_feature_rows_mean():
    X_sk, X_img, y = blobs(n_sk=120, n_img=180)
    hasher = DeepSketchHasher(16, random_state=0).fit(X_sk[:60], X_img[:90], (y[0][:60], y[1][:90]))
    assert hasher.score(X_sk[60:], X_img[90:], (y[0][60:], y[1][90:])) > 0.95
    assert np.mean(hasher.loss_curve_[-20:]) < 0.5 * np.mean(hasher.loss_curve_[:20])


def test_n_bits_may_be_a_numpy_integer():
    codes = [
        DeepSketchHasher(n, **QUICK).fit(*IMAGES).transform(IMAGES[0]) for n in (12, np.int64(12))
    ]
    np.testing.assert_array_equal(*codes)


def test_bad_tokens_are_found_before_all_files_are_decoded(tmp_path, monkeypatch):
    sketches, photos, y = IMAGES
    paths = [save_images(tmp_path, *view) for view in (("sketch", sketches), ("photo", photos))]
    decoded, load = [], _batches.load_image
    monkeypatch.setattr(_batches, "load_image", lambda *a: decoded.append(a[0]) or load(*a))
    with pytest.raises(NotFittedError):
        DeepSketchHasher(12, sketch_tokens=SketchTokenizer(), **QUICK).fit(*paths, y)
    assert len(decoded) == 1


@pytest.mark.parametrize("loss", ["cross_entropy", "regression"])
def test_learns_new_images(loss):
    sketches, photos, y = draw_images(90, 90)
    train = slice(0, 60)
    hasher = DeepSketchHasher(
        12,
        loss=loss,
        max_iter=2,
        steps_per_iter=25,
        batch_size=12,
        architecture=Compact(32),
        random_state=0,
    ).fit(sketches[train], photos[train], (y[0][train], y[1][train]))
    assert hasher.score(sketches[60:], photos[60:], (y[0][60:], y[1][60:])) > 0.8


def test_fitted_attributes(fitted):
    assert fitted.n_iter_ == 2
    assert len(fitted.loss_curve_) == 8
    assert len(fitted.objective_curve_) == 2
    assert fitted.basis_.shape == (3, 12)
    assert np.linalg.norm(fitted.basis_, axis=0).max() <= 1 + 1e-9
    np.testing.assert_array_equal(fitted.classes_, [0, 1, 2])
    for view in ("sketch", "image"):
        codes = fitted.category_codes_[view]
        assert codes.shape == (3, 12)
        assert set(np.unique(codes)) <= {0, 1}
    assert fitted.view_shapes_ == {"sketch": (32, 32), "image": (32, 32, 3)}


def test_everything_learned_is_arrays_dicts_lists_numbers_and_strings(fitted):
    def check(value):
        if isinstance(value, dict):
            for key, item in value.items():
                assert isinstance(key, str)
                check(item)
        elif isinstance(value, list | tuple):
            for item in value:
                check(item)
        else:
            assert value is None or isinstance(value, np.ndarray | np.generic | int | float | str)

    for name, value in vars(fitted).items():
        if name.endswith("_") and name not in ("sketch_tokens_", "architecture_"):  # the user's
            check(value)
    assert b"torch" not in pickle.dumps(fitted)


def test_transform_is_the_sign_of_project(fitted):
    for view, X in (("sketch", IMAGES[0]), ("image", IMAGES[1])):
        bits = unpack_bits(fitted.transform(X, view=view), 12)
        np.testing.assert_array_equal(bits, fitted.project(X, view=view) >= 0)


def test_the_batch_size_of_encoding_does_not_matter(fitted):
    whole = fitted.project(IMAGES[1], view="image")
    single = np.concatenate([fitted.project(IMAGES[1][i : i + 1], view="image") for i in range(4)])
    np.testing.assert_allclose(whole[:4], single, rtol=1e-3, atol=1e-4)


def test_build_network_reads_preprocessed_tensors(fitted):
    network = fitted.build_network()
    assert not network.training
    sketches = torch.from_numpy(1 - IMAGES[0] / np.float32(255))[:, None]
    with torch.no_grad():
        outputs = network.sketch(sketches).numpy()
    np.testing.assert_allclose(outputs, fitted.project(IMAGES[0]), rtol=1e-4, atol=1e-5)
    photos = torch.from_numpy(IMAGES[1] / np.float32(127.5) - 1).permute(0, 3, 1, 2)
    tokens = torch.from_numpy(1 - EdgeTokens().transform(IMAGES[1]) / np.float32(255))[:, None]
    with torch.no_grad():
        outputs = network.image(photos, tokens).numpy()
        next(network.parameters()).mul_(0)
    # The module is a copy: emptying its first layer left the hasher as it was.
    expected = fitted.project(IMAGES[1], view="image")
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_a_compact_model_of_32_bits_is_a_file_of_12_megabytes():
    data = draw_images(size=64)
    hasher = DeepSketchHasher(32, max_iter=1, steps_per_iter=1, random_state=0).fit(*data)
    file = pickle.dumps(hasher)
    assert len(file) < 12e6
    loaded = pickle.loads(file)
    for view, images in zip(("sketch", "image"), data, strict=False):
        expected = hasher.project(images, view=view)
        np.testing.assert_array_equal(loaded.project(images, view=view), expected)


def test_networks_are_cached_outside_the_estimator():
    hasher = DeepSketchHasher(8, **QUICK).fit(*blobs())
    before = set(vars(hasher))
    hasher.transform(blobs()[0])
    network = _weights._NETWORKS[hasher][2]
    hasher.transform(blobs()[1], view="image")
    assert _weights._NETWORKS[hasher][2] is network
    assert set(vars(hasher)) == before
    hasher.fit(*blobs(seed=1))
    hasher.transform(blobs()[0])
    assert _weights._NETWORKS[hasher][2] is not network
    assert copy.deepcopy(hasher) not in _weights._NETWORKS


def test_an_integer_seed_repeats_and_global_state_is_untouched():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    numpy_state = np.random.get_state()[1:3]  # noqa: NPY002
    first, second = (DeepSketchHasher(12, **QUICK).fit(*IMAGES) for _ in range(2))
    first.transform(IMAGES[0])
    torch.testing.assert_close(torch.rand(2), expected, rtol=0, atol=0)
    for now, then in zip(np.random.get_state()[1:3], numpy_state, strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(now, then)
    for name, array in first.weights_.items():
        np.testing.assert_array_equal(array, second.weights_[name])
    other = DeepSketchHasher(12, **(QUICK | {"random_state": 1})).fit(*IMAGES)
    assert any((a != other.weights_[n]).any() for n, a in first.weights_.items())


def test_alternation_uses_the_networks_outputs(monkeypatch):
    # With a huge gamma, the codes after the second round are the signs of the outputs.
    from sklearn_dsh.deep._alternation import Alternation

    seen = []
    original = Alternation.update

    def update(self, outputs=None):
        value = original(self, outputs)
        seen.append((outputs, self.item_codes()))
        return value

    monkeypatch.setattr(Alternation, "update", update)
    DeepSketchHasher(
        8, max_iter=3, steps_per_iter=3, quantization_weight=1e12, min_code_distance=None,
        random_state=0,
    ).fit(*blobs())  # fmt: skip
    assert [outputs is None for outputs, _ in seen] == [True, False, False]
    for outputs, codes in seen[1:]:
        for view, f in outputs.items():
            np.testing.assert_array_equal(codes[view], np.where(f > 0, 1, -1))


def test_fixed_codes_stay_what_they_start_as():
    hasher = DeepSketchHasher(16, code_updates="fixed", **QUICK).fit(*blobs())
    assert hasher.objective_curve_ == []
    np.testing.assert_array_equal(hasher.category_codes_["sketch"], hasher.category_codes_["image"])


def test_the_literal_objective_is_available():
    hasher = DeepSketchHasher(
        16, loss="regression", similarity="signed", init_codes="random", min_code_distance=None,
        quantization_weight=1e-5, **QUICK,
    ).fit(*blobs())  # fmt: skip
    # The objective is lowered round by round only while the networks' outputs stay the same;
    # what is tested here is that codes moved away from the start.
    codes = hasher.category_codes_
    assert (codes["sketch"] != codes["image"]).any()


@pytest.mark.parametrize("view", ["sketch", "image"])
def test_one_view_alone(view):
    sketches, photos, (y_sk, y_img) = IMAGES
    if view == "sketch":
        hasher = DeepSketchHasher(12, **QUICK).fit(sketches, y_sk)
        assert hasher.transform(sketches).shape == (18, 2)
    else:
        only = SketchImageArray(None, photos)
        hasher = DeepSketchHasher(12, **QUICK).fit(only, y_img)
        assert hasher.transform(photos, view="image").shape == (24, 2)
        assert hasher.network_settings_["uses_tokens"]
    assert hasher.views_ == (view,)


def test_sketch_tokens_may_be_off_a_callable_or_a_transformer():
    outputs = {}
    for name, tokens in {
        "auto": "auto",
        "transformer": EdgeTokens(),
        "callable": EdgeTokens().transform,
        "blank": lambda photos: np.full(photos.shape[:3], 255, dtype=np.uint8),
        "none": None,
    }.items():
        hasher = DeepSketchHasher(12, sketch_tokens=tokens, **QUICK).fit(*IMAGES)
        outputs[name] = hasher.project(IMAGES[1], view="image")
        assert hasher.network_settings_["uses_tokens"] is (name != "none")
    np.testing.assert_array_equal(outputs["auto"], outputs["transformer"])
    np.testing.assert_array_equal(outputs["auto"], outputs["callable"])
    assert (outputs["auto"] != outputs["blank"]).any()


def save_images(folder, name, images):
    paths = [str(folder / f"{name}{i}.png") for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return np.array(paths)


@pytest.mark.parametrize("settings", [{}, {"cache_size": 0}, {"cache_size": 0, "n_jobs": 2}])
def test_files_give_the_codes_of_the_arrays_they_hold(tmp_path, settings):
    sketches, photos, y = IMAGES
    paths = [save_images(tmp_path, *view) for view in (("sketch", sketches), ("photo", photos))]
    from_files = DeepSketchHasher(12, **QUICK, **settings).fit(*paths, y)
    from_arrays = DeepSketchHasher(12, **QUICK).fit(sketches, photos, y)
    assert from_files.loss_curve_ == from_arrays.loss_curve_
    for X, files, view in ((sketches, paths[0], "sketch"), (photos, paths[1], "image")):
        expected = from_arrays.project(X, view=view)
        np.testing.assert_array_equal(from_files.project(files, view=view), expected)


def test_a_cache_folder_has_every_file_decoded_once(tmp_path, monkeypatch):
    sketches, photos, y = IMAGES
    paths = [save_images(tmp_path, *view) for view in (("sketch", sketches), ("photo", photos))]
    decoded, load = [], _batches.load_image
    monkeypatch.setattr(_reading, "CAN_FORK", False)  # to count in this process
    monkeypatch.setattr(_batches, "load_image", lambda *a: decoded.append(a[0]) or load(*a))
    folder = tmp_path / "new" / "cache"
    hasher = DeepSketchHasher(12, cache_size=0, cache_dir=folder, **QUICK).fit(*paths, y)
    first = paths[1][0]  # its tokens are tried before everything is decoded
    assert sorted(decoded) == sorted([first, *np.concatenate(paths)])
    assert list(folder.iterdir()) == []
    assert hasher.loss_curve_ == DeepSketchHasher(12, **QUICK).fit(*IMAGES).loss_curve_


@pytest.mark.parametrize("cache_size", [0, 1024])
def test_arrays_of_another_size_are_resized_alike_in_memory_or_on_the_way(cache_size):
    sketches, photos, y = draw_images(size=40)
    hasher = DeepSketchHasher(12, cache_size=cache_size, **QUICK).fit(sketches, photos, y)
    expected = DeepSketchHasher(12, **QUICK).fit(sketches, photos, y)
    assert hasher.loss_curve_ == expected.loss_curve_


def test_memory_mapped_images_give_the_codes_of_the_arrays(tmp_path):
    sketches, photos, y = IMAGES
    np.save(tmp_path / "photos.npy", photos)
    mapped = np.load(tmp_path / "photos.npy", mmap_mode="r")
    hasher = DeepSketchHasher(12, **QUICK).fit(sketches, mapped, y)
    expected = DeepSketchHasher(12, **QUICK).fit(*IMAGES).transform(photos, view="image")
    np.testing.assert_array_equal(hasher.transform(mapped, view="image"), expected)


@pytest.mark.parametrize("cache_size", [0, 1024])
def test_a_damaged_file_is_found_before_training(tmp_path, monkeypatch, cache_size):
    sketches, photos, y = IMAGES
    paths = save_images(tmp_path, "", sketches)
    with open(paths[7], "r+b") as file:
        file.truncate(60)
    photo_paths = save_images(tmp_path, "photo", photos)
    monkeypatch.setattr("sklearn_dsh.deep._fit.alternate", None)  # never reached
    with pytest.raises(ValueError, match=r"7\.png"):
        DeepSketchHasher(12, cache_size=cache_size, **QUICK).fit(paths, photo_paths, y)


def test_a_fit_that_fails_leaves_the_hasher_as_it_was():
    X_sk, X_img, y = blobs()
    hasher = DeepSketchHasher(8, class_vectors={}, **QUICK)
    with pytest.raises(ValueError, match="class_vectors"):
        hasher.fit(X_sk, X_img, y)
    with pytest.raises(NotFittedError):
        hasher.transform(X_sk)
    hasher.set_params(class_vectors=None).fit(X_sk, X_img, y)
    codes = hasher.transform(X_sk)
    with pytest.raises(ValueError, match="class_vectors"):
        hasher.set_params(class_vectors={}).fit(X_sk, X_img, y)
    np.testing.assert_array_equal(hasher.transform(X_sk), codes)


def test_encoding_is_that_of_the_fit_whatever_the_parameters_become():
    hasher = DeepSketchHasher(12, **QUICK).fit(*IMAGES)
    codes = hasher.transform(IMAGES[1], view="image")
    hasher.set_params(architecture=Compact(64), sketch_tokens=None)
    np.testing.assert_array_equal(hasher.transform(IMAGES[1], view="image"), codes)


@pytest.mark.parametrize("change", [lambda X: 1e39 * X, lambda X: X + 1e9])
def test_large_features_and_features_far_from_zero_lose_nothing(change):
    X_sk, X_img, y = blobs()
    settings = {"max_iter": 2, "steps_per_iter": 30, "random_state": 0}
    plain = DeepSketchHasher(8, **settings).fit(X_sk, X_img, y).project(X_sk)
    changed = DeepSketchHasher(8, **settings).fit(change(X_sk), change(X_img), y)
    np.testing.assert_allclose(changed.project(change(X_sk)), plain, rtol=0.02, atol=0.02)


def test_diverged_training_is_an_error():
    with pytest.raises(ValueError, match="Lower learning_rate"):
        DeepSketchHasher(
            8, loss="regression", learning_rate=1e30, max_iter=1, steps_per_iter=20, random_state=0
        ).fit(*blobs())


def test_class_vectors_are_matched_and_checked():
    X_sk, X_img, y = blobs()
    vectors = {0: [1.0, 0, 0, 0], 1: [0, 1.0, 0, 0], 2: [0, 0, 1.0, 0]}
    hasher = DeepSketchHasher(8, class_vectors=vectors, **QUICK).fit(X_sk, X_img, y)
    assert hasher.basis_.shape == (4, 8)
    del vectors[1]
    with pytest.raises(ValueError, match="no vector for 1 of 3 categories: 1"):
        DeepSketchHasher(8, class_vectors=vectors, **QUICK).fit(X_sk, X_img, y)


def test_progress_is_shown_only_when_asked(capsys):
    DeepSketchHasher(8, **QUICK).fit(*blobs())
    assert capsys.readouterr() == ("", "")
    DeepSketchHasher(8, verbose=1, **QUICK).fit(*blobs())
    assert "DeepSketchHasher" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("n", "size", "kind", "expected"),
    [
        (100, 32, "features", 300),
        (10_000, 32, "features", 1500),
        (100, 32, "images", 300),
        (10_000, 32, "images", 4000),
        (100, 32, "backbone", 300),
        (10_000, 32, "backbone", 800),
    ],
)
def test_training_length_has_a_floor_and_a_cap(n, size, kind, expected):
    hasher = DeepSketchHasher(batch_size=size)
    steps = _steps_of_rounds(hasher, kind, {"sketch": np.zeros(n)})
    assert len(steps) == hasher.max_iter
    assert expected <= sum(steps) < expected + hasher.max_iter


def test_each_round_has_its_own_steps():
    hasher = DeepSketchHasher(8, max_iter=2, steps_per_iter=[3, 1], batch_size=4, random_state=0)
    hasher.fit(*IMAGES)
    assert len(hasher.loss_curve_) == 4
    for steps in ([3], [3, 0], [3.0, 1.0], [[3, 1]]):
        with pytest.raises(ValueError, match=r"or a list of one for each of max_iter=2 rounds"):
            hasher.set_params(steps_per_iter=steps).fit(*IMAGES)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_hasher_trained_on_a_gpu_encodes_on_the_cpu():
    hasher = DeepSketchHasher(12, device="cuda", **QUICK).fit(*IMAGES)
    on_gpu = hasher.project(IMAGES[1], view="image")
    moved = pickle.loads(pickle.dumps(hasher)).set_params(device="cpu")
    np.testing.assert_allclose(moved.project(IMAGES[1], view="image"), on_gpu, atol=1e-2)


@pytest.mark.parametrize("view", ["sketch", "image"])
def test_features_are_what_the_last_layer_reads(view):
    data = make_sketch_photo(n_sketches=16, n_photos=16, size=32, random_state=0)
    hasher = DeepSketchHasher(
        8, max_iter=1, steps_per_iter=2, architecture=Compact(32), random_state=0
    )
    hasher.fit(data.sketches, data.images, (data.y_sketch, data.y_image))
    X = data.sketches if view == "sketch" else data.images
    features = hasher.features(X, view)
    name = "sketch_head.fc_p" if view == "sketch" else "image_head.fc_fuse"
    weight, bias = (hasher.weights_[f"{name}.{part}"] for part in ("weight", "bias"))
    assert features.shape == (16, 256 if view == "sketch" else 512)
    assert features.min() == 0
    logits = features @ weight.T + bias
    codes = hasher.weights_[f"readout.codes_{view}"]
    temperature = hasher.weights_["readout.temperature"]
    assert temperature == pytest.approx(TEMPERATURE / np.log(len(codes)))
    outputs = softmax(logits / temperature, axis=1) @ codes
    mean = hasher.weights_[f"readout.mean_{view}"]
    projected = hasher.project(X, view=view)
    np.testing.assert_allclose(outputs - mean, projected, rtol=1e-3, atol=1e-5)
    # X is what it was trained on.
    expected = np.where(np.ptp(codes, axis=0) == 0, codes[0], 0)
    np.testing.assert_allclose(projected.mean(axis=0), expected, atol=1e-5)
