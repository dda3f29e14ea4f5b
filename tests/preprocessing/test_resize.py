import numpy as np
import pytest
from PIL import Image

from sklearn_dsh.preprocessing import load_image, resize_images


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def save(array, path, **options):
    Image.fromarray(array).save(path, **options)
    return path


def test_pixels_come_back_unchanged(tmp_path, colours):
    path = save(colours, tmp_path / "a.png")
    np.testing.assert_array_equal(load_image(path), colours)
    np.testing.assert_array_equal(load_image(str(path)), colours)
    grey = load_image(path, mode="L")
    weights = np.array([0.299, 0.587, 0.114])
    assert grey.shape == (48, 40)
    assert np.abs(grey - colours @ weights).max() <= 1


def test_size_is_square(tmp_path, colours):
    path = save(colours, tmp_path / "a.png")
    assert load_image(path, 32).shape == (32, 32, 3)
    assert load_image(path, 64, "L").shape == (64, 64)
    np.testing.assert_array_equal(load_image(path, 32), resize_images(colours[None], 32)[0])


def test_shrinking_is_antialiased():
    # A checkerboard of single pixels is grey from afar; without averaging it stays black or white.
    checkers = (np.indices((128, 128)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = resize_images(checkers[None], 32)[0]
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 8


def test_images_of_the_size_are_not_copied(colours):
    images = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    assert resize_images(images, 32) is images


def test_large_jpeg(tmp_path):
    ramp = np.repeat(np.linspace(0, 255, 640).astype(np.uint8)[None], 480, axis=0)
    path = save(ramp, tmp_path / "ramp.jpg", quality=95)
    image = load_image(path, 32, "L")
    expected = resize_images(ramp[None], 32)[0]
    assert np.abs(image.astype(int) - expected).max() <= 3


def test_camera_orientation(tmp_path, colours):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = tmp_path / "a.png"
    Image.fromarray(colours).save(path, exif=exif)
    np.testing.assert_array_equal(load_image(path), np.rot90(colours, -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_white(tmp_path, mode):
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (10, 10, 30, 30))
    image.convert(mode).save(tmp_path / "a.png")
    if mode == "P":
        image = Image.new("P", (40, 40), 0)
        image.putpalette([255, 0, 0, 0, 0, 0])
        image.paste(1, (10, 10, 30, 30))
        image.save(tmp_path / "a.png", transparency=0)
    grey = load_image(tmp_path / "a.png", mode="L")
    assert grey[0, 0] == 255
    assert grey[20, 20] == 0


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    deep = np.linspace(0, 65535, 40 * 40).reshape(40, 40).astype(np.uint16)
    path = save(deep, tmp_path / "deep.png")
    np.testing.assert_array_equal(load_image(path, mode="L"), deep >> 8)


def test_numbers_of_unknown_range_are_refused(tmp_path):
    path = save(np.ones((40, 40), dtype=np.float32), tmp_path / "a.tiff")
    with pytest.raises(ValueError, match=r"a\.tiff.*32-bit numbers"):
        load_image(path)


def damaged_file(kind, folder, colours):
    path = folder / "bad.png"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("no image")
    elif kind == "cut off":
        save(colours, path)
        path.write_bytes(path.read_bytes()[:-2000])
    elif kind == "cut off jpeg":
        path = folder / "bad.jpg"
        save(colours, path)
        path.write_bytes(path.read_bytes()[:-400])
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "the file is empty"),
        ("text", "cannot identify image file"),
        ("cut off", "truncated"),
        ("cut off jpeg", "truncated"),
        ("folder", "it is a folder"),
        ("missing", "the file does not exist"),
    ],
)
@pytest.mark.parametrize("size", [None, 32])
def test_damaged_files_are_named(kind, reason, size, tmp_path, colours):
    path = damaged_file(kind, tmp_path, colours)
    with pytest.raises(ValueError, match=f"Cannot read the image file.*{path.name}.*{reason}"):
        load_image(path, size)


def test_no_other_program_is_started(tmp_path, colours, monkeypatch):
    path, started = tmp_path / "picture.jpg", []
    Image.fromarray(colours).save(path, "EPS")
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *args: started.append(args))
    with pytest.raises(ValueError, match=r"picture.jpg': EPS files are drawn by another program"):
        load_image(path)
    assert started == []


def test_bad_arguments(tmp_path, colours):
    with pytest.raises(ValueError, match="mode='HSV': expected 'L'"):
        load_image(tmp_path / "a.png", mode="HSV")
    with pytest.raises(ValueError, match="dtype float64: expected uint8"):
        resize_images(np.zeros((2, 40, 40)), 32)
    with pytest.raises(ValueError, match=r"shape \(40, 40\)"):
        resize_images(np.zeros((40, 40), dtype=np.uint8), 32)
