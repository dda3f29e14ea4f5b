import numpy as np
import pytest
import torch

from sklearn_dsh.deep import _augmentation as augmentation

WARP = {"degrees": 13, "scale": (0.8, 1.2), "shift": 0.1, "elastic": 0.04}


def draws(n, seed=0, rows=None):
    return augmentation.Draws(torch.Generator().manual_seed(seed), n, rows)


def blob(n=1, channels=1, size=32):
    images = torch.zeros(n, channels, size, size)
    images[:, :, 12:20, 8:14] = 1
    return images


def test_no_movement_is_the_identity():
    for seed in range(20):  # until a draw without a flip, which is half of them
        grid = augmentation.random_warp(
            draws(1, seed), (32, 32), degrees=0, scale=(1, 1), shift=0, elastic=0
        )
        # Aspect is always drawn: only its flip is looked at here.
        moved = augmentation.warp(blob(), grid)
        centre_before = 10.5
        columns = torch.arange(32.0)
        centre = (moved.sum(dim=(0, 1, 2)) * columns).sum() / moved.sum()
        flipped = centre > 16
        expected = 31 - centre_before if flipped else centre_before
        assert abs(centre - expected) < 1.0


def test_a_photo_and_its_token_move_together():
    grid = augmentation.random_warp(draws(3), (32, 32), **WARP)
    both = torch.cat([blob(3, 3), blob(3, 1)], dim=1)
    moved = augmentation.warp(both, grid)
    torch.testing.assert_close(moved[:, 0], moved[:, 3])


def test_what_comes_from_outside_is_the_fill():
    grid = torch.full((1, 4, 4, 2), 5.0)
    moved = augmentation.warp(torch.zeros(1, 1, 4, 4), grid, fill=0.7)
    torch.testing.assert_close(moved, torch.full((1, 1, 4, 4), 0.7))


def test_strokes_change_width_but_not_place():
    sketches = blob(60)
    changed = augmentation.random_strokes(sketches, draws(60))
    ink = changed.sum(dim=(1, 2, 3))
    before = sketches[0].sum()
    assert (ink > before).any()
    assert (ink < before).any()
    assert (ink == before).any()
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert changed[:, :, :8].sum() == 0


def test_colours_stay_in_range_and_differ():
    photos = draws(20).uniform(-1, 1, 3, 8, 8)
    changed = augmentation.random_colours(photos, draws(20))
    assert changed.min() >= -1
    assert changed.max() <= 1
    assert (changed - photos).abs().mean(dim=(1, 2, 3)).min() > 0.01


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_erasing_blanks_one_box(probability):
    images = torch.ones(30, 2, 40, 40)
    boxes = augmentation.random_boxes(draws(30), probability=probability)
    erased = augmentation.erase(images, boxes)
    blanked = (erased == 0).float().mean(dim=(1, 2, 3))
    if probability == 0:
        assert blanked.max() == 0
    else:
        assert 0 < blanked.mean() < 0.25
        torch.testing.assert_close(erased[:, 0], erased[:, 1])


def test_same_generator_same_images():
    results = []
    for _ in range(2):
        d = draws(4, seed=5)
        grid = augmentation.random_warp(d, (32, 32), **WARP)
        images = augmentation.warp(augmentation.random_strokes(blob(4), d), grid)
        results.append(augmentation.erase(images, augmentation.random_boxes(d)))
    torch.testing.assert_close(*results, rtol=0, atol=0)


def test_photos_and_tokens_of_different_sizes_change_alike():
    d = draws(6, seed=1)
    grid = augmentation.random_warp(d, (60, 60), **WARP)
    boxes = augmentation.random_boxes(d, probability=1.0)
    large = torch.nn.functional.interpolate(blob(6), (60, 60), mode="bilinear")
    small = torch.nn.functional.interpolate(large, (40, 40), mode="area")
    change = [
        augmentation.erase(augmentation.warp(x, augmentation.grid_for(grid, x.shape[2:])), boxes)
        for x in (small, large)
    ]
    shrunk = torch.nn.functional.interpolate(change[1], (40, 40), mode="area")
    assert (change[0] - shrunk).abs().mean() < 0.1 * (small - shrunk).abs().mean()


def test_a_part_of_a_batch_gets_what_it_gets_in_the_whole():
    def change(images, d):
        moved = augmentation.warp(
            augmentation.random_strokes(images, d),
            augmentation.random_warp(d, images.shape[2:], **WARP),
        )
        moved = augmentation.random_colours(moved.expand(-1, 3, -1, -1), d)
        return augmentation.erase(moved, augmentation.random_boxes(d))

    rows = np.array([4, 1, 5])
    whole = change(blob(6), draws(6))
    part = change(blob(6)[rows], draws(6, rows=rows))
    torch.testing.assert_close(part, whole[rows])
