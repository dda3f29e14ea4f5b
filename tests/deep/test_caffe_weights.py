"""The paper's networks against an independent implementation of Caffe: OpenCV's importer.

Deploy files and weight files are written here from the layer table. Outside the slow test the
fully connected layers are narrow, so that the files stay small.
"""

import pickle

import numpy as np
import pytest
import torch

from sklearn_dsh import DeepSketchHasher, Paper
from sklearn_dsh.deep._caffe_file import _net_parameter, load_caffemodel
from sklearn_dsh.deep.architectures import _paper as paper
from sklearn_dsh.preprocessing import EdgeTokens, resize_images

cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")

NARROW = (48, 1024)
MEAN = np.array([104.00699, 116.66877, 122.67892], dtype=np.float32)
RNG = np.random.default_rng(0)


class Deploy:
    """A deploy file and its random weights, layer by layer."""

    def __init__(self, *inputs):
        self.text = []
        self.weights = {}  # name -> (type, blobs)
        for name, size in inputs:
            self.text.append(
                f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
                f"dim: 1 dim: 3 dim: {size} dim: {size} }} }} }}"
            )

    def layer(self, kind, name, bottom, parameters="", blobs=(), *, in_place=False):
        bottoms = [bottom] if isinstance(bottom, str) else bottom
        top = bottoms[0] if in_place else name
        lines = "".join(f' bottom: "{b}"' for b in bottoms)
        self.text.append(
            f'layer {{ name: "{name}" type: "{kind}"{lines} top: "{top}" {parameters} }}'
        )
        if len(blobs):
            self.weights[name] = (kind, [np.asarray(blob, dtype=np.float32) for blob in blobs])
        return top

    def conv(self, name, bottom, n_in, n_out, k, stride=1, pad=0, group=1):
        scale = np.sqrt(2 / (n_in // group * k * k))
        blobs = [RNG.normal(0, scale, (n_out, n_in // group, k, k)), RNG.normal(0, 0.1, n_out)]
        return self.layer(
            "Convolution",
            name,
            bottom,
            f"convolution_param {{ num_output: {n_out} kernel_size: {k} stride: {stride} "
            f"pad: {pad} group: {group} }}",
            blobs,
        )

    def fc(self, name, bottom, n_in, n_out, *, relu=True):
        weight = RNG.standard_normal((n_out, n_in), dtype=np.float32) * np.float32(
            np.sqrt(2 / n_in)
        )
        top = self.layer(
            "InnerProduct",
            name,
            bottom,
            f"inner_product_param {{ num_output: {n_out} }}",
            [weight, RNG.normal(0, 0.1, n_out)],
        )
        if relu:
            self.layer("ReLU", f"relu_{name}", top, in_place=True)
            self.layer("Dropout", f"drop_{name}", top, in_place=True)
        return top

    def pool(self, name, bottom, pad=0):
        parameters = f"pooling_param {{ pool: MAX kernel_size: 3 stride: 2 pad: {pad} }}"
        return self.layer("Pooling", name, bottom, parameters)

    def lrn(self, name, bottom):
        parameters = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
        return self.layer("LRN", name, bottom, parameters)

    def c2(self, bottom, suffix, shared=None):
        layers = (
            ("1", 3, 64, 14, 3, 0, "pool1"),
            ("2_1", 64, 128, 3, 1, 1, None),
            ("2_2", 128, 128, 3, 1, 1, "pool2"),
            ("3_1", 128, 256, 3, 1, 1, None),
            ("3_2", 256, 256, 3, 1, 1, "pool3"),
        )
        for number, n_in, n_out, k, stride, pad, pool in layers:
            name = f"conv{number}{suffix}"
            bottom = self.conv(name, bottom, n_in, n_out, k, stride, pad)
            if shared is not None:
                self.weights[name] = shared.weights[f"conv{number}-S"]
            factor = 3.0
            blobs = [RNG.normal(0, 0.3, n_out), RNG.uniform(0.5, 2, n_out)]
            blobs = [factor * b for b in blobs] + [[factor]]
            parameters = "batch_norm_param { use_global_stats: true eps: 0.00001 }"
            self.layer("BatchNorm", f"BN{number}{suffix}", bottom, parameters, blobs, in_place=True)
            blobs = [RNG.uniform(0.5, 1.5, n_out), RNG.normal(0, 0.2, n_out)]
            parameters = "scale_param { bias_term: true }"
            self.layer("Scale", f"SC{number}{suffix}", bottom, parameters, blobs, in_place=True)
            self.layer("ReLU", f"relu{number}{suffix}", bottom, in_place=True)
            if pool:
                bottom = self.pool(f"{pool}{suffix}", bottom)
        return bottom

    def c1(self, bottom):
        x = self.conv("conv1", bottom, 3, 96, 11, stride=4)
        self.layer("ReLU", "relu1", x, in_place=True)
        x = self.lrn("norm1", self.pool("pool1", x))
        x = self.conv("conv2", x, 96, 256, 5, pad=2, group=2)
        self.layer("ReLU", "relu2", x, in_place=True)
        x = self.lrn("norm2", self.pool("pool2", x))
        for name, n_in, n_out, group in (
            ("conv3", 256, 384, 1),
            ("conv4", 384, 384, 2),
            ("conv5", 384, 256, 2),
        ):
            x = self.conv(name, x, n_in, n_out, 3, pad=1, group=group)
            self.layer("ReLU", f"relu_{name}", x, in_place=True)
        return self.pool("pool5", x, pad=1)

    def message(self):
        return make_message(self.weights)

    def write(self, folder, name):
        (folder / f"{name}.prototxt").write_text("\n".join(self.text))
        (folder / f"{name}.caffemodel").write_bytes(self.message().SerializeToString())
        return folder / f"{name}.caffemodel"

    def opencv(self, folder, name):
        files = (str(folder / f"{name}.{end}") for end in ("prototxt", "caffemodel"))
        return cv2.dnn.readNetFromCaffe(*files)


def make_message(weights):
    net = _net_parameter()()
    for name, (kind, blobs) in weights.items():
        layer = net.layer.add(name=name, type=kind)
        for blob in blobs:
            layer.blobs.add(data=blob.ravel(), shape={"dim": blob.shape})
    return net


def sketch_model(n_bits, hidden, end=None):
    a, b = hidden
    net = Deploy(("data", 200))
    x = net.fc("fc_a-S", net.c2("data", "-S"), 256 * 49, a)
    net.fc(f"fc_p-S_{end or n_bits}", net.fc("fc_b-S", x, a, b), b, n_bits, relu=False)
    return net


def image_model(n_bits, hidden, shared, end=None):
    a, b = hidden
    net = Deploy(("token", 200), ("data", 227))
    x = net.layer("Concat", "concat1", [net.c2("token", "-S_p", shared), net.c1("data")])
    parts = [net.fc(name, x, 512 * 49, a) for name in ("fc_a-S_new", "fc6_new_new")]
    x = net.layer("Concat", "concat2", parts)
    parts = [net.fc(name, x, 2 * a, b) for name in ("fc_b-S_new", "fc7_new_new")]
    x = net.layer("Concat", "concat3", parts)
    net.fc(f"fc_fuse_{end or n_bits}", x, 2 * b, n_bits, relu=False)
    return net


def pixels(n, size, seed=0):
    x = np.random.default_rng(seed).uniform(0, 255, (n, 3, size, size)).astype(np.float32)
    return x - MEAN[:, None, None]


def assert_close(ours, theirs):
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()
    assert np.std(theirs) > 0.1 * np.abs(theirs).max()


class Models:
    """Both networks of one size as files, with what OpenCV makes of them."""

    def __init__(self, folder, n_bits, hidden, ends=(None, None)):
        self.folder, self.n_bits = folder, n_bits
        self.sketch_net = sketch_model(n_bits, hidden, ends[0])
        self.image_net = image_model(n_bits, hidden, self.sketch_net, ends[1])
        self.sketch = self.sketch_net.write(folder, "sketch")
        self.image = self.image_net.write(folder, "image")

    def run_sketch(self, x):
        net = self.sketch_net.opencv(self.folder, "sketch")
        net.setInput(x)
        return net.forward()

    def run_image(self, photos, tokens):
        net = self.image_net.opencv(self.folder, "image")
        net.setInput(tokens, "token")
        net.setInput(photos, "data")
        return net.forward()


@pytest.fixture(scope="module")
def narrow():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "HIDDEN", NARROW)
        yield


@pytest.fixture(scope="module")
def models(narrow, tmp_path_factory):
    return Models(tmp_path_factory.mktemp("models"), 32, NARROW)


@pytest.fixture(scope="module")
def hasher(models):
    return DeepSketchHasher.from_caffemodel(sketch=models.sketch, image=models.image)


def check_against_opencv(hasher, models):
    network = hasher.build_network()
    sketches, photos, tokens = pixels(1, 200), pixels(1, 227, 1), pixels(1, 200, 2)
    with torch.no_grad():
        ours = network.sketch(torch.from_numpy(sketches)).numpy()
        assert_close(ours, models.run_sketch(sketches))
        ours = network.image(torch.from_numpy(photos), torch.from_numpy(tokens)).numpy()
        assert_close(ours, models.run_image(photos, tokens))


def test_networks_equal_opencvs(hasher, models):
    check_against_opencv(hasher, models)


@pytest.mark.slow
def test_full_size_networks_equal_opencvs(tmp_path):
    models = Models(tmp_path, 128, (4096, 1024))
    hasher = DeepSketchHasher.from_caffemodel(sketch=models.sketch, image=models.image)
    assert hasher.n_bits == 128
    check_against_opencv(hasher, models)


def test_project_is_the_network_on_the_stated_pixels(hasher, models):
    rng = np.random.default_rng(3)
    sketches = rng.integers(0, 256, (2, 200, 200), dtype=np.uint8)
    photos = rng.integers(0, 256, (2, 227, 227, 3), dtype=np.uint8)
    grey = np.repeat(sketches[:, None].astype(np.float32), 3, axis=1) - MEAN[:, None, None]
    expected = np.concatenate([models.run_sketch(x[None]) for x in grey])
    assert_close(hasher.project(sketches), expected)

    tokens = resize_images(EdgeTokens().transform(photos), 200)
    tokens = np.repeat(tokens[:, None].astype(np.float32), 3, axis=1) - MEAN[:, None, None]
    bgr = photos[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) - MEAN[:, None, None]
    expected = [models.run_image(p[None], t[None]) for p, t in zip(bgr, tokens, strict=True)]
    assert_close(hasher.project(photos, view="image"), np.concatenate(expected))


def test_pixels_are_a_parameter(models):
    chosen = Paper(order="rgb", mean=10, scale=0.5, strokes="bright")
    hasher = DeepSketchHasher.from_caffemodel(
        sketch=models.sketch, image=models.image, architecture=chosen
    )
    assert chosen == Paper(order="rgb", mean=10, scale=0.5, strokes="bright")
    sketches = np.random.default_rng(3).integers(0, 256, (1, 200, 200), dtype=np.uint8)
    bright = 255 - np.repeat(sketches[:, None].astype(np.float32), 3, axis=1)
    assert_close(hasher.project(sketches), models.run_sketch((bright - 10) * 0.5))


def test_loaded_hasher_is_fitted_encodes_and_pickles(hasher, models):
    assert hasher.n_bits == 32
    assert hasher.views_ == ("sketch", "image")
    assert not hasattr(hasher, "classes_")
    sketches = np.random.default_rng(3).integers(0, 256, (3, 200, 200), dtype=np.uint8)
    codes = hasher.transform(sketches)
    assert codes.shape == (3, 4)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(hasher)).transform(sketches), codes)
    with pytest.raises(ValueError, match=r"rows of shape \(200, 200\)"):
        hasher.transform(sketches[:, :100, :100])


def test_training_does_not_go_on_from_a_file(models):
    loaded = DeepSketchHasher.from_caffemodel(sketch=models.sketch)
    sketches, y = np.zeros((4, 200, 200), np.uint8), [0, 1, 0, 1]
    with pytest.raises(ValueError, match="weights of a file and no category codes"):
        loaded.partial_fit(sketches, y)
    with pytest.raises(ValueError, match="weights of a file and no category codes"):
        loaded.set_params(warm_start=True).fit(sketches, y)


def test_network_is_built_once(hasher, monkeypatch):
    sketch = np.full((1, 200, 200), 255, dtype=np.uint8)
    first = hasher.transform(sketch)
    monkeypatch.setattr(DeepSketchHasher, "_rebuild_network", None)
    np.testing.assert_array_equal(hasher.transform(sketch), first)


@pytest.mark.parametrize(
    ("ends", "data"), [((None, None), "sketchy"), (("final", "TU_final"), "tu_berlin")]
)
def test_dropout_is_that_of_the_data_set(narrow, tmp_path, ends, data):
    models = Models(tmp_path, 64, NARROW, ends)
    hasher = DeepSketchHasher.from_caffemodel(sketch=models.sketch, image=models.image)
    assert (hasher.n_bits, hasher.architecture.dropout) == (64, data)
    network = hasher.build_network()
    rates = {name: m.p for name, m in network.named_modules() if isinstance(m, torch.nn.Dropout)}
    expected = {
        "sketchy": {"fc_a": 0.25, "fc_b": 0.25, "_s": 0.3, "_i": 0.4},
        "tu_berlin": {"fc_a": 0.1, "fc_b": 0.3, "_s": 0.2, "_i": 0.3},
    }[data]
    head = "sketch_head"
    assert rates[f"{head}.fc_a.2"] == expected["fc_a"]
    assert rates[f"{head}.fc_b.2"] == expected["fc_b"]
    for stage in ("fc_a", "fc_b"):
        for copy in ("_s", "_i"):
            assert rates[f"image_head.{stage}{copy}.2"] == expected[copy]


@pytest.mark.parametrize("view", ["sketch", "image"])
def test_one_file_gives_one_view(models, hasher, view):
    alone = DeepSketchHasher.from_caffemodel(**{view: getattr(models, view)})
    assert alone.views_ == (view,)
    shape = {"sketch": (1, 200, 200), "image": (1, 227, 227, 3)}[view]
    X = np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_allclose(alone.project(X, view=view), hasher.project(X, view=view), rtol=1e-5)


def test_convolutions_that_differ_are_kept_apart(models, tmp_path):
    other = Deploy()
    other.weights = dict(models.image_net.weights)
    kind, (weight, bias) = other.weights["conv2_1-S_p"]
    other.weights["conv2_1-S_p"] = kind, [weight * 1.5, bias]
    image = other.write(tmp_path, "other")
    with pytest.warns(UserWarning, match="each file's own"):
        hasher = DeepSketchHasher.from_caffemodel(sketch=models.sketch, image=image)
    sketches, photos, tokens = pixels(1, 200), pixels(1, 227, 1), pixels(1, 200, 2)
    (tmp_path / "other.prototxt").write_text("\n".join(models.image_net.text))
    net = models.image_net.opencv(tmp_path, "other")
    net.setInput(tokens, "token")
    net.setInput(photos, "data")
    theirs = net.forward()
    network = hasher.build_network()
    with torch.no_grad():
        ours = network.image(torch.from_numpy(photos), torch.from_numpy(tokens)).numpy()
        assert_close(ours, theirs)
        assert_close(
            network.sketch(torch.from_numpy(sketches)).numpy(), models.run_sketch(sketches)
        )
    assert np.abs(theirs - models.run_image(photos, tokens)).max() > 1e-3


# Variants of the format.


def as_legacy_layers(net):
    """V1 layers, numeric types, num/channels/height/width, shapes filled up with ones."""
    types = {"Convolution": 4, "InnerProduct": 14}
    old = _net_parameter()()
    for layer in net.layer:
        new = old.layers.add(name=layer.name, type=types.get(layer.type, 0))
        for blob in layer.blobs:
            shape = [1] * (4 - len(blob.shape.dim)) + list(blob.shape.dim)
            names = ("num", "channels", "height", "width")
            new.blobs.add(data=blob.data, **dict(zip(names, shape, strict=True)))
    return old.SerializeToString()


def as_double(net):
    for layer in net.layer:
        for blob in layer.blobs:
            blob.double_data.extend(blob.data)
            blob.ClearField("data")
    return net.SerializeToString()


def _varint(value):
    out = bytearray()
    while True:
        value, low = value >> 7, value & 127
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def _field(number, payload):
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def as_unpacked(net):
    """By hand: every number of data and dim with a tag of its own."""
    out = b""
    for layer in net.layer:
        body = _field(1, layer.name.encode()) + _field(2, layer.type.encode())
        for blob in layer.blobs:
            values = np.asarray(blob.data, dtype="<f4")
            rows = np.empty((len(values), 5), dtype=np.uint8)
            rows[:, 0] = 5 << 3 | 5
            rows[:, 1:] = values.view(np.uint8).reshape(-1, 4)
            dims = b"".join(_varint(1 << 3) + _varint(d) for d in blob.shape.dim)
            body += _field(7, rows.tobytes() + _field(7, dims))
        out += _field(100, body)
    return out


@pytest.mark.parametrize("variant", [as_legacy_layers, as_double, as_unpacked])
def test_variants_of_the_format_give_the_same_weights(models, hasher, tmp_path, variant):
    paths = {}
    for view in ("sketch", "image"):
        paths[view] = tmp_path / f"{view}.caffemodel"
        net = getattr(models, f"{view}_net").message()
        paths[view].write_bytes(variant(net))
    other = DeepSketchHasher.from_caffemodel(**paths)
    assert other.weights_.keys() == hasher.weights_.keys()
    for name, value in hasher.weights_.items():
        np.testing.assert_array_equal(other.weights_[name], value)


def test_layers_and_types_are_readable(models):
    layers = load_caffemodel(models.sketch)
    assert layers["conv1-S"].type == "Convolution"
    assert [blob.shape for blob in layers["conv1-S"].blobs] == [(64, 3, 14, 14), (64,)]
    assert list(layers)[-1] == "fc_p-S_32"


def test_a_scale_factor_of_zero_is_caffes_zero(models, tmp_path):
    other = Deploy()
    other.weights = dict(models.sketch_net.weights)
    kind, (mean, variance, _) = other.weights["BN1-S"]
    other.weights["BN1-S"] = kind, [mean, variance, np.zeros(1, dtype=np.float32)]
    hasher = DeepSketchHasher.from_caffemodel(sketch=other.write(tmp_path, "zero"))
    assert hasher.weights_["c2.norms.0.running_mean"].max() == 0


# Damaged and foreign files.


def altered(models, tmp_path, change, view="sketch"):
    net = Deploy()
    net.weights = dict(getattr(models, f"{view}_net").weights)
    change(net.weights)
    return {view: net.write(tmp_path, "altered")}


def _drop(name):
    return lambda weights: weights.pop(name)


def _replace(name, kind=None, blobs=None):
    def change(weights):
        old_kind, old = weights[name]
        weights[name] = kind or old_kind, old if blobs is None else blobs(old)

    return change


@pytest.mark.parametrize(
    ("change", "view", "message"),
    [
        (_drop("conv2_2-S"), "sketch", "no layer 'conv2_2-S'"),
        (_drop("SC3_1-S_p"), "image", "no layer 'SC3_1-S_p'"),
        (_drop("fc7_new_new"), "image", "no layer 'fc7_new_new'"),
        (_drop("fc_p-S_32"), "sketch", "0 layers whose name begins with 'fc_p-S_'"),
        (
            _replace("conv1-S", blobs=lambda b: [b[0][:, :1], b[1]]),
            "sketch",
            r"blob 0 of layer 'conv1-S' has shape \(64, 1, 14, 14\), expected \(64, 3, 14, 14\)",
        ),
        (_replace("conv1-S", kind="Deconvolution"), "sketch", "'conv1-S' is a Deconvolution"),
        (_replace("BN1-S", blobs=lambda b: b[:2]), "sketch", "'BN1-S' has 2 blobs"),
        (
            _replace("fc_p-S_32", blobs=lambda b: [b[0][:31], b[1][:31]]),
            "sketch",
            r"'fc_p-S_32' has a blob of shape \(31, 1024\)",
        ),
    ],
)
def test_wrong_models_name_file_and_layer(models, tmp_path, change, view, message):
    files = altered(models, tmp_path, change, view)
    with pytest.raises(ValueError, match=f"altered.caffemodel.*{message}"):
        DeepSketchHasher.from_caffemodel(**files)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no layer with weights"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(200)), "no .caffemodel file"),
        (b"name: 'a text file'\n", "no .caffemodel file|no layer with weights"),
    ],
)
def test_files_of_something_else(tmp_path, content, message):
    path = tmp_path / "file.caffemodel"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"file.caffemodel.*({message})"):
        load_caffemodel(path)


def test_truncated_file(models, tmp_path):
    path = tmp_path / "cut.caffemodel"
    path.write_bytes(models.sketch.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"cut.caffemodel.*cut off"):
        DeepSketchHasher.from_caffemodel(sketch=path)


def test_blob_whose_data_do_not_fill_its_shape(tmp_path):
    net = _net_parameter()()
    net.layer.add(name="a").blobs.add(data=[1.0, 2.0], shape={"dim": [3]})
    path = tmp_path / "short.caffemodel"
    path.write_bytes(net.SerializeToString())
    with pytest.raises(ValueError, match=r"short.caffemodel.*'a'.*\(3,\) needs 3 values.* 2"):
        load_caffemodel(path)


def test_files_of_two_models_are_refused(narrow, models, tmp_path):
    other = sketch_model(64, NARROW).write(tmp_path, "sketch64")
    with pytest.raises(ValueError, match=r"not of one model.*64 bits.*32 bits"):
        DeepSketchHasher.from_caffemodel(sketch=other, image=models.image)


def test_no_file_and_no_tokens(models):
    with pytest.raises(ValueError, match="at least one file"):
        DeepSketchHasher.from_caffemodel()
    with pytest.raises(ValueError, match="read sketch tokens"):
        DeepSketchHasher.from_caffemodel(image=models.image, sketch_tokens=None)


# Training.


def drawings(n, size, channels=()):
    return np.random.default_rng(5).integers(0, 256, (n, size, size, *channels), dtype=np.uint8)


def fit_paper(**settings):
    hasher = DeepSketchHasher(
        8,
        **({"architecture": "paper", "steps_per_iter": 1} | settings),
        max_iter=1,
        batch_size=2,
        random_state=0,
    )
    y = np.arange(4) % 2
    return hasher.fit(drawings(4, 40), drawings(4, 48, (3,)), y)


def test_paper_networks_train_and_encode(narrow):
    hasher = fit_paper()
    assert hasher.architecture_ == Paper()
    assert np.isfinite(hasher.loss_curve_).all()
    assert hasher.transform(drawings(4, 48, (3,)), view="image").shape == (4, 1)
    # The token copy shares C2's convolutions and has batch statistics of its own.
    assert not any(name.startswith("token_trunk.convolutions") for name in hasher.weights_)
    own, other = (hasher.weights_[f"{t}.norms.0.running_mean"] for t in ("c2", "token_trunk"))
    assert not np.allclose(own, other)


def test_caffenet_weights_are_c1s_start(narrow, models):
    # The image model's file holds CaffeNet's convolutions under CaffeNet's names.
    layers = load_caffemodel(models.image)
    hasher = fit_paper(
        architecture=Paper(c1_weights=models.image), learning_rate=1e-12, weight_decay=0.0
    )
    for i in range(1, 6):
        np.testing.assert_allclose(
            hasher.weights_[f"c1.conv{i}.weight"],  # trained, and so kept in float16
            layers[f"conv{i}"].blobs[0],
            rtol=2**-11,
            atol=2**-24,
        )


def test_torchvisions_alexnet_is_refused_by_name(tmp_path):
    path = tmp_path / "alexnet.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 11, 11)}, path)
    with pytest.raises(ValueError, match="torchvision's AlexNet"):
        fit_paper(architecture=Paper(c1_weights=path))


def test_weights_of_c1_need_photos():
    with pytest.raises(ValueError, match="starts C1, which reads photos, and only sketches"):
        DeepSketchHasher(8, architecture=Paper(c1_weights="c1.caffemodel")).fit(
            np.zeros((4, 32, 32), np.uint8), [0, 1, 0, 1]
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": "gbr"}, "order must be one of"),
        ({"strokes": None}, "strokes must be one of"),
        ({"mean": [1, 2]}, "mean must be one number or three"),
        ({"mean": "low"}, "mean must be one number or three"),
        ({"scale": 0}, "must be positive"),
        ({"dropout": "imagenet"}, "dropout must be one of 'sketchy', 'tu_berlin'"),
        ({"weight_sharing": 3}, "weight_sharing must be one of"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        fit_paper(architecture=Paper(**settings))


def test_features_need_the_compact_architecture():
    with pytest.raises(ValueError, match="architecture='compact'"):
        DeepSketchHasher(architecture="paper").fit(np.eye(4), np.eye(4), np.array([0, 0, 1, 1]))
