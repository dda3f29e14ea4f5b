"""What a model file may hold: the classes that are made of it, and no others."""

from importlib import import_module

# Transformers whose fitted state is numbers that numpy alone reads. (Trees, neighbours and clusters
# are walked by compiled code, which trusts what it is given.)
_SCIKIT_LEARN = {
    "decomposition": ("FactorAnalysis", "IncrementalPCA", "PCA", "TruncatedSVD"),
    "discriminant_analysis": ("LinearDiscriminantAnalysis",),
    "feature_selection": ("VarianceThreshold",),
    "impute": ("SimpleImputer",),
    "kernel_approximation": ("AdditiveChi2Sampler", "Nystroem", "RBFSampler"),
    "model_selection": ("KFold", "StratifiedKFold"),
    "pipeline": ("FeatureUnion", "Pipeline"),
    "preprocessing": (
        "FunctionTransformer", "MaxAbsScaler", "MinMaxScaler", "Normalizer", "PowerTransformer",
        "QuantileTransformer", "RobustScaler", "StandardScaler",
    ),
    "random_projection": ("GaussianRandomProjection",),
}  # fmt: skip
# Of this library, whatever has parameters or a fitted state.
_OURS = (
    "BackboneFeatures", "CCAHasher", "CMFHHasher", "CMSSHHasher", "CVHHasher", "Compact",
    "DCMHHasher", "DeepMetricHasher", "DeepSketchHasher", "EdgeTokens", "EfficientNetLite0",
    "GFHOGFeatures", "HOGFeatures", "HammingRetriever", "ITQHasher", "Paper", "PerView",
    "Pretrained", "RandomProjectionHasher", "SCMHasher", "SDHHasher", "SHELOFeatures",
    "SePHHasher", "SketchKFold", "SketchTokenizer", "StratifiedViewKFold", "TorchBackbone",
    "ZeroShotHasher",
)  # fmt: skip
PLACES = {f"sklearn_dsh.{name}": ("sklearn_dsh", name) for name in _OURS} | {
    f"sklearn.{module}.{name}": (f"sklearn.{module}", name)
    for module, names in _SCIKIT_LEARN.items()
    for name in names
}


class KnownTypes:
    """Classes by the names that files give them.

    Parameters
    ----------
    more : iterable of type
        Classes beside those that every file may hold.

    Raises
    ------
    TypeError
        If one is no class.
    """

    def __init__(self, more=()):
        self.more = {}
        for cls in more:
            if not isinstance(cls, type):
                raise TypeError(f"types must be classes, got {cls!r}.")
            self.more[f"{cls.__module__}.{cls.__qualname__}"] = cls

    def find(self, name):
        """The class of a name; ValueError, before anything is imported, if there is none."""
        if name in self.more:
            return self.more[name]
        if name not in PLACES:
            raise ValueError(
                f"it names {name!r}, which no model file may hold. If that is a class of yours and "
                "you trust it, hand it over: types=[...]"
            )
        module, attribute = PLACES[name]
        return getattr(import_module(module), attribute)

    def name_of(self, cls, where):
        """The name of a class; TypeError, which says where it is, if a file may not hold it."""
        name = f"{cls.__module__}.{cls.__qualname__}"
        if name in self.more:
            return name
        package, attribute = cls.__module__.partition(".")[0], cls.__name__
        if package == "sklearn_dsh":
            public = f"sklearn_dsh.{attribute}"
        else:
            parts = [part for part in cls.__module__.split(".") if not part.startswith("_")]
            public = ".".join([*parts, attribute])
        if public in PLACES and self.find(public) is cls:
            return public
        raise TypeError(
            f"{where} is a {cls.__module__}.{cls.__qualname__}, which cannot be kept in a model "
            "file: it holds numbers, texts and known classes. A class of yours: types=[...], when "
            "saving and when loading. Else keep the estimator by pickle (joblib.dump)."
        )
