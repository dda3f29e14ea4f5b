"""What is saved comes back with the same codes, and what a file cannot hold is refused."""

import os
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from test_common import HASHERS

from sklearn_dsh import (
    BackboneFeatures,
    CCAHasher,
    Compact,
    DeepSketchHasher,
    EdgeTokens,
    GFHOGFeatures,
    HammingRetriever,
    HOGFeatures,
    ITQHasher,
    PerView,
    Pretrained,
    SHELOFeatures,
    SketchTokenizer,
    StratifiedViewKFold,
    TorchBackbone,
    load_model,
    make_sketch_photo,
    read_model_facts,
    save_model,
    stack_views,
)
from sklearn_dsh.model_files._container import Contents
from sklearn_dsh.model_files._nodes import LONG, Reader, Writer
from sklearn_dsh.model_files._types import PLACES, KnownTypes

VIEWS = ("sketch", "image")
MODES = (None, "r")
rng = np.random.default_rng(0)
Y = np.arange(30) % 3
X = rng.normal(size=(30, 10)) + 3 * np.eye(3, 10)[Y]
DRAWN = make_sketch_photo(n_categories=3, n_sketches=18, n_photos=24, size=32, random_state=0)
IMAGES = DRAWN.sketches, DRAWN.images, (DRAWN.y_sketch, DRAWN.y_image)
TINY = {"max_iter": 1, "steps_per_iter": 2, "random_state": 0, "device": "cpu"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def both_views(estimator, views):
    return [estimator.project(rows, view) for view, rows in zip(VIEWS, views, strict=True)]


@pytest.mark.parametrize("mmap_mode", MODES)
@pytest.mark.parametrize("hasher", HASHERS, ids=lambda hasher: type(hasher).__name__)
def test_every_hasher_comes_back(hasher, mmap_mode, path):
    fitted = clone(hasher).set_params(random_state=0).fit(X, X, Y)
    save_model(fitted, path)
    loaded = load_model(path, mmap_mode=mmap_mode)
    assert type(loaded) is type(fitted)
    for expected, found in zip(both_views(fitted, (X, X)), both_views(loaded, (X, X)), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert loaded.score(X, X, Y) == fitted.score(X, X, Y)
    assert repr(loaded.get_params()) == repr(fitted.get_params())
    assert set(vars(loaded)) == set(vars(fitted))
    # And all of it: what a pickle of both holds is the same, refits and goes on are possible.
    again = clone(loaded).fit(X, X, Y)
    np.testing.assert_array_equal(again.transform(X, "image"), fitted.transform(X, "image"))


def test_a_hasher_that_is_not_fitted_comes_back(path):
    save_model(CCAHasher(24, reg=0.3, random_state=np.random.RandomState(3)), path)
    loaded = load_model(path)
    assert loaded.reg == 0.3
    assert loaded.random_state.randint(1 << 30) == np.random.RandomState(3).randint(1 << 30)


@pytest.mark.parametrize("mmap_mode", MODES)
@pytest.mark.parametrize("algorithm", ["auto", "balls", "multi_index", "linear_scan"])
def test_a_retriever_comes_back(algorithm, mmap_mode, path):
    codes = rng.integers(0, 256, (3000, 4), dtype=np.uint8)
    retriever = HammingRetriever(7, algorithm=algorithm).fit(codes).remove([5, 17])
    retriever.partial_fit(codes[:10])
    save_model(retriever, path)
    loaded = load_model(path, mmap_mode=mmap_mode)
    for found, expected in zip(loaded.kneighbors(), retriever.kneighbors(), strict=True):
        np.testing.assert_array_equal(found, expected)
    loaded.partial_fit(codes[:3])
    assert loaded.n_samples_fit_ == 3013
    assert loaded.n_removed_ == 2


def _fitted_tokenizer():
    photos = DRAWN.images[:6]
    contours = [255 - EdgeTokens().transform(photo[None])[0] for photo in photos]
    tokenizer = SketchTokenizer(
        2, patch_size=15, n_patches=500, n_features=50, n_estimators=2, random_state=0
    )
    return tokenizer.fit(list(photos), contours)


IMAGE_TRANSFORMERS = {
    "HOG": lambda: HOGFeatures(image_size=32).fit(IMAGES[0]),
    "S-HELO": lambda: SHELOFeatures().fit(IMAGES[0]),
    "GF-HOG": lambda: GFHOGFeatures(20, image_size=32, random_state=0).fit(IMAGES[1]),
    "edges": lambda: EdgeTokens().fit(IMAGES[1]),
    "tokens": _fitted_tokenizer,
}


@pytest.mark.parametrize("kind", IMAGE_TRANSFORMERS)
def test_transformers_of_images_come_back(kind, path):
    fitted = IMAGE_TRANSFORMERS[kind]()
    save_model(fitted, path)
    loaded = load_model(path)
    np.testing.assert_array_equal(loaded.transform(IMAGES[1]), fitted.transform(IMAGES[1]))


@pytest.mark.parametrize("mmap_mode", MODES)
def test_networks_for_images_come_back_with_their_tokens(mmap_mode, path):
    hasher = DeepSketchHasher(
        12,
        architecture=Compact(32),
        sketch_tokens=EdgeTokens(sigma=1.5),
        class_vectors=dict(zip(np.unique(DRAWN.y_sketch), np.eye(3), strict=True)),
        validation_fraction=StratifiedViewKFold(3),
        **TINY,
    ).fit(*IMAGES)
    save_model(hasher, path)
    loaded = load_model(path, mmap_mode=mmap_mode)
    for found, expected in zip(
        both_views(loaded, IMAGES[:2]), both_views(hasher, IMAGES[:2]), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert loaded.sketch_tokens_.sigma == 1.5


PIPELINES = {
    "scaled": lambda: make_pipeline(
        PerView(sketch=StandardScaler(), image=PCA(8)), CCAHasher(16, random_state=0)
    ),
    "a union": lambda: make_pipeline(
        FeatureUnion([("a", QuantileTransformer(n_quantiles=10)), ("b", PowerTransformer())]),
        MinMaxScaler(),
        ITQHasher(16, random_state=0),
    ),
    "vectors": lambda: make_pipeline(IncrementalPCA(6), DeepSketchHasher(16, **TINY)),
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_pipelines_come_back(kind, path):
    rows, labels = stack_views(X, X, (Y, Y))
    if kind == "scaled":
        pipeline = PIPELINES[kind]().fit(rows, labels)
    else:
        rows, labels = X, Y
        pipeline = PIPELINES[kind]().fit(rows, labels)
    save_model(pipeline, path)
    loaded = load_model(path)
    np.testing.assert_array_equal(loaded.transform(rows), pipeline.transform(rows))
    assert [name for name, _ in loaded.steps] == [name for name, _ in pipeline.steps]


def test_a_pipeline_of_features_of_images_comes_back(path):
    rows, labels = stack_views(*IMAGES)
    pipeline = make_pipeline(
        PerView(sketch=HOGFeatures(image_size=32), image=HOGFeatures(image_size=32)),
        CCAHasher(16, reg=0.1, random_state=0),
    ).fit(rows, labels)
    save_model(pipeline, path)
    np.testing.assert_array_equal(load_model(path).transform(rows), pipeline.transform(rows))
    assert read_model_facts(path)["steps"] == ["PerView", "CCAHasher"]


def make_network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, 4), torch.nn.ReLU())


def first_output(found):
    return found


@pytest.mark.parametrize("trained", ["none", "last", "all"])
@pytest.mark.parametrize("as_module", [False, True])
def test_a_strangers_network_is_handed_over_and_not_kept(trained, as_module, path):
    network = make_network() if as_module else make_network
    hasher = DeepSketchHasher(
        12,
        architecture=Pretrained(
            TorchBackbone(network, size=32, output=first_output), trained=trained
        ),
        **TINY,
    ).fit(*IMAGES)
    expected = both_views(hasher, IMAGES[:2])
    save_model(hasher, path)
    with pytest.raises(ValueError, match="hand it over, load_model"):
        load_model(path)
    with pytest.raises(ValueError, match=r"output= is a function"):
        load_model(path, backbone=network)
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, 4), torch.nn.ReLU())  # other weights
    loaded = load_model(path, backbone=TorchBackbone(other, output=first_output))
    for found, wanted in zip(both_views(loaded, IMAGES[:2]), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    wrong = torch.nn.Sequential(torch.nn.Conv2d(3, 9, 5, 4), torch.nn.ReLU())
    with pytest.raises(ValueError, match="have not the weights of the file"):
        load_model(path, backbone=TorchBackbone(wrong, output=first_output))


def test_features_of_a_strangers_network_want_its_own_weights(path):
    network = make_network()
    features = BackboneFeatures(TorchBackbone(network, size=32)).fit(IMAGES[1])
    save_model(features, path)
    loaded = load_model(path, backbone=make_network())
    np.testing.assert_array_equal(loaded.transform(IMAGES[1]), features.transform(IMAGES[1]))
    with torch.no_grad():
        network[0].bias += 1
    with pytest.raises(ValueError, match="other weights"):
        load_model(path, backbone=network)
    with pytest.raises(ValueError, match=r"must be a torch\.nn\.Module"):
        load_model(path, backbone=3)


class Doubler(FunctionTransformer):
    """A class of the caller's."""

    def transform(self, X):
        return 2 * X


def test_classes_of_ones_own_are_handed_over(path):
    pipeline = make_pipeline(Doubler(), ITQHasher(8, random_state=0)).fit(X)
    with pytest.raises(TypeError, match=r"Pipeline\.steps\[0\]\[1\] is a .*Doubler.*types=\["):
        save_model(pipeline, path)
    assert not path.exists()
    save_model(pipeline, path, types=[Doubler])
    with pytest.raises(ValueError, match=r"Doubler.*types=\["):
        load_model(path)
    loaded = load_model(path, types=[Doubler])
    np.testing.assert_array_equal(loaded.transform(X), pipeline.transform(X))
    with pytest.raises(TypeError, match="types must be classes"):
        load_model(path, types=["Doubler"])


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(FunctionTransformer(np.log1p), ITQHasher()),
        make_pipeline(FunctionTransformer(partial(np.add, 1)), ITQHasher()),
        make_pipeline(FunctionTransformer(first_output), ITQHasher()),
        make_pipeline(KMeans(3), ITQHasher()),
        DeepSketchHasher(sketch_tokens=lambda photos: photos),
        ITQHasher(random_state=np.random.default_rng(0)),
        CCAHasher(reg=np.zeros(3, dtype=complex)),
        {"an": object()},
    ],
    ids=["ufunc", "partial", "function", "clusters", "lambda", "generator", "complex", "object"],
)
def test_what_a_file_cannot_hold_is_refused_and_nothing_written(estimator, path):
    with pytest.raises(TypeError, match=r"model file"):
        save_model(estimator, path)
    assert not list(path.parent.iterdir())


def test_what_is_in_a_file_is_told_without_reading_it(path):
    labels = np.array(["boat", "cup", "house"])[Y]
    hasher = CCAHasher(12, random_state=0).fit(X, X[:, :7], (labels, labels))
    hasher.fitted_on_ = {"data": "photos", "n_sketches": 30, "item_ids": {"sketch": ["secret"]}}
    save_model(hasher, path)
    facts = read_model_facts(path)
    assert facts["steps"] == ["CCAHasher"]
    assert facts["n_bits"] == 12
    assert facts["views"] == ["sketch", "image"]
    assert facts["view_shapes"] == {"sketch": [10], "image": [7]}
    assert facts["categories"] == ["boat", "cup", "house"]
    assert facts["n_categories"] == 3
    assert facts["fitted_on"] == {"data": "photos", "n_sketches": 30}
    assert set(facts["versions"]) == {"sklearn-dsh", "scikit-learn", "numpy"}
    assert 0 < facts["n_bytes"] < os.path.getsize(path)
    assert load_model(path).fitted_on_["item_ids"] == {"sketch": ["secret"]}


def test_a_large_model_stays_on_disk_and_is_replaced_without_harm(path):
    hasher = ITQHasher(16, random_state=0).fit(X)
    expected = hasher.transform(X)
    save_model(hasher, path)
    loaded = load_model(path, mmap_mode="r")
    assert isinstance(loaded.weights_, np.memmap) or isinstance(loaded.weights_.base, np.memmap)
    save_model(ITQHasher(16, random_state=1).fit(X), path)
    np.testing.assert_array_equal(loaded.transform(X), expected)
    assert (load_model(path).transform(X) != expected).any()
    with pytest.raises(ValueError, match="mmap_mode must be None or 'r'"):
        load_model(path, mmap_mode="r+")


def test_every_known_class_is_where_it_is_said_to_be():
    known = KnownTypes()
    for name in PLACES:
        assert known.name_of(known.find(name), "it") == name


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.builds(np.float32, st.floats(width=32, allow_nan=False))
    | st.builds(np.str_, st.text(st.characters(exclude_characters="\0"))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_plain_values_come_back(value):
    found = _there_and_back(value)
    assert repr(found) == repr(value)


numbers = st.sampled_from(["?", "i1", "u1", "<i2", ">i4", "<i8", "<u8", "<f2", ">f4", "<f8", "<U3"])


@given(
    numbers.flatmap(
        lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0, max_side=4))
    ),
    st.booleans(),
)
def test_arrays_come_back(array, transposed):
    array = array.T if transposed else array
    found = _there_and_back(array)
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("<")
    if array.dtype.kind != "U":  # products of a transposed matrix round otherwise
        assert found.flags.c_contiguous == array.flags.c_contiguous


@pytest.mark.parametrize(
    "value",
    [
        [0.1 * i for i in range(LONG)],
        [2**62 - i for i in range(LONG)],
        [2**70 - i for i in range(LONG)],
        tuple(np.float32(i) / 3 for i in range(LONG)),
        [str(i) * (i % 5) + "é\ud800" for i in range(LONG)],
        ["", *"abc" * LONG],
        tuple(float("nan") for _ in range(LONG)),
        [float("inf"), float("-inf"), 2**70],
        slice(None, 3),
        np.array(["a", 3, None], dtype=object),
        np.dtype("<f4"),
        np.float16,
    ],
)
def test_long_lists_and_rare_kinds_come_back(value):
    found = _there_and_back(value)
    assert repr(found) == repr(value)
    assert type(found) is type(value)


def _there_and_back(value):
    writer = Writer(KnownTypes())
    node = writer.node(value, "it")

    class Held:
        array = writer.arrays.get

    return Reader(Held, KnownTypes()).value(node)


def test_later_formats_are_refused(path, monkeypatch):
    monkeypatch.setattr("sklearn_dsh.model_files._container.VERSION", 2)
    save_model(ITQHasher(8), path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"format '2'.*install a later one"):
        load_model(path)
    with pytest.raises(ValueError, match="install a later one"):
        read_model_facts(path)


def test_files_are_read_once(path):
    # An array may stand in one place alone: a small file cannot become a large object.
    save_model(ITQHasher(8, random_state=0).fit(X), path)
    contents = Contents(path)
    reader = Reader(contents, KnownTypes())
    reader.value(contents.structure)
    with pytest.raises(ValueError, match="stands twice"):
        reader.value(contents.structure)


def test_pickles_stay_possible(path):
    hasher = CCAHasher(8, random_state=0).fit(X, X, Y)
    save_model(hasher, path)
    loaded = pickle.loads(pickle.dumps(load_model(path, mmap_mode="r")))
    np.testing.assert_array_equal(loaded.transform(X, "image"), hasher.transform(X, "image"))
