import numpy as np
import pytest
import torch
from PIL import Image

from sklearn_dsh.deep._batches import (
    ImageSource,
    all_tokens,
    as_tensor,
    blocks,
    make_source,
    make_tokens,
)

RNG = np.random.default_rng(0)


@pytest.fixture
def photo_files(tmp_path):
    photos = RNG.integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)
    paths = []
    for i, photo in enumerate(photos):
        paths.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(photo).save(paths[-1])
    return np.array(paths), photos


@pytest.mark.parametrize("size", [48, 32, 64])
def test_paths_and_arrays_give_the_same_batches(photo_files, size):
    paths, photos = photo_files
    rows = np.array([3, 0])
    from_paths = ImageSource(paths, "image", size)[rows]
    from_arrays = ImageSource(photos, "image", size)[rows]
    assert from_paths.shape == (2, size, size, 3)
    assert from_paths.dtype == np.uint8
    np.testing.assert_array_equal(from_paths, from_arrays)


def test_an_array_of_the_right_size_is_only_indexed():
    photos = RNG.integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(make_source(photos, "image", 64)[1:3], photos[1:3])


def test_scaling():
    sketch = np.full((1, 2, 2), 255, dtype=np.uint8)
    sketch[0, 0, 1] = 0
    tensor = as_tensor(sketch, "cpu")
    assert tensor.shape == (1, 1, 2, 2)
    assert tensor[0, 0].tolist() == [[0, 1], [0, 0]]
    photo = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    photo[0, 0, 1, 2] = 255
    tensor = as_tensor(photo, "cpu")
    assert tensor.shape == (1, 3, 2, 2)
    assert tensor[0, 2, 0, 1] == 1
    assert tensor[0, 0, 0, 0] == -1
    features = np.ones((2, 3), dtype=np.float32)
    torch.testing.assert_close(as_tensor(features, "cpu"), torch.ones(2, 3))


def test_tokens_of_all_photos_and_of_a_batch_agree():
    photos = RNG.integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
    source = make_source(photos, "image", 32)

    def darkest(batch):
        return batch.min(axis=3)

    tokens = all_tokens(darkest, source, 32, block=2)
    np.testing.assert_array_equal(tokens, darkest(source[:5]))


def test_wrong_tokens_say_what_was_expected():
    photos = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"uint8 maps of shape \(2, 32, 32\).*float64"):
        make_tokens(lambda batch: batch.mean(axis=3), photos, 32)


def test_blocks_cover_everything_once():
    assert [i for part in blocks(7, 3) for i in range(*part.indices(7))] == list(range(7))
