"""Devices that are not there: refused to train on, and a warning where a fitted model goes on."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_dsh import (
    BackboneFeatures,
    CCAHasher,
    DCMHHasher,
    DeepMetricHasher,
    DeepSketchHasher,
    HammingRetriever,
    PerView,
    TorchBackbone,
    stack_views,
)
from sklearn_dsh._devices import resolve_device, resolve_encoding_device
from sklearn_dsh._pipelines import compute_on


def is_missing(name):
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, ImportError):
        return True
    return False


MISSING = [name for name in ("cuda", "cuda:97", "mps", "xpu", "hpu", "xla") if is_missing(name)]
NOTHING = ["meta", "lazy"]
missing = pytest.mark.parametrize("device", MISSING)

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(60, 12))
Y = np.arange(60) % 3
PHOTOS = RNG.integers(0, 256, (6, 40, 40, 3), dtype=np.uint8)
CODES = RNG.integers(0, 256, (50, 4), dtype=np.uint8)
SHORT = {"max_iter": 1, "steps_per_iter": 2, "batch_size": 8, "random_state": 0}
BACKBONE = TorchBackbone(torch.nn.Conv2d(3, 8, 5, 4), size=64)


@missing
def test_names_of_what_is_missing(device):
    kind = device.partition(":")[0]
    with pytest.raises(ValueError, match=f"device='{device}' was asked for, but torch .* sees no"):
        resolve_device(device)
    with pytest.warns(RuntimeWarning, match=rf"(?is)sees no .*{kind}.*\. Encoding on the CPU\.$"):
        assert resolve_encoding_device(device) == torch.device("cpu")


@pytest.mark.parametrize("resolve", [resolve_device, resolve_encoding_device])
@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "device='gpu' is no device of torch")]
    + [(name, f"device='{name}' computes nothing") for name in NOTHING],
)
def test_a_wrong_name_is_no_missing_device(resolve, device, message):
    with pytest.raises(ValueError, match=message):
        resolve(device)


def test_auto_is_there():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == resolve_encoding_device("auto").type == expected
    assert resolve_device("cpu").type == "cpu"


@pytest.fixture(scope="module")
def hasher():
    return DeepSketchHasher(16, device="cpu", **SHORT).fit(VECTORS, VECTORS, Y)


def on(estimator, device):
    """As if it had been fitted on a machine that has the device, and came here in a file."""
    return pickle.loads(pickle.dumps(estimator)).set_params(device=device)


def weights(network):
    return network.state_dict()["c2.0.weight"].numpy()


# What goes on with a model that was fitted: name -> function of an estimator.
ENCODING = {
    "transform": lambda hasher: hasher.transform(VECTORS, view="sketch"),
    "project": lambda hasher: hasher.project(VECTORS, view="image"),
    "features": lambda hasher: hasher.features(VECTORS, view="sketch"),
    "score": lambda hasher: hasher.score(VECTORS, VECTORS, Y),
    "build_network": lambda hasher: (
        hasher.build_network().sketch(torch.from_numpy(VECTORS).float()).detach().numpy()
    ),
}
SEARCHING = {
    "kneighbors": lambda retriever: retriever.kneighbors(CODES[:5])[1],
    "radius_neighbors": lambda retriever: np.concatenate(
        retriever.radius_neighbors(CODES[:5], 12)[1]
    ),
    "kneighbors_graph": lambda retriever: retriever.kneighbors_graph(CODES[:5]).toarray(),
    "radius_neighbors_graph": lambda retriever: retriever.radius_neighbors_graph(
        None, 12
    ).toarray(),
    "partial_fit": lambda retriever: retriever.partial_fit(CODES[::-1]).kneighbors(CODES[:5], 20)[
        1
    ],
}


@missing
@pytest.mark.parametrize("entry", ENCODING)
def test_encoding_goes_on_on_the_cpu(hasher, device, entry):
    with pytest.warns(RuntimeWarning, match=f"device='{device}' .* Encoding on the CPU"):
        found = ENCODING[entry](on(hasher, device))
    np.testing.assert_allclose(found, ENCODING[entry](hasher), atol=1e-5)


@missing
def test_backbone_features_go_on_on_the_cpu(device):
    expected = BackboneFeatures(BACKBONE, device="cpu").transform(PHOTOS)
    with pytest.warns(RuntimeWarning, match=f"device='{device}' .* Encoding on the CPU"):
        found = BackboneFeatures(BACKBONE, device=device).transform(PHOTOS)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@missing
@pytest.mark.parametrize("entry", SEARCHING)
def test_searching_goes_on_on_the_cpu(device, entry):
    expected = SEARCHING[entry](HammingRetriever().fit(CODES))
    elsewhere = on(HammingRetriever(device="cpu:0").fit(CODES), device)
    with pytest.warns(RuntimeWarning, match=f"device='{device}' .* Searching on the CPU"):
        np.testing.assert_array_equal(SEARCHING[entry](elsewhere), expected)


@pytest.mark.parametrize("device", [*MISSING, *NOTHING, "gpu"])
@pytest.mark.parametrize("kind", [DeepSketchHasher, DCMHHasher, DeepMetricHasher])
def test_no_hasher_is_trained_where_there_is_no_device(kind, device):
    with pytest.raises(ValueError, match=f"device='{device}'"):
        kind(16, device=device, **SHORT).fit(VECTORS, VECTORS, Y)


@pytest.mark.parametrize("device", [*MISSING, *NOTHING, "gpu"])
def test_no_gallery_is_put_where_there_is_no_device(device):
    retriever = HammingRetriever(device=device)
    with pytest.raises(ValueError, match=f"device='{device}'"):
        retriever.fit(CODES)
    assert not hasattr(retriever, "n_samples_fit_")
    retriever.set_params(device="cpu").fit(CODES[:9])
    with pytest.raises(ValueError, match=f"device='{device}'"):
        retriever.set_params(device=device).fit(CODES)
    assert retriever.n_samples_fit_ == 9  # the gallery of before


@pytest.mark.parametrize("device", NOTHING)
@pytest.mark.parametrize("entry", ENCODING)
def test_what_computes_nothing_encodes_nothing(hasher, device, entry):
    with pytest.raises(ValueError, match=f"device='{device}' computes nothing"):
        ENCODING[entry](on(hasher, device))


def test_a_device_for_all_parts_of_a_model(hasher):
    X, y = stack_views(PHOTOS[..., 0], PHOTOS, (np.arange(6) % 2, np.arange(6) % 2))
    features = BackboneFeatures(BACKBONE, device="cuda:97", polarity="auto")
    pipeline = make_pipeline(PerView(features, features), CCAHasher(4, random_state=0))
    with pytest.warns(RuntimeWarning, match="Encoding on the CPU"):
        pipeline.fit(X, y)
    compute_on(pipeline, "cpu")
    per_view = pipeline[0]
    parts = per_view.sketch, per_view.image, per_view.sketch_, per_view.image_
    assert [part.device for part in parts] == ["cpu"] * 4
    pipeline.transform(X)  # without a warning
    own = clone(hasher)
    compute_on(own, None)
    assert own.device == "cpu"
    with pytest.raises(ValueError, match="'cuda' was given, but this CCAHasher has no networks"):
        compute_on(CCAHasher(4), "cuda")
    with pytest.raises(ValueError, match="device='gpu' is no device"):
        compute_on(own, "gpu")
