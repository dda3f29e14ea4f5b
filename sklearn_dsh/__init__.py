"""Deep Sketch Hashing and the methods it is compared with, as scikit-learn estimators."""

from importlib import import_module

__version__ = "0.1.0"

# Looked up on first use, so that importing the package loads neither torch nor numba.
_MODULE_OF = {
    "Architecture": "deep",
    "Backbone": "deep",
    "BackboneFeatures": "deep",
    "BaseCrossModalHasher": "base",
    "CCAHasher": "baselines",
    "CMFHHasher": "baselines",
    "CMSSHHasher": "baselines",
    "CVHHasher": "baselines",
    "Compact": "deep",
    "DCMHHasher": "deep",
    "DeepMetricHasher": "deep",
    "DeepSketchHasher": "deep",
    "EdgeTokens": "preprocessing",
    "EfficientNetLite0": "deep",
    "GFHOGFeatures": "preprocessing",
    "HOGFeatures": "preprocessing",
    "HammingRetriever": "retrieval",
    "ITQHasher": "baselines",
    "Paper": "deep",
    "PerView": "compose",
    "Pretrained": "deep",
    "RandomProjectionHasher": "baselines",
    "SCMHasher": "baselines",
    "SDHHasher": "baselines",
    "SHELOFeatures": "preprocessing",
    "SePHHasher": "baselines",
    "SketchImageArray": "views",
    "SketchKFold": "model_selection",
    "SketchTokenizer": "preprocessing",
    "StratifiedViewKFold": "model_selection",
    "TorchBackbone": "deep",
    "ZeroShotHasher": "baselines",
    "load_model": "model_files",
    "load_sketch_photo_folder": "datasets",
    "make_sketch_photo": "datasets",
    "read_model_facts": "model_files",
    "retrieval_scorer": "metrics",
    "save_model": "model_files",
    "show_versions": "_show_versions",
    "stack_views": "views",
    "to_onnx": "export",
}

# Looked up alike, `sklearn_dsh.metrics` say. The others are commands, or need an extra.
_SUBMODULES = (
    "base",
    "baselines",
    "codes",
    "comparison",
    "compose",
    "confidence",
    "datasets",
    "deep",
    "distributed",
    "estimator_checks",
    "exceptions",
    "export",
    "gallery",
    "metrics",
    "model_files",
    "model_selection",
    "preprocessing",
    "retrieval",
    "views",
)

__all__ = sorted([*_MODULE_OF, "__version__"])


def __getattr__(name):
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULE_OF, *_SUBMODULES})
