"""The estimator: Deep Sketch Hashing behind scikit-learn's interface."""

import math
import os
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from tqdm import tqdm

from ..base import BaseCrossModalHasher
from ..preprocessing import EdgeTokens
from ._alternation import Alternation
from ._batches import all_tokens, kind_of, make_source, make_tokens
from ._caffe_weights import ModelFile, caffenet_weights, describe_files, to_weights
from ._class_vectors import match_class_vectors
from ._networks import build_network
from ._paper_networks import DROPOUT, SIZES
from ._pixels import check_pixels
from ._training import NetworkTrainer, compute_outputs, standardise
from ._weights import (
    cached_network,
    from_arrays,
    resolve_device,
    resolve_encoding_device,
    seeded,
    thread_limit,
    to_arrays,
)

# Gradient steps of a fit with steps_per_iter="auto": epochs of the larger view, within bounds.
AUTO_EPOCHS = {"images": 30, "features": 40}
AUTO_STEPS = (300, 3000)


class DeepSketchHasher(BaseCrossModalHasher):
    """Deep Sketch Hashing: one short binary code for the sketches and photos of a category.

    Three convolutional networks - C1 for photos, C2 for sketches and, with the same weights, for
    the *sketch tokens* (edge maps) of photos - are trained in turn with the codes themselves:
    the basis D and the codes B_I and B_S are found by discrete coordinate descent, then the
    networks follow the codes, then the codes are updated with the networks' outputs [1]_.

    ``fit`` and ``score`` take

    * ``(X_sk, X_img, (y_sk, y_img))``, sketches and photos that are not paired, or
      ``(X_sk, X_img, y)`` when row i of both belongs together;
    * ``(X, y)`` with a :class:`~sklearn_dsh.SketchImageArray` ``X``: what GridSearchCV calls;
    * ``(X, y)`` with one array: sketches only.

    Sketches are uint8 (n, H, W) with dark strokes on white, photos uint8 (n, H, W, 3), both from
    32 x 32 pixels up, memmaps of these, or 1-D arrays of image paths; 2-D float arrays are
    feature vectors, and a fully connected layer then takes the place of the convolutions.

    Parameters
    ----------
    n_bits : int, default=128
        Length of the codes.
    architecture : {"compact", "paper"}, default="compact"
        "compact": six convolutions a trunk, for images of about 64 x 64 pixels on a CPU.
        "paper": the networks of the released models, layer for layer (220 million weights):
        for images only, and for a GPU.
    loss : {"cross_entropy", "regression"}, default="cross_entropy"
        The networks' step. "regression" is the paper's: squared error to the codes.
        "cross_entropy" adds the classification of an output by its nearest category code.
    code_updates : {"discrete", "fixed"}, default="discrete"
        "discrete": D, B_I and B_S are updated in every round. "fixed": the codes stay the
        category codes they start as.
    init_codes : {"separated", "random"}, default="separated"
        Category codes to start from: far apart (Hadamard, BCH or optimised), or independent bits.
    min_code_distance : int, "auto" or None, default="auto"
        Updates never bring the codes of two categories closer than this many bits. "auto": nine
        tenths of the smallest distance at the start. None: no bound, as in the paper.
    similarity : {"centred", "signed", "binary"}, default="centred"
        W for two items of one category / of two: 1 / -1/(c-1), +1 / -1 (the paper), or 1 / 0.
    semantic_weight : float, default=0.01
        lambda of the paper, the weight of the semantic factorisation.
    quantization_weight : float or "balanced", default="balanced"
        gamma of the paper, the weight of ``||F - B||^2`` in the code updates. The pairwise term
        grows with the number of items, so that the paper's 1e-5 leaves the networks no say;
        "balanced" is the number of items of the smaller view.
    class_vectors : None, dict label -> vector, or array (n_classes, d), default=None
        Semantic vectors of the categories (phi); an array in the order of ``classes_``. None
        stands for one-hot vectors.
    sketch_tokens : "auto", None, callable or transformer, default="auto"
        What turns uint8 photos (n, H, W, 3) into uint8 token maps (n, H, W), dark on white.
        "auto" is :class:`~sklearn_dsh.EdgeTokens`; None trains without tokens. A transformer
        must be stateless or fitted: it is used as it is, only its ``transform`` is called.
    max_iter : int, default=3
        Rounds of the alternation (codes, then networks).
    steps_per_iter : int or "auto", default="auto"
        Gradient steps of one round. "auto": 30 epochs of the larger view over all rounds (40
        for features), at least 300 steps and at most 3,000.
    batch_size : int, default=32
        Items of each view in one gradient step.
    learning_rate : float, default=1e-3
        The largest rate of AdamW; it warms up, then falls to zero as a cosine over all rounds.
    weight_decay : float, default=0.05
        Decoupled weight decay of AdamW.
    augment : bool, default=True
        While training, flip and deform images, a little for sketches and strongly for photos;
        vary stroke widths and colours; erase parts of photos; mix pairs of photos (or of their
        feature vectors).
    class_balanced : bool, default=True
        Draw every category equally often.
    auxiliary_weight : float, default=0.3
        Weight of two helper losses: tokens trained as sketches, and C1 classifying on its own.
    image_size : int or "auto", default="auto"
        Side in pixels at which the networks read images. Files, and arrays of another size, are
        brought to it; for training once, before it starts, as bytes. "auto": 64 for the compact
        networks; for the paper's always 200 (sketches and tokens) and 227 (photos).
    dropout : {"sketchy", "tu_berlin"}, default="sketchy"
        Dropout of the heads, as in the models released for the data set of that name.
    pixels : "auto" or dict, default="auto"
        What the paper's networks read. How the authors prepared pixels is not released; "auto" is
        CaffeNet's habit, ``{"order": "bgr", "mean": (104.00699, 116.66877, 122.67892), "scale":
        1.0, "strokes": "dark"}``: values from 0 to 255, less the mean, times the scale, dark
        strokes on white. A dict changes some of these.
    c1_weights : str or path-like, default=None
        A .caffemodel file of CaffeNet: ImageNet's weights, say, as a start for the paper's C1.
    device : str, default="auto"
        "auto" takes CUDA when torch sees it, else the CPU; or a torch device name.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState instance or None, default=None
        An int gives the same codes again on the same machine with the same number of threads.

    Attributes
    ----------
    classes_ : array (n_classes,)
        The categories.
    n_iter_ : int
        Rounds run.
    loss_curve_ : list of float
        The networks' loss, one a gradient step.
    objective_curve_ : list of float
        The objective after the code updates of each round (empty with fixed codes).
    category_codes_ : dict view -> uint8 array (n_classes, n_bits) of 0 and 1
        The majority code of each category.
    basis_ : float array (d, n_bits)
        D, the basis that codes and class vectors share.
    n_features_in_, feature_names_in_, view_shapes_, views_
        See :class:`~sklearn_dsh.base.BaseCrossModalHasher`.
    weights_ : dict name -> array
        The networks' weights.
    network_settings_ : dict
        What the networks look like: views, inputs, image size, whether photos have tokens.
    sketch_tokens_ : None, callable or transformer
        What made the tokens.

    See Also
    --------
    CCAHasher : The linear method for two views.
    HammingRetriever : Search in the codes.

    References
    ----------
    .. [1] L. Liu, F. Shen, Y. Shen, X. Liu, L. Shao, "Deep Sketch Hashing: Fast Free-hand
       Sketch-Based Image Retrieval", CVPR 2017. Default and paper differ where the paper's
       objective was measured to collapse; ``DeepSketchHasher(loss="regression",
       similarity="signed", init_codes="random", min_code_distance=None,
       quantization_weight=1e-5)`` is the objective as published.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh import DeepSketchHasher
    >>> rng = np.random.default_rng(0)
    >>> y_sk, y_img = np.arange(40) % 2, np.arange(60) % 2
    >>> X_sk = rng.normal(size=(40, 5)) + 3 * y_sk[:, None]
    >>> X_img = rng.normal(size=(60, 8)) - 3 * y_img[:, None]
    >>> hasher = DeepSketchHasher(n_bits=16, random_state=0).fit(X_sk, X_img, (y_sk, y_img))
    >>> hasher.transform(X_img, view="image").shape
    (60, 2)
    >>> round(hasher.score(X_sk, X_img, (y_sk, y_img)), 2)
    1.0
    """

    _view_kinds = ("features", "images", "paths")
    _label_use = "required"

    _parameter_constraints: dict = {
        **BaseCrossModalHasher._parameter_constraints,
        "architecture": [StrOptions({"compact", "paper"})],
        "loss": [StrOptions({"cross_entropy", "regression"})],
        "code_updates": [StrOptions({"discrete", "fixed"})],
        "init_codes": [StrOptions({"separated", "random"})],
        "min_code_distance": [
            StrOptions({"auto"}),
            Interval(Integral, 0, None, closed="left"),
            None,
        ],
        "similarity": [StrOptions({"centred", "signed", "binary"})],
        "semantic_weight": [Interval(Real, 0, None, closed="left")],
        "quantization_weight": [StrOptions({"balanced"}), Interval(Real, 0, None, closed="left")],
        "class_vectors": [None, dict, "array-like"],
        "sketch_tokens": [StrOptions({"auto"}), None, callable, HasMethods("transform")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "steps_per_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "augment": ["boolean"],
        "class_balanced": ["boolean"],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
        "image_size": [StrOptions({"auto"}), Interval(Integral, 32, None, closed="left")],
        "dropout": [StrOptions(set(DROPOUT))],
        "pixels": [StrOptions({"auto"}), dict],
        "c1_weights": [str, os.PathLike, None],
        "device": [str],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_bits=128,
        *,
        architecture="compact",
        loss="cross_entropy",
        code_updates="discrete",
        init_codes="separated",
        min_code_distance="auto",
        similarity="centred",
        semantic_weight=0.01,
        quantization_weight="balanced",
        class_vectors=None,
        sketch_tokens="auto",
        max_iter=3,
        steps_per_iter="auto",
        batch_size=32,
        learning_rate=1e-3,
        weight_decay=0.05,
        augment=True,
        class_balanced=True,
        auxiliary_weight=0.3,
        image_size="auto",
        dropout="sketchy",
        pixels="auto",
        c1_weights=None,
        device="auto",
        verbose=0,
        random_state=None,
    ):
        self.n_bits = n_bits
        self.architecture = architecture
        self.loss = loss
        self.code_updates = code_updates
        self.init_codes = init_codes
        self.min_code_distance = min_code_distance
        self.similarity = similarity
        self.semantic_weight = semantic_weight
        self.quantization_weight = quantization_weight
        self.class_vectors = class_vectors
        self.sketch_tokens = sketch_tokens
        self.max_iter = max_iter
        self.steps_per_iter = steps_per_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.augment = augment
        self.class_balanced = class_balanced
        self.auxiliary_weight = auxiliary_weight
        self.image_size = image_size
        self.dropout = dropout
        self.pixels = pixels
        self.c1_weights = c1_weights
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _fit_views(self, data):
        device = resolve_device(self.device)
        sizes = {view: self._image_size(view) for view in ("sketch", "image")}
        phi = match_class_vectors(self.class_vectors, self.classes_)
        random_state = check_random_state(self.random_state)
        seed = int(random_state.randint(2**31 - 1))
        views = {"sketch": data.sketch, "image": data.image}
        views = {view: X for view, X in views.items() if X is not None}
        labels = {"sketch": data.y_sketch, "image": data.y_image}
        labels = {view: labels[view] for view in views}
        kinds = {view: kind_of(X) for view, X in views.items()}
        if self.architecture == "paper" and "features" in kinds.values():
            raise ValueError(
                "architecture='paper' reads images, and feature vectors were given: use "
                "architecture='compact', whose trunks become fully connected for features."
            )
        sources = {view: make_source(X, view, sizes[view]).at_size() for view, X in views.items()}
        self.network_settings_ = self._describe_network(kinds, sources, sizes)
        c1_weights = None
        if self.c1_weights is not None:
            c1_weights = caffenet_weights(self.c1_weights)
        tokens = None
        self.sketch_tokens_ = self._resolve_tokens()
        if self.sketch_tokens_ is not None:
            tokens = all_tokens(self.sketch_tokens_, sources["image"], sizes["sketch"])
        alternation = Alternation(
            labels,
            len(self.classes_),
            self.n_bits,
            phi,
            random_state,
            init_codes=self.init_codes,
            min_distance=self.min_code_distance,
            similarity=self.similarity,
            semantic_weight=self.semantic_weight,
            quantization_weight=self.quantization_weight,
        )
        steps = self._steps_per_round(kinds, labels)
        self.loss_curve_, self.objective_curve_ = [], []
        # Threads that wait for each other cost more than the small products of feature vectors.
        threads = thread_limit(None if "images" in kinds.values() else 1)
        with threads, seeded(seed, device), self._progress(steps * self.max_iter) as progress:
            network = build_network(self.network_settings_).to(device)
            standardise(network, sources)
            if c1_weights is not None:
                from_arrays(network.c1, c1_weights, assign=False)
            trainer = NetworkTrainer(
                network,
                sources,
                tokens,
                labels,
                steps * self.max_iter,
                device,
                random_state,
                torch.Generator().manual_seed(seed),
                self,
                self.network_settings_["pixels"],
            )
            for iteration in range(self.max_iter):
                if self.code_updates == "discrete":
                    outputs = trainer.outputs() if iteration else None
                    self.objective_curve_.append(alternation.update(outputs))
                self.loss_curve_ += trainer.run(
                    steps, alternation.item_codes(), alternation.category_codes(), progress
                )
        self.n_iter_ = self.max_iter
        self.basis_ = alternation.basis
        self.category_codes_ = {
            view: (codes > 0).astype(np.uint8)
            for view, codes in alternation.category_codes().items()
        }
        self.weights_ = to_arrays(network)

    def _image_size(self, view):
        if self.architecture != "paper":
            return 64 if self.image_size == "auto" else int(self.image_size)
        if self.image_size != "auto":
            raise ValueError(
                f"architecture='paper' reads sketches of {SIZES['sketch']} and photos of "
                f"{SIZES['image']} pixels: leave image_size='auto', got {self.image_size}."
            )
        return SIZES[view]

    def _describe_network(self, kinds, sources, sizes):
        is_paper = self.architecture == "paper"
        if not is_paper and (self.pixels != "auto" or self.c1_weights is not None):
            raise ValueError("pixels= and c1_weights= are for architecture='paper' alone.")
        uses_tokens = kinds.get("image") == "images" and self.sketch_tokens is not None
        trunks = {
            view: ("features", sources[view][:1].shape[1])
            if kind == "features"
            else ("images", 1 if view == "sketch" and not is_paper else 3)
            for view, kind in kinds.items()
        }
        if uses_tokens:
            trunks.setdefault("sketch", ("images", 3 if is_paper else 1))
        return {
            "n_bits": int(self.n_bits),
            "views": list(kinds),
            "trunks": trunks,
            "uses_tokens": uses_tokens,
            "architecture": self.architecture,
            "dropout": self.dropout,
            "shared_convolutions": True,
            "sizes": sizes,
            "pixels": check_pixels({} if self.pixels == "auto" else self.pixels)
            if is_paper
            else None,
        }

    @classmethod
    def from_caffemodel(
        cls, sketch=None, image=None, *, sketch_tokens="auto", pixels="auto", device="auto"
    ):
        """A fitted hasher with the weights of the models that the authors released.

        Parameters
        ----------
        sketch, image : str or path-like, default=None
            The .caffemodel files of the sketch and of the image network, of Sketchy or
            TU-Berlin; either may be left out, with its view. The number of bits is read from
            them.
        sketch_tokens, pixels, device
            As in the constructor. The released networks were trained with tokens of a structured
            forest (Lim et al., CVPR 2013), and with pixels prepared in a way that is not
            released: what is set here should come as close to that as can be.

        Returns
        -------
        hasher : DeepSketchHasher
            With ``architecture="paper"``, without ``classes_``. Arrays have 200 x 200 pixels
            (sketches) and 227 x 227 (photos); files of any size are brought to these.

        Raises
        ------
        ValueError
            If a file is something else or damaged, a layer is missing or has another shape, or
            the two files are of different models; file and layer are named.
        ImportError
            If protobuf is not installed.

        Warns
        -----
        UserWarning
            If the two files' convolutions of C2 differ: each keeps its own.
        """
        files = {"sketch": sketch, "image": image}
        files = {view: ModelFile(path) for view, path in files.items() if path is not None}
        if not files:
            raise ValueError("Give the path of at least one file: sketch=..., image=...")
        if "image" in files and sketch_tokens is None:
            raise ValueError("The released image networks read sketch tokens: sketch_tokens=None.")
        n_bits, dropout = describe_files(files)
        hasher = cls(
            n_bits,
            architecture="paper",
            dropout=dropout,
            sketch_tokens=sketch_tokens,
            pixels=pixels,
            device=device,
        )
        sizes = {view: hasher._image_size(view) for view in ("sketch", "image")}
        settings = hasher._describe_network(dict.fromkeys(files, "images"), {}, sizes)
        with torch.device("meta"):
            state = build_network(settings).state_dict()
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        hasher.weights_, settings["shared_convolutions"] = to_weights(files, shapes)
        hasher.network_settings_ = settings
        hasher.sketch_tokens_ = hasher._resolve_tokens()
        hasher._note_views({view: hasher._image_shape(view) for view in files})
        return hasher

    def build_network(self):
        """The trained networks as a torch module, in eval mode, on ``device``.

        Returns
        -------
        network : torch.nn.Module
            With ``sketch(x)`` for x of shape (n, 1, size, size) in [0, 1], strokes 1, and
            ``image(photos, tokens)`` for photos (n, 3, size, size) in [-1, 1] and tokens like
            sketches; both return (n, n_bits), the values before the sign. Feature vectors are
            read as they are. The module is a copy: changing it does not change the hasher.
        """
        check_is_fitted(self)
        return self._rebuild_network().to(resolve_encoding_device(self.device))

    def _resolve_tokens(self):
        if not self.network_settings_["uses_tokens"]:
            return None
        return EdgeTokens() if isinstance(self.sketch_tokens, str) else self.sketch_tokens

    def _rebuild_network(self):
        with torch.device("meta"):  # only names and shapes: no random weights to be replaced
            network = build_network(self.network_settings_)
        network = from_arrays(network, self.weights_).to(memory_format=torch.channels_last)
        return network.eval()

    def _progress(self, total):
        return tqdm(total=total, desc=type(self).__name__, disable=not self.verbose, unit="step")

    def _steps_per_round(self, kinds, labels):
        if self.steps_per_iter != "auto":
            return self.steps_per_iter
        kind = "images" if "images" in kinds.values() else "features"
        epoch = math.ceil(max(len(y) for y in labels.values()) / self.batch_size)
        low, high = AUTO_STEPS
        return math.ceil(min(max(AUTO_EPOCHS[kind] * epoch, low), high) / self.max_iter)

    def _project_view(self, X, view):
        settings = self.network_settings_
        device = resolve_encoding_device(self.device)
        network = cached_network(
            self, self.weights_, device, lambda: self._rebuild_network().to(device)
        )

        def tokens(rows, photos):
            if self.sketch_tokens_ is None:
                return None
            return make_tokens(self.sketch_tokens_, photos, settings["sizes"]["sketch"])

        source = make_source(X, view, settings["sizes"][view])
        return compute_outputs(
            network, source, view, device, tokens=tokens, pixels=settings["pixels"]
        )
