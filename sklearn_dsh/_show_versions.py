"""What a bug report needs: versions, and what the machine computes on."""

import importlib.metadata
import platform
import sys

PACKAGES = (
    "sklearn-dsh",
    "torch",
    "scikit-learn",
    "numpy",
    "scipy",
    "numba",
    "joblib",
    "bitarray",
    "scikit-image",
    "pillow",
    "tqdm",
    "click",
    "dask",
    "faiss-cpu",
    "matplotlib",
    "starlette",
)


def show_versions() -> None:
    """Print the versions of Python, this library and the packages it uses, and torch's devices.

    Paste this into a bug report. :func:`sklearn.show_versions` tells more of scikit-learn's own.

    Examples
    --------
    >>> import sklearn_dsh
    >>> sklearn_dsh.show_versions()  # doctest: +ELLIPSIS
    Python: 3...
    machine: ...
    """
    import torch

    lines = {"Python": sys.version.replace("\n", " "), "machine": platform.platform()}
    for package in PACKAGES:
        try:
            lines[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            lines[package] = "not installed"
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    lines["torch's threads"] = str(torch.get_num_threads())
    lines["CUDA devices"] = ", ".join(devices) or "none"
    sys.stdout.write("".join(f"{name}: {value}\n" for name, value in lines.items()))
