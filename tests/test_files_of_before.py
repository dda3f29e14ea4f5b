"""Files of earlier versions, in ``tests/data``: read, with the codes that they gave then."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from data.make_files import make_small_backbone, of_view, trained_on

from sklearn_dsh import load_model, read_model_facts
from sklearn_dsh._pipelines import project
from sklearn_dsh.gallery import Gallery

VERSIONS = sorted(path for path in (Path(__file__).parent / "data").iterdir() if path.is_dir())
VERSIONS = [path for path in VERSIONS if not path.name.startswith("_")]
MODELS = [
    pytest.param(path, id=f"{folder.name}-{path.stem}")
    for folder in VERSIONS
    for path in sorted(folder.glob("*.npz"))
    if path.stem != "checkpoint"
]
every_version = pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)


def same_bits(values, expected):
    """Of all values but those that are zero but for rounding, which differs between processors."""
    far = np.abs(expected) > 1e-4 * np.sqrt(np.mean(expected**2, axis=0))
    assert far.mean() > 0.9
    np.testing.assert_array_equal((values >= 0)[far], (expected >= 0)[far])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("path", MODELS)
def test_models_give_the_same_codes(path):
    held = dict(np.load(path))
    backbone = make_small_backbone() if path.stem == "backbone" else None
    model = load_model(path.with_suffix(".safetensors"), backbone=backbone)
    for view in ("sketch", "image"):
        same_bits(project(model, of_view(view, held)), held[f"values_{view}"])
    facts = read_model_facts(path.with_suffix(".safetensors"))
    assert facts["n_bits"] == 12
    assert facts["views"] == ["sketch", "image"]


@every_version
def test_every_kind_of_model_is_there(folder):
    names = {path.stem for path in folder.glob("*.npz")}
    assert len(names) == 17
    assert names - {"checkpoint"} < {path.stem for path in folder.glob("*.safetensors")}


@every_version
def test_galleries(folder):
    gallery, codes = Gallery.load(folder / "gallery"), np.load(folder / "codes.npy")
    np.testing.assert_array_equal(gallery.codes, codes)
    assert (gallery.n_bits, gallery.model_id) == (12, "sha256:00")
    assert list(gallery.paths) == [f"photo/{i}.jpg" for i in range(20)]
    assert list(gallery.labels) == ["a", "b"] * 10
    retriever = load_model(folder / "retriever.safetensors")
    for ours, theirs in zip(
        retriever.kneighbors(codes, 3), gallery.search(codes, 3), strict=True
    ):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)


@every_version
def test_checkpoints(folder, tmp_path):
    """The training goes on where it was: what is trained again would have other losses."""
    shutil.copytree(folder / "checkpoint", tmp_path / "checkpoint")
    held = np.load(folder / "checkpoint.npz")
    hasher, rows = trained_on(tmp_path / "checkpoint")
    codes = hasher.fit(*rows).transform(rows[0], view="sketch")
    assert hasher.loss_curve_[:3] == held["losses"].tolist()
    assert len(hasher.loss_curve_) == 6
    assert np.mean(np.unpackbits(codes ^ held["codes"])) < 0.05


@every_version
def test_models_are_of_the_version_that_the_folder_names(folder):
    for path in folder.glob("*.safetensors"):
        assert read_model_facts(path)["versions"]["sklearn-dsh"].startswith(folder.name)
    assert json.loads((folder / "gallery" / "gallery.json").read_text())
