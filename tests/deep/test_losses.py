import numpy as np
import pytest
import torch

from sklearn_dsh.deep._losses import (
    LABEL_SMOOTHING,
    REGRESSION_WEIGHT,
    CodeLoss,
    Drawn,
    code_loss,
)

CODES = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [-1, -1, 1, 1]])


def drawn(labels):
    """One item a category, whose row is its label."""
    return Drawn(np.array(labels), torch.tensor(labels))


def test_regression_is_the_mean_squared_error_to_the_items_own_codes():
    outputs = torch.tensor([[0.5, 1, -1, 0]])
    expected = (0.25 + 0 + 4 + 1) / 4
    loss = code_loss(outputs, torch.ones(1, 4), drawn([0]), CODES, "regression")
    assert loss.item() == pytest.approx(expected)


def test_cross_entropy_by_hand():
    logits = np.array([0.5, 1.5, -1.0])
    p = np.exp(logits) / np.exp(logits).sum()
    wanted = np.full(3, LABEL_SMOOTHING / 3)
    wanted[1] += 1 - LABEL_SMOOTHING
    expected = -(wanted * np.log(p)).sum()
    expected += REGRESSION_WEIGHT * np.mean((p @ CODES.numpy() - CODES[1].numpy()) ** 2)
    outputs = torch.tensor(logits[None]).float()
    loss = code_loss(outputs, CODES[1:2], drawn([1]), CODES, "cross_entropy")
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_right_category_beats_any_other():
    for category in range(3):
        losses = [
            code_loss(
                5 * torch.eye(3)[other][None],
                CODES[category][None],
                drawn([category]),
                CODES,
                "cross_entropy",
            ).item()
            for other in range(3)
        ]
        assert int(np.argmin(losses)) == category


def test_mixup_of_whole_and_none():
    outputs = {"image": torch.randn(2, 3, generator=torch.Generator().manual_seed(0))}
    codes = {"image": CODES.numpy().astype(np.int8)}  # one item a category
    loss = CodeLoss(codes, codes, "cross_entropy", 0.0, torch.device("cpu"))
    plain = loss(outputs, {"image": drawn([0, 2])})
    swapped = loss(outputs, {"image": drawn([1, 0])})
    for weight, expected in ((1.0, plain), (0.0, swapped)):
        mixed = drawn([0, 2])
        mixed.weight = torch.tensor(weight)
        mixed.partner_rows, mixed.partner_labels = np.array([1, 0]), torch.tensor([1, 0])
        torch.testing.assert_close(loss(outputs, {"image": mixed}), expected)


def test_half_of_two_items():
    item = drawn([0])
    item.weight, item.partner_rows = torch.tensor(0.5), np.array([1])
    item.partner_labels = torch.tensor([1])
    np.testing.assert_array_equal(item.mix(CODES.numpy().astype(np.int8)), [[1, 0, 1, 0]])
    logits = torch.tensor([[1.0, 2.0, 0.0]])
    each = [drawn([label]).cross_entropy(logits).item() for label in (0, 1)]
    assert item.cross_entropy(logits).item() == pytest.approx(np.mean(each))
