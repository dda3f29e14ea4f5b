"""Files made to harm: refused with a clear error, nothing of them run, little memory taken."""

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save_file

from sklearn_dsh import (
    CCAHasher,
    Compact,
    DeepSketchHasher,
    EdgeTokens,
    HammingRetriever,
    ITQHasher,
    SketchTokenizer,
    load_model,
    make_sketch_photo,
    read_model_facts,
    save_model,
)
from sklearn_dsh.model_files import _container

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(30, 6)), np.arange(30) % 3
MEGABYTE = 1 << 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def write(path, structure, arrays=None, facts="{}", **metadata):
    """A file as `save_model` writes it, of whatever structure."""
    if not isinstance(structure, bytes):
        structure = json.dumps(structure).encode()
    arrays = (arrays or {}) | {"structure": np.frombuffer(structure, dtype=np.uint8)}
    metadata = {"format": _container.FORMAT, "version": "1", "facts": facts} | metadata
    save_file(arrays, path, metadata=metadata)


def of_state(name, **state):
    return {"object": name, "state": [[key, value] for key, value in state.items()]}


NAMES = (
    "os.system",
    "builtins.eval",
    "subprocess.Popen",
    "sklearn_dsh.model_files._nodes.Reader",
    "sklearn_dsh.load_model",
    "sklearn_dsh.SketchImageArray",
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.neighbors.NearestNeighbors",
    "sklearn_dsh.deep.architectures.TorchBackbone",
    "antigravity.fly",
    "",
)


def test_names_that_are_not_known_are_refused_before_anything_is_imported(tmp_path):
    for i, name in enumerate(NAMES):
        nested = of_state("sklearn.pipeline.Pipeline", steps={"list": [of_state(name)]})
        write(tmp_path / f"{i}-0", of_state(name))
        write(tmp_path / f"{i}-1", nested)
    code = """
import os, sys
from sklearn_dsh import load_model

for name in os.listdir("."):
    try:
        load_model(name)
    except ValueError as error:
        print("which no model file may hold" in str(error))
print("antigravity" in sys.modules, "sklearn.neighbors" in sys.modules, file=sys.stderr)
"""
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "True\n" * 2 * len(NAMES)
    assert run.stderr == "False False\n"


BAD_NODES = {
    "no such kind": {"eval": "1"},
    "an empty node": {},
    "a list": [1, 2],
    "no such array": {"array": "a9"},
    "an array that stands twice": {"list": [{"array": "a0"}, {"array": "a0"}]},
    "an unhashable key": {"dict": [[{"list": []}, 1]]},
    "a type of objects": {"dtype": "O"},
    "a type by its name": {"dtype_class": "os.system"},
    "no state": {"object": "sklearn_dsh.ITQHasher"},
    "a state of others": {"object": "sklearn_dsh.ITQHasher", "state": 3},
    "a method": of_state("sklearn_dsh.ITQHasher", transform=1),
    "a class": of_state("sklearn_dsh.ITQHasher", __class__=1),
    "a shape": {"objects": [1, 2], "shape": [3]},
    "a number": {"int": "0x__import__"},
    "texts of numbers": {"list of str": ["a0", "a0"]},
    "a random state": {"random_state": {"list": [1]}},
    "a slice": {"slice": [1, 2, 3, 4]},
    "a hash of nothing": {"scalar": 3},
}


@pytest.mark.parametrize("kind", BAD_NODES)
def test_descriptions_that_nobody_wrote(kind, path):
    write(path, BAD_NODES[kind], {"a0": np.zeros(3)})
    with pytest.raises(ValueError, match="cannot be read as a model"):
        load_model(path)


def test_a_description_without_end_is_refused(path):
    for text in (b"[" * 100_000, b'{"list":[' * 20_000 + b"]}" * 20_000):
        write(path, text)
        with pytest.raises(ValueError, match=r"damaged|cannot be read"):
            load_model(path)


def test_a_description_takes_little_memory(path):
    # An eighth of the largest one, of what takes the most, in an eighth of what is promised.
    items = b",".join([b'{"list":[]}'] * (_container.MAX_STRUCTURE // 8 // 12))
    write(path, b'{"list":[' + items + b"]}")
    tracemalloc.start()
    try:
        load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 256 * MEGABYTE / 8
    finally:
        tracemalloc.stop()


def test_descriptions_that_are_too_long_are_refused(path):
    write(path, b" " * (_container.MAX_STRUCTURE + 1))
    with pytest.raises(ValueError, match="describes itself in"):
        load_model(path)
    write(path, {}, facts=json.dumps({"a": "x" * _container.MAX_FACTS}))
    with pytest.raises(ValueError, match="describes itself in"):
        read_model_facts(path)


def header(entries, n_body):
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + bytes(n_body)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04",
        b"\xff" * 64,
        (1 << 40).to_bytes(8, "little") + b"{}",
        header({"a": {"dtype": "F64", "shape": [1 << 40], "data_offsets": [0, 1 << 43]}}, 8),
        header({"a": {"dtype": "F64", "shape": [2, 2], "data_offsets": [0, 8]}}, 8),
        header({"a": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}}, 8),
        header({"../../etc/passwd": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}, 8),
        header({"a": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}, 8),
    ],
)
def test_damaged_files(content, path):
    path.write_bytes(content)
    for read in (load_model, read_model_facts):
        with pytest.raises(ValueError, match="no model"):
            read(path)


def test_a_file_cut_off_anywhere_is_refused(path):
    save_model(CCAHasher(8, random_state=0).fit(X, X, Y), path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="no model"):
            load_model(path)


def test_any_changed_byte_gives_a_model_or_a_clear_error(path):
    save_model(CCAHasher(8, random_state=0).fit(X, X, Y), path)
    whole = path.read_bytes()
    refused = []
    for at in rng.integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            load_model(path)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert all(str(path) in message for message in refused)


def test_there_is_no_such_file(tmp_path):
    for read in (load_model, read_model_facts):
        with pytest.raises(FileNotFoundError, match="nothing"):
            read(tmp_path / "nothing")


def _changed(path, change):
    """A saved file with other arrays or another structure."""
    contents = _container.Contents(path)
    arrays = {name: contents.array(name) for name in contents.entries if name != "structure"}
    structure = change(contents.structure, arrays)
    write(path, structure, arrays)


def test_weights_of_other_networks_are_refused(path):
    drawn = make_sketch_photo(n_categories=2, n_sketches=8, n_photos=8, size=32, random_state=0)
    hasher = DeepSketchHasher(8, architecture=Compact(32), max_iter=1, steps_per_iter=1)
    hasher.fit(drawn.sketches, drawn.images, (drawn.y_sketch, drawn.y_image))
    save_model(hasher, path)

    def change(structure, arrays):
        settings = next(v for key, v in structure["state"] if key == "network_settings_")
        next(pair for pair in settings["dict"] if pair[0] == "n_bits")[1] = 1 << 40
        return structure

    _changed(path, change)
    with pytest.raises(ValueError, match="have not the weights of the file"):
        load_model(path)


def test_a_retriever_takes_nothing_but_codes_from_a_file(path):
    retriever = HammingRetriever(3, algorithm="balls").fit(rng.integers(0, 256, (900, 4), np.uint8))
    save_model(retriever, path)

    def shorten(structure, arrays):
        name = next(v["array"] for key, v in structure["state"] if key == "_buffer")
        arrays[name] = arrays[name][:10]
        return structure

    _changed(path, shorten)
    assert load_model(path).n_samples_fit_ == 10  # and is no search beyond the end


@pytest.mark.parametrize("name", ["roots", "features", "right"])
@pytest.mark.parametrize("value", [-7, 1 << 30])
def test_forests_that_lead_out_of_their_nodes_are_refused(name, value, path):
    drawn = make_sketch_photo(n_categories=2, n_sketches=4, n_photos=4, size=32, random_state=0)
    contours = [255 - EdgeTokens().transform(photo[None])[0] for photo in drawn.images]
    tokenizer = SketchTokenizer(2, patch_size=15, n_patches=300, n_features=30, n_estimators=2)
    tokenizer.fit(list(drawn.images), contours)
    save_model(tokenizer, path)
    load_model(path)

    def change(structure, arrays):
        forest = next(v for key, v in structure["state"] if key == "forest_")
        array = arrays[next(v["array"] for key, v in forest["dict"] if key == name)]
        array[len(array) // 2] = value
        return structure

    _changed(path, change)
    with pytest.raises(ValueError, match="lead nowhere"):
        load_model(path)


def test_an_unfinished_write_leaves_the_old_file(path, monkeypatch):
    save_model(ITQHasher(8, random_state=0).fit(X), path)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match=r"could not be written: No space left"):
        save_model(ITQHasher(8, random_state=1).fit(X), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
