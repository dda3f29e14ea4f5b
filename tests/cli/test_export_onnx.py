"""``export-onnx``: the file of a model, which onnxruntime runs."""

import numpy as np
import pytest

from sklearn_dsh import Compact, DeepSketchHasher, load_model, make_sketch_photo, save_model

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")


@pytest.mark.parametrize("view", ["sketch", "image"])
def test_the_file_gives_the_codes_of_the_model(view, run, tmp_path):
    data = make_sketch_photo(n_categories=2, n_sketches=8, n_photos=8, size=32, random_state=0)
    hasher = DeepSketchHasher(
        12, architecture=Compact(32), sketch_tokens=None, max_iter=1, steps_per_iter=2,
        random_state=0,
    )  # fmt: skip
    hasher.fit(data.sketches, data.images, (data.y_sketch, data.y_image))
    save_model(hasher, tmp_path / "m.model")
    result = run("export-onnx", tmp_path / "m.model", tmp_path / "m.onnx", "--view", view)
    assert f"Wrote {tmp_path / 'm.onnx'}: {view}, 12 bits, " in result.stderr
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    rows = {"sketch": data.sketches, "image": data.images}[view]
    (codes,) = session.run(None, {session.get_inputs()[0].name: rows})
    values = load_model(tmp_path / "m.model").project(rows, view=view)
    bits = np.unpackbits(codes, axis=1)[:, :12]
    assert (bits == (values >= 0))[np.abs(values) > 1e-4].all()


def test_a_pipeline_is_told_of(shared, run, tmp_path):
    result = run("export-onnx", shared / "cca.model", tmp_path / "m.onnx", code=1)
    assert "is a Pipeline: what comes before its hasher has no ONNX form." in result.stderr
    assert not (tmp_path / "m.onnx").exists()
