"""Who may import whom: every import statement of the package is read and checked."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_dsh

PACKAGE = Path(sklearn_dsh.__file__).parent

# Each unit (a module or a subpackage) and what it stands on; what those stand on is allowed too.
STANDS_ON = {
    "_array_files": [],
    "_documentation": [],
    "_show_versions": [],
    "exceptions": [],
    "_arrays": [],
    "_labels": ["_arrays", "exceptions"],
    "_outputs": [],
    "_forks": [],
    "_changes": ["_forks"],
    "_devices": ["_forks"],
    "_pipelines": ["_devices"],
    "_parallel": ["_forks"],
    "codes": ["_arrays"],
    "views": ["_labels"],
    "preprocessing": ["_arrays", "_documentation", "_forks", "_parallel", "exceptions"],
    "_pairs": [],
    "_progress": ["_forks"],
    "_rotation": [],
    "_spread": [],
    "_zero_shot_codes": ["_labels", "_rotation"],
    "_validation": ["codes", "views"],
    "_calls": ["_validation"],
    "_parquet": ["_outputs", "codes"],
    "retrieval": ["_changes", "_devices", "_documentation", "_forks", "codes"],
    "_shards": ["retrieval"],
    "distributed": ["_pipelines", "_shards"],
    "metrics": ["_labels", "retrieval"],
    "base": ["_calls", "_changes", "_documentation", "_spread", "metrics", "_validation"],
    "baselines": ["_pairs", "_zero_shot_codes", "base"],
    "deep": ["_outputs", "_pairs", "_progress", "_zero_shot_codes", "base", "preprocessing"],
    "compose": ["_documentation", "views", "_validation"],
    "model_selection": ["views"],
    "datasets": ["_array_files", "views", "preprocessing"],
    "estimator_checks": ["base", "views"],
    "comparison": [
        "_pipelines",
        "baselines",
        "compose",
        "datasets",
        "deep",
        "preprocessing",
        "model_selection",
    ],
    "export": ["baselines", "deep"],
    "demo": ["comparison"],
    "gallery": ["_array_files", "_forks", "_labels", "_outputs", "_parquet", "retrieval"],
    "model_files": ["_outputs", "_pipelines"],  # classes by name, of whatever room
    "_hasher_files": ["_pipelines", "base", "model_files"],
    "confidence": ["_labels", "gallery"],
    "serve": ["_forks", "_hasher_files", "comparison", "confidence", "model_files"],
    "cli": ["_hasher_files", "comparison", "export", "gallery", "model_files", "serve"],
    "__main__": ["cli"],
}

# Packages that only one unit may import (at the top of a file or inside a function).
ONLY_IN = {
    "torch": "deep",
    "numba": "retrieval",
    "matplotlib": "comparison",
    "dask": "distributed",
    "pyarrow": "_parquet",
    "duckdb": "cli",
    "lancedb": "cli",
    "sqlite_vec": "cli",
    "faiss": "cli",
}
EXCEPT = {
    ("torch", "_devices.py"),
    ("pyarrow", "cli/_stores.py"),
    ("torch", "retrieval/_torch_scan.py"),
    ("torch", "export/_modules.py"),
    ("torch", "export/_onnx.py"),
    ("matplotlib", "demo.py"),
    ("torch", "_show_versions.py"),
    ("numba", "preprocessing/_token_forest.py"),
}


def below(unit):
    """Everything that `unit` may import."""
    allowed = set(STANDS_ON[unit])
    for part in STANDS_ON[unit]:
        allowed |= below(part)
    return allowed


def unit_of(path):
    """The part of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path):
    """Names of all modules that a file imports, relative ones spelled out."""
    module = ["sklearn_dsh", *path.relative_to(PACKAGE).with_suffix("").parts]
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = module[: -node.level] if node.level else []
            source = ".".join([*start, *(node.module.split(".") if node.module else [])])
            if source == "sklearn_dsh":  # `from . import codes`: the name is the unit
                names += [f"sklearn_dsh.{alias.name}" for alias in node.names]
            else:
                names.append(source)
    return names


FILES = [pytest.param(p, id=str(p.relative_to(PACKAGE))) for p in sorted(PACKAGE.rglob("*.py"))]


@pytest.mark.parametrize("path", FILES)
def test_imports_point_downwards(path):
    unit = unit_of(path)
    used = {name.split(".")[1] for name in imports_of(path) if name.startswith("sklearn_dsh.")}
    if unit == "__init__":
        assert not used, "the top level looks its names up lazily"
        return
    assert unit in STANDS_ON, f"say in STANDS_ON what {unit!r} may import"
    forbidden = used - below(unit) - {unit, "__version__"}
    assert not forbidden, f"{path.name} imports {sorted(forbidden)}, which {unit!r} must not"


@pytest.mark.parametrize("path", FILES)
def test_heavy_packages_stay_in_their_unit(path):
    used = {name.split(".")[0] for name in imports_of(path)}
    for package, unit in ONLY_IN.items():
        if (package, path.relative_to(PACKAGE).as_posix()) not in EXCEPT:
            assert package not in used or unit_of(path) == unit, f"{package} belongs under {unit!r}"


def test_units_form_no_circle():
    for unit in STANDS_ON:
        assert unit not in below(unit)


def _modules_after(statement):
    code = f"import sys\n{statement}\nprint(*(name for name in sys.modules if '.' not in name))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import sklearn_dsh", {"torch", "numba", "sklearn", "matplotlib"}),
        ("import sklearn_dsh.views, sklearn_dsh.codes", {"torch", "numba"}),
        ("from sklearn_dsh import CCAHasher, ITQHasher, RandomProjectionHasher", {"torch"}),
        ("from sklearn_dsh import HammingRetriever, HOGFeatures, EdgeTokens", {"torch"}),
        ("from sklearn_dsh import PerView, StratifiedViewKFold, make_sketch_photo", {"torch"}),
    ],
)
def test_import_stays_light(statement, absent):
    assert not absent & _modules_after(statement)


def test_submodules_need_no_import_of_their_own():
    """After `import sklearn_dsh` alone; the commands, and what needs an extra, are imported."""
    units = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    public = {unit for unit in units if unit[0] != "_"} - {"cli", "demo", "serve"}
    assert set(sklearn_dsh._SUBMODULES) == public
    code = "import sklearn_dsh\nfor name in {}: print(getattr(sklearn_dsh, name).__name__)"
    result = subprocess.run(
        [sys.executable, "-c", code.format(sorted(public))],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert result.stdout.split() == [f"sklearn_dsh.{name}" for name in sorted(public)]
    assert public <= set(dir(sklearn_dsh))
    with pytest.raises(AttributeError, match="has no attribute 'metric'"):
        sklearn_dsh.metric  # noqa: B018
    assert "torch" not in _modules_after("import sklearn_dsh; sklearn_dsh.codes, sklearn_dsh.views")
