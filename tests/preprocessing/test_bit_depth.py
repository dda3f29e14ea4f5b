"""Images with 16 bits a channel: what is read of them, and what is told."""

import io
import re
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sixteen_bits import ramp, write_png, write_pnm, write_tiff

from sklearn_dsh import (
    Compact,
    DeepSketchHasher,
    GFHOGFeatures,
    HOGFeatures,
    SHELOFeatures,
    load_sketch_photo_folder,
    save_model,
)
from sklearn_dsh.cli._main import commands
from sklearn_dsh.exceptions import BitDepthWarning
from sklearn_dsh.preprocessing import load_image
from sklearn_dsh.preprocessing._bit_depth import gathered, told_once

FORMATS = {
    (suffix, kind): write
    for suffix, write, kinds in (
        (".png", write_png, ("grey", "grey and alpha", "colour", "colour and alpha")),
        (".tif", write_tiff, ("grey", "colour", "colour and alpha")),
        (".pgm", write_pnm, ("grey",)),
        (".ppm", write_pnm, ("colour",)),
    )
    for kind in kinds
}
every_format = pytest.mark.parametrize(("suffix", "kind"), list(FORMATS))


def expected(bits):
    """Grey values of a ramp that fills so many bits."""
    return ramp(bits)[..., 0] >> (bits - 8)


@every_format
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_that_are_not_used_do_not_make_an_image_black(suffix, kind, bits, tmp_path):
    path = tmp_path / f"photo{suffix}"
    FORMATS[suffix, kind](path, ramp(bits, kind))
    with pytest.warns(BitDepthWarning, match=rf"{re.escape(str(path))}' {bits}\.") as told:
        grey = load_image(path, mode="L")
    assert len(told) == 1
    # Of colours Pillow gives the upper 8 of 16 bits alone.
    tolerance = 1 if kind == "grey" else 2 ** (16 - bits)
    assert np.abs(grey.astype(int) - expected(bits)).max() <= tolerance


@every_format
@pytest.mark.parametrize("brightest", [1, 0.5, 0.26])
def test_full_sixteen_bits_stay_as_they_are(suffix, kind, brightest, tmp_path):
    path = tmp_path / f"photo{suffix}"
    pixels = ramp(16, kind)
    n_colours = 1 if kind.startswith("grey") else 3
    pixels[..., :n_colours] = pixels[..., :n_colours] * brightest
    FORMATS[suffix, kind](path, pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("error", BitDepthWarning)
        grey = load_image(path, mode="L")
    assert np.abs(grey.astype(int) - (pixels[..., 0] >> 8)).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_bytes_that_were_stored_in_sixteen_bits(suffix, tmp_path):
    path = tmp_path / f"photo{suffix}"
    FORMATS[suffix, "grey"](path, ramp(8))
    with pytest.warns(BitDepthWarning, match=r"' 8\."):
        np.testing.assert_array_equal(load_image(path, mode="L"), ramp(8)[..., 0])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_bytes_in_sixteen_bits_of_colour_are_told_of(suffix, tmp_path):
    path = tmp_path / f"photo{suffix}"
    FORMATS[suffix, "colour"](path, ramp(8, "colour"))
    with pytest.warns(BitDepthWarning, match="colours of 8 or fewer are read as black"):
        assert load_image(path).max() == 0


@pytest.mark.parametrize("kind", ["grey", "colour"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_what_a_file_says_of_its_range_is_believed(kind, bits, tmp_path):
    path = tmp_path / "photo.pnm"
    dark = ramp(bits, kind) // 8
    write_pnm(path, dark, largest=2**bits - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", BitDepthWarning)
        grey = load_image(path, mode="L")
    assert np.abs(grey.astype(int) - dark[..., 0].astype(int) * 255 / (2**bits - 1)).max() <= 1


def test_a_black_image_is_black(tmp_path):
    write_png(tmp_path / "a.png", ramp(16) * 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(tmp_path / "a.png").max() == 0


def test_bytes_of_other_kinds_are_left_alone(tmp_path):
    """Pixels of 16 bits for three channels, and dark ones of 8."""
    dark = np.random.default_rng(0).integers(0, 12, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(dark).save(tmp_path / "a.png")
    Image.fromarray(dark).save(tmp_path / "a.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("a.png", "a.tif"):
            np.testing.assert_array_equal(load_image(tmp_path / name), dark)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sketches and photos of two categories, all of 12 bits in 16."""
    root = tmp_path_factory.mktemp("deep")
    rng = np.random.default_rng(0)
    for view, kind in (("sketch", "grey"), ("photo", "colour")):
        for label in ("lying", "standing"):
            (root / view / label).mkdir(parents=True)
            for i in range(6):
                pixels = ramp(12, kind)
                pixels[rng.integers(0, 30) :, :] //= 2
                if label == "standing":
                    pixels = pixels.transpose(1, 0, 2)
                write_png(root / view / label / f"{i}.png", pixels)
    return root


@pytest.fixture(scope="module")
def paths(folder):
    return load_sketch_photo_folder(folder, size=None)


@pytest.fixture(scope="module")
def hasher(paths):
    hasher = DeepSketchHasher(
        8, architecture=Compact(32), max_iter=1, steps_per_iter=2, cache_size=0, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BitDepthWarning)
        return hasher.fit(paths.sketches, paths.images, (paths.y_sketch, paths.y_image))


READERS = {
    "the loader": (
        lambda hasher, paths, folder: load_sketch_photo_folder(folder, size=32),
        [12] * 2,
    ),
    "HOG": (lambda hasher, paths, folder: HOGFeatures().fit_transform(paths.images), [12]),
    "S-HELO": (lambda hasher, paths, folder: SHELOFeatures().fit_transform(paths.images), [12]),
    "GF-HOG": (
        lambda hasher, paths, folder: (
            GFHOGFeatures(n_words=4).fit(paths.images).transform(paths.images)
        ),
        [12] * 2,
    ),
    "transform": (lambda hasher, paths, folder: hasher.transform(paths.images, "image"), [12]),
    "project": (lambda hasher, paths, folder: hasher.project(paths.sketches, "sketch"), [12]),
    # Every file is read in each round again, and once to see which strokes are dark.
    "fit": (
        lambda hasher, paths, folder: hasher.set_params(max_iter=2).fit(
            paths.sketches, paths.images, (paths.y_sketch, paths.y_image)
        ),
        [24],
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_of_files_tells_once_for_all(reader, hasher, paths, folder):
    read, n_told_of = READERS[reader]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read(hasher, paths, folder)
    texts = [str(w.message) for w in told if w.category is BitDepthWarning]
    assert [int(re.search(r"channel (\d+) image", text)[1]) for text in texts] == n_told_of
    assert all(re.search(rf"'{re.escape(str(folder))}.*\.png' 12\.", text) for text in texts)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_worker_processes_read_is_told_of(hasher, paths, n_jobs):
    many = np.tile(paths.images, 25)  # more than are read at once
    with pytest.warns(BitDepthWarning, match="12 image files use fewer") as told:
        hasher.set_params(n_jobs=n_jobs).transform(many, "image")
    assert len([w for w in told if w.category is BitDepthWarning]) == 1


def test_the_command_line_tells_once(hasher, folder, tmp_path):
    save_model(hasher, tmp_path / "m.model")
    arguments = ["encode", tmp_path / "m.model", folder / "photo", "-o", tmp_path / "g", "-q"]
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Warning: ") == 1
    assert f"12 image files use fewer, '{folder}" in result.stderr


@pytest.mark.parametrize("kind", ["grey", "colour"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_page_reads_uploads_alike(kind, bits, tmp_path):
    pytest.importorskip("starlette", reason="the page needs Starlette")
    from sklearn_dsh.serve._images import read_upload

    write_png(tmp_path / "a.png", ramp(bits, kind))
    file = io.BytesIO((tmp_path / "a.png").read_bytes())
    assert np.abs(read_upload(file.getvalue()).astype(int) - expected(bits)).max() <= 2 ** (
        16 - bits
    )


def test_gathered_are_told_by_the_outer_one_alone(tmp_path):
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, ramp(12))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with gathered() as found, told_once():
            load_image(tmp_path / "a.png")
        assert found == {str(tmp_path / "a.png"): 12}
        assert told == []
        with told_once():
            for name in ("a.png", "b.png", "a.png"):
                load_image(tmp_path / name)
    assert ["2 image files use" in str(w.message) for w in told] == [True]
