from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_dsh.deep._optimizer import PRECISIONS, SCHEDULES, Optimizer, resolve_precision

CPU = torch.device("cpu")


def make_optimizer(parameters, n_steps=40, **changes):
    settings = {
        "learning_rate": 0.1,
        "weight_decay": 0.0,
        "schedule": "cosine",
        "max_grad_norm": None,
        "precision": "float32",
    } | changes
    model = torch.nn.ParameterList(parameters)
    return Optimizer(model, n_steps, CPU, SimpleNamespace(**settings))


def parameter(*values):
    return torch.nn.Parameter(torch.tensor(values))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_warm_up_and_then_follow_the_schedule(schedule):
    p = parameter(1.0)
    optimizer = make_optimizer([p], schedule=schedule)
    rates = []
    for _ in range(40):
        rates.append(optimizer.adamw.param_groups[0]["lr"])
        optimizer.step((p**2).sum())
    last = optimizer.adamw.param_groups[0]["lr"]
    assert rates[0] == pytest.approx(0.1 / 3)
    expected = {"cosine": 0.05, "linear": 0.05, "constant": 0.1}[schedule]
    assert rates[20] == pytest.approx(expected)
    assert last == pytest.approx(0.1 if schedule == "constant" else 0, abs=1e-12)


def test_gradients_are_scaled_down_to_the_largest_norm():
    p = parameter(3.0, 4.0)
    optimizer = make_optimizer([p], max_grad_norm=0.5)
    optimizer.step((p**2).sum() / 2)  # the gradient is p, of norm 5
    np.testing.assert_allclose(p.grad.numpy(), [0.3, 0.4], rtol=1e-5)
    optimizer = make_optimizer([p], max_grad_norm=100.0)
    value = p.detach().clone()
    optimizer.step((p**2).sum() / 2)
    np.testing.assert_allclose(p.grad.numpy(), value.numpy())


def test_a_restored_optimizer_takes_the_same_steps():
    start = parameter(1.0, -2.0)
    optimizer = make_optimizer([start])
    for _ in range(5):
        optimizer.step((start**4).sum())
    state, twin = deepcopy(optimizer.state_dict()), torch.nn.Parameter(start.detach().clone())
    other = make_optimizer([twin])
    other.load_state_dict(state)
    for p, o in ((start, optimizer), (twin, other)):
        for _ in range(5):
            o.step((p**4).sum())
    torch.testing.assert_close(twin, start, rtol=0, atol=0)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_networks_run_in_the_precision_asked_for(precision):
    layer = torch.nn.Linear(4, 4)
    optimizer = make_optimizer(list(layer.parameters()), precision=precision)
    with optimizer.autocast():
        assert layer(torch.ones(2, 4)).dtype == PRECISIONS[precision]
    assert layer.weight.dtype == torch.float32
    assert optimizer.scaler.is_enabled() == (precision == "float16")


@pytest.mark.parametrize("has_amx", [False, True])
def test_auto_asks_the_cpu_what_it_multiplies(has_amx, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_amx}, raising=False)
    assert resolve_precision("auto", CPU) == (torch.bfloat16 if has_amx else torch.float32)
    assert resolve_precision("auto", CPU, is_backbone=False) == torch.float32
    assert make_optimizer([parameter(1.0)], precision="auto").dtype == torch.float32


def test_a_cpu_that_says_nothing_has_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert resolve_precision("auto", CPU) == torch.float32


def test_a_part_of_the_model_is_trained_at_its_own_rate():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[0].rate_factor = 0.25
    model[1].requires_grad_(False)
    before = deepcopy(model.state_dict())
    settings = {"learning_rate": 0.1, "weight_decay": 0.0, "schedule": "constant"}
    settings |= {"max_grad_norm": None, "precision": "float32"}
    optimizer = Optimizer(model, 1, CPU, SimpleNamespace(**settings))
    optimizer.step(sum(p.sum() for p in model.parameters()))
    # The first step of Adam is the rate itself, whatever the gradient.
    moved = {
        name: (before[name] - value).abs().max().item()
        for name, value in model.state_dict().items()
    }
    full = moved["2.weight"]
    assert full > 0
    assert moved["0.weight"] == pytest.approx(full / 4, rel=1e-4)
    assert moved["1.weight"] == 0
