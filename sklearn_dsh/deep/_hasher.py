"""The estimator: Deep Sketch Hashing behind scikit-learn's interface.

(Long: one class of 39 parameters, over half of it documentation.)
"""

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import _fit_context, clone
from sklearn.utils._param_validation import Interval, StrOptions

from ._alternation import Alternation
from ._base import BaseDeepHasher
from ._caffe_weights import ModelFile, describe_files, to_weights
from ._class_vectors import match_class_vectors
from ._fit import fit_networks, resolve_tokens
from ._weights import shapes_of
from .architectures import Architecture, Paper, describe_network, resolve_architecture


class DeepSketchHasher(BaseDeepHasher):
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
    architecture : {"compact", "paper", "pretrained"} or Architecture, default="compact"
        All about the networks. "compact" is :class:`~sklearn_dsh.Compact`, for images of about
        64 x 64 pixels on a CPU; "paper" is :class:`~sklearn_dsh.Paper`, the networks of the
        released models, for a GPU; "pretrained" is :class:`~sklearn_dsh.Pretrained`, which starts
        from a network that knows images and finds most. An object of these or of another
        :class:`~sklearn_dsh.Architecture` says more, and its parameters can be searched:
        ``architecture__size``.
    loss : {"cross_entropy", "regression"}, default="cross_entropy"
        The networks' step. "regression" is the paper's: squared error to the codes.
        "cross_entropy" adds the classification of an output by its nearest category code.
    readout : {"categories", "features"}, default="categories"
        What the bits are read out of. "categories": what the networks take an item for, which
        finds most of the categories trained on. "features": what they know of it, for categories
        never seen; beyond the paper, and for ``architecture="pretrained"``, best with features of
        several stages (see :ref:`never-seen`).
    code_updates : {"discrete", "relaxed", "fixed"}, default="discrete"
        "discrete": D, B_I and B_S are updated in every round. "relaxed": real B_I and B_S are
        found and thresholded, for comparison; ``min_code_distance`` has no say then. "fixed": the
        codes stay the category codes they start as.
    init_codes : {"separated", "random", "semantic"}, default="separated"
        Category codes to start from: far apart (Hadamard, BCH or optimised); independent bits; or,
        beyond the paper, as near to each other as the ``class_vectors``, which is meant for
        categories never seen (no gain was measured with five categories) and goes with
        ``code_updates="fixed"``.
    min_code_distance : int, "auto" or None, default="auto"
        Updates never bring the codes of two categories closer than this many bits. "auto": nine
        tenths of the smallest distance at the start of the first fit. None: no bound, as in the
        paper.
    similarity : {"centred", "signed", "binary"}, default="centred"
        W for two items of one category / of two: 1 / -1/(c-1), +1 / -1 (the paper), or 1 / 0.
    semantic_weight : float, default=0.01
        lambda of the paper, the weight of the semantic factorisation.
    quantization_weight : float or "balanced", default="balanced"
        gamma of the paper, the weight of ``||F - B||^2`` in the code updates. The pairwise term
        grows with the number of items, so that the paper's 1e-5 leaves the networks no say;
        "balanced" is the number of items of the smaller view.
    class_vectors : None, dict label -> vector, or array (n_classes, d), default=None
        Semantic vectors of the categories (phi); an array in the order of ``classes_``. A
        DataFrame is matched by the labels in its index, if that does more than number the rows.
        None stands for one-hot vectors.
    sketch_tokens : "auto", None, callable or transformer, default="auto"
        What turns uint8 photos (n, H, W, 3) into uint8 token maps (n, H, W), dark on white.
        "auto" is :class:`~sklearn_dsh.EdgeTokens`, or None for pretrained networks, where tokens
        do not pay; None trains without tokens. A transformer
        must be stateless or fitted: it is used as it is, only its ``transform`` is called. Where
        the hasher is cloned, as in a GridSearchCV, put a fitted one into scikit-learn's
        ``FrozenEstimator``.
    max_iter : int, default=3
        Rounds of the alternation (codes, then networks).
    steps_per_iter : int, list of int or "auto", default="auto"
        Gradient steps of one round, or of each. "auto": 36 epochs of the larger view over all
        rounds, at least 300 steps and at most 4,000; 12 epochs and at most 1,500 steps for features
        and frozen networks, 6 and at most 800 for pretrained networks that are trained on.
    batch_size : int, default=32
        Items of each view in one gradient step.
    learning_rate : float, default=1e-3
        The largest rate of AdamW, reached after a warm-up.
    schedule : {"cosine", "linear", "constant"}, default="cosine"
        How the rate falls to zero over the steps of all rounds; "constant": not at all.
    weight_decay : float, default=0.05
        Decoupled weight decay of AdamW.
    max_grad_norm : float, default=None
        Gradients of a larger norm are scaled down to it.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        In which the networks are trained (mixed precision, the weights being float32). "auto":
        bfloat16 on GPUs from Ampere on and, for pretrained backbones, on CPUs with AMX, which
        multiply matrices of it; else float32.
    compile : bool, default=False
        Train through ``torch.compile``.
    augment : bool, default=True
        While training, flip and deform images, a little for sketches and strongly for photos;
        vary stroke widths and colours; erase parts of photos; mix pairs of photos (or of their
        feature vectors).
    class_balanced : bool, default=True
        Draw every category equally often.
    auxiliary_weight : float, default=0.3
        Weight of two helper losses: tokens trained as sketches, and C1 classifying on its own.
    ema_decay : float, default=None
        Keep the exponential moving average of the weights with this decay, say 0.999; after n
        steps at most (1 + n) / (10 + n), so that what comes out forgets the first weights.
    validation_fraction : float or splitter, default=None
        What is held out of the training, to be scored after every round (mean average precision,
        sketches querying photos); the weights and codes of the best round are kept. A float is
        the part of every category in both views. A splitter, say
        :class:`~sklearn_dsh.SketchKFold`, has ``split(X, y)``; its first split is taken. What is
        held out stays so when training goes on (`warm_start`, `partial_fit`) with the same data;
        of a splitter that shuffles, if it has a seed.
    n_iter_no_change : int, default=None
        Stop after so many rounds that did not raise the validation score.
    warm_start : bool, default=False
        A further ``fit`` goes on from the networks and category codes of the last one.
    checkpoint_dir : str or path-like, default=None
        Where the state of the training is written after every round. The same call goes on from
        it after an interruption, and removes it when the fit is done. One folder a fit: not for a
        search whose fits run side by side.
    cache_size : float, default=1024
        Megabytes that decoded files, resized images and tokens may take in memory. Beyond that,
        files are decoded anew for every batch, and tokens are kept in a temporary file.
    cache_dir : str or path-like, default=None
        A folder on a fast disk for what is beyond ``cache_size``: every file is decoded once, and
        its pixels, at the size that the networks read, and its tokens stay in a temporary file
        there until the fit ends (each process of several keeps its own). None: as said above.
    n_jobs : int, default=None
        Processes that decode files ahead of the networks, and threads that draw the tokens of
        photos; None is 1, -1 every core. Processes only where they can be forked safely (Linux);
        elsewhere files are decoded in between.
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
    validation_scores_ : list of float
        The mean average precision of what was held out, after each round.
    category_codes_ : dict view -> uint8 array (n_classes, n_bits) of 0 and 1
        The majority code of each category. With ``readout="features"`` these steer the training
        alone: the codes of items are others.
    basis_ : float array (d, n_bits)
        D, the basis that codes and class vectors share.
    n_features_in_, feature_names_in_, view_shapes_, views_
        See :class:`~sklearn_dsh.base.BaseCrossModalHasher`.
    weights_ : dict name -> array
        The networks' weights, matrices that were trained in float16.
    architecture_ : Architecture
        A copy of that of the fit.
    network_settings_ : dict
        What the networks look like besides: bits, views, what each reads, whether photos have
        tokens, what the bits are read out of.
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

    several_processes = True

    _parameter_constraints: dict = {
        **BaseDeepHasher._parameter_constraints,
        "loss": [StrOptions({"cross_entropy", "regression"})],
        "readout": [StrOptions({"categories", "features"})],
        "code_updates": [StrOptions({"discrete", "relaxed", "fixed"})],
        "init_codes": [StrOptions({"separated", "random", "semantic"})],
        "min_code_distance": [
            StrOptions({"auto"}),
            Interval(Integral, 0, None, closed="left"),
            None,
        ],
        "similarity": [StrOptions({"centred", "signed", "binary"})],
        "semantic_weight": [Interval(Real, 0, None, closed="left")],
        "quantization_weight": [StrOptions({"balanced"}), Interval(Real, 0, None, closed="left")],
        "class_vectors": [None, dict, "array-like"],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        n_bits: int = 128,
        *,
        architecture: Literal["compact", "paper", "pretrained"] | Architecture = "compact",
        loss: Literal["cross_entropy", "regression"] = "cross_entropy",
        readout: Literal["categories", "features"] = "categories",
        code_updates: Literal["discrete", "relaxed", "fixed"] = "discrete",
        init_codes: Literal["separated", "random", "semantic"] = "separated",
        min_code_distance: int | Literal["auto"] | None = "auto",
        similarity: Literal["centred", "signed", "binary"] = "centred",
        semantic_weight: float = 0.01,
        quantization_weight: float | Literal["balanced"] = "balanced",
        class_vectors: dict[Any, ArrayLike] | ArrayLike | None = None,
        sketch_tokens: Any = "auto",
        max_iter: int = 3,
        steps_per_iter: int | Sequence[int] | Literal["auto"] = "auto",
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        schedule: Literal["cosine", "linear", "constant"] = "cosine",
        weight_decay: float = 0.05,
        max_grad_norm: float | None = None,
        precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
        compile: bool = False,
        augment: bool = True,
        class_balanced: bool = True,
        auxiliary_weight: float = 0.3,
        ema_decay: float | None = None,
        validation_fraction: Any = None,
        n_iter_no_change: int | None = None,
        warm_start: bool = False,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        cache_size: float = 1024,
        cache_dir: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        device: str = "auto",
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_bits = n_bits
        self.architecture = architecture
        self.loss = loss
        self.readout = readout
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
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.precision = precision
        self.compile = compile
        self.augment = augment
        self.class_balanced = class_balanced
        self.auxiliary_weight = auxiliary_weight
        self.ema_decay = ema_decay
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.checkpoint_dir = checkpoint_dir
        self.cache_size = cache_size
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _tells_categories(self):
        return self.loss == "cross_entropy"

    def _fit_views(self, data):
        phi = match_class_vectors(self.class_vectors, self.classes_)
        start = data.held if "weights_" in data.held and (data.more or self.warm_start) else None

        # "auto" keeps what it was at first, or every call would lower it.
        is_auto = self.min_code_distance == "auto"
        kept = None if start is None else start.get("_min_code_distance")
        min_distance = kept if is_auto and kept is not None else self.min_code_distance
        alternation = None

        def make_alternation(labels, random_state):
            nonlocal alternation
            alternation = Alternation(
                labels,
                len(self.classes_),
                int(self.n_bits),
                phi,
                random_state,
                init_codes=self.init_codes,
                min_distance=min_distance,
                similarity=self.similarity,
                semantic_weight=self.semantic_weight,
                quantization_weight=self.quantization_weight,
                code_updates=self.code_updates,
                loss=self.loss,
                auxiliary_weight=self.auxiliary_weight,
                category_codes=None if start is None else _signs(start["category_codes_"]),
            )
            return alternation

        fitted, learned = fit_networks(
            self, data, make_alternation, start=start, one_round=data.more
        )
        fitted["_min_code_distance"] = alternation.problem.min_distance if is_auto else kept
        fitted["basis_"] = learned["basis"]
        fitted["category_codes_"] = {
            view: (codes.T > 0).astype(np.uint8) for view, codes in learned["majority"].items()
        }
        self._keep(fitted)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        Y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
        y: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Self:
        """One more round of the alternation, from the networks and codes that there are.

        The learning rate warms up and falls again within the round. Without an earlier fit, this
        is the first round.

        Parameters
        ----------
        X, Y, y
            As in `fit`; the same categories and views as before, the same items or others.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            As in `fit`, and if categories, views, or parameters that shape the networks changed.
        """
        return self._fit_call(X, Y, y, more=True)

    @classmethod
    def from_caffemodel(
        cls,
        sketch: str | os.PathLike[str] | None = None,
        image: str | os.PathLike[str] | None = None,
        *,
        sketch_tokens: Any = "auto",
        architecture: Paper | Literal["paper"] = "paper",
        device: str = "auto",
    ) -> Self:
        """A fitted hasher with the weights of the models that the authors released.

        Parameters
        ----------
        sketch, image : str or path-like, default=None
            The .caffemodel files of the sketch and of the image network, of Sketchy or
            TU-Berlin; either may be left out, with its view. The number of bits is read from
            them.
        sketch_tokens, device
            As in the constructor. The released networks were trained with tokens of a structured
            forest (Lim et al., CVPR 2013).
        architecture : "paper" or Paper, default="paper"
            How pixels are prepared, which is not released: what is set here should come as close
            as can be to how the networks were trained. Dropout and what is shared are the files'.

        Returns
        -------
        hasher : DeepSketchHasher
            With an ``architecture`` of :class:`~sklearn_dsh.Paper`, without ``classes_``. Arrays
            have 200 x 200 pixels (sketches) and 227 x 227 (photos); files of any size are brought
            to these.

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
        architecture = clone(resolve_architecture(architecture)).set_params(
            dropout=dropout, weight_sharing="convolutions"
        )
        kinds = dict.fromkeys(files, "images")
        settings = describe_network(architecture, n_bits, kinds, {}, has_tokens=True)
        shapes = shapes_of(lambda: architecture.build(settings))
        weights, shared = to_weights(files, shapes)
        architecture.set_params(weight_sharing="convolutions" if shared else "none")
        hasher = cls(n_bits, architecture=architecture, sketch_tokens=sketch_tokens, device=device)
        hasher.architecture_, hasher.network_settings_ = clone(architecture), settings
        hasher.weights_ = weights
        hasher.sketch_tokens_ = resolve_tokens(hasher, settings)
        hasher._note_views({view: hasher._image_shape(view) for view in files})
        return hasher


def _signs(category_codes):
    """0 and 1 (n_classes, n_bits) -> -1 and +1 (n_bits, n_classes), by view."""
    return {
        view: np.ascontiguousarray(2 * codes.T.astype(np.int8) - 1)
        for view, codes in category_codes.items()
    }
