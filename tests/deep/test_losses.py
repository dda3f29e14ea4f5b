import numpy as np
import pytest
import torch

from sklearn_dsh.deep._losses import LABEL_SMOOTHING, REGRESSION_WEIGHT, Targets, code_loss

CODES = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [-1, -1, 1, 1]])


def test_regression_is_the_mean_squared_error_to_the_items_own_codes():
    outputs = torch.tensor([[0.5, 1, -1, 0]])
    targets = Targets(torch.tensor([[1.0, 1, 1, 1]]), torch.tensor([0]))
    expected = (0.25 + 0 + 4 + 1) / 4
    assert code_loss(outputs, targets, CODES, "regression").item() == pytest.approx(expected)


def test_cross_entropy_by_hand():
    outputs = np.array([0.5, 1, -1, 0.2])
    logits = 8 * np.tanh(outputs) @ CODES.numpy().T / 4
    log_p = logits - np.log(np.exp(logits).sum())
    wanted = np.full(3, LABEL_SMOOTHING / 3)
    wanted[1] += 1 - LABEL_SMOOTHING
    expected = -(wanted * log_p).sum()
    expected += REGRESSION_WEIGHT * np.mean((outputs - CODES[1].numpy()) ** 2)
    targets = Targets(CODES[1:2], torch.tensor([1]))
    loss = code_loss(torch.tensor(outputs[None]).float(), targets, CODES, "cross_entropy")
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_outputs_at_the_code_beat_any_other_category():
    for category in range(3):
        losses = [
            code_loss(
                3 * CODES[other][None],
                Targets(CODES[category][None], torch.tensor([category])),
                CODES,
                "cross_entropy",
            ).item()
            for other in range(3)
        ]
        assert int(np.argmin(losses)) == category


def test_mixup_of_whole_and_none():
    outputs = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    labels, partner = torch.tensor([0, 2]), torch.tensor([1, 0])
    plain = code_loss(outputs, Targets(CODES[labels], labels), CODES, "cross_entropy")
    swapped = code_loss(outputs, Targets(CODES[[2, 0]], labels[partner]), CODES, "cross_entropy")
    for weight, expected in ((1.0, plain), (0.0, swapped)):
        targets = Targets(CODES[labels], labels, torch.full((2,), weight), partner)
        torch.testing.assert_close(code_loss(outputs, targets, CODES, "cross_entropy"), expected)
