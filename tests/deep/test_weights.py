import gc
import weakref

import numpy as np
import pytest
import torch

from sklearn_dsh.deep import _weights


def test_arrays_round_trip():
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    arrays = _weights.to_arrays(module)
    assert all(isinstance(value, np.ndarray) for value in arrays.values())
    other = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    _weights.from_arrays(other, arrays)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value)
    before = arrays["0.weight"].copy()
    with torch.no_grad():
        module[0].weight.add_(1)
        other[0].weight.add_(1)
    np.testing.assert_array_equal(arrays["0.weight"], before)


def test_arrays_of_another_network_are_refused():
    arrays = _weights.to_arrays(torch.nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match="size mismatch"):
        _weights.from_arrays(torch.nn.Linear(4, 2), arrays)


def _parts():
    module = torch.nn.ModuleDict(
        {
            "trained": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)),
            "frozen": torch.nn.Linear(3, 2),
            "of_doubles": torch.nn.Linear(3, 2, dtype=torch.float64),
        }
    )
    module["frozen"].requires_grad_(False)
    module.register_buffer("codes", torch.rand(2, 3))
    return module


def test_trained_matrices_are_kept_in_half_and_nothing_else():
    module = _parts()
    whole = _weights.to_arrays(module)
    kept = _weights.in_half(whole, module)
    assert list(kept) == list(whole)
    assert kept["trained.0.weight"].dtype == np.float16
    np.testing.assert_allclose(kept["trained.0.weight"], whole["trained.0.weight"], rtol=2**-11)
    for name in set(whole) - {"trained.0.weight"}:
        assert kept[name].dtype == whole[name].dtype
        np.testing.assert_array_equal(kept[name], whole[name])
    _weights.round_to_half(module)
    for name, value in _weights.to_arrays(module).items():
        np.testing.assert_array_equal(value, kept[name])
    assert _weights.count_bytes(_parts, kept=True) == sum(value.nbytes for value in kept.values())
    assert _weights.count_bytes(_parts) == sum(value.nbytes for value in whole.values())


@pytest.mark.parametrize("assign", [False, True])
def test_what_is_kept_in_half_is_used_in_single(assign):
    kept = _weights.in_half(_weights.to_arrays(_parts()), _parts())
    with torch.device("meta" if assign else "cpu"):
        module = _parts()
    _weights.from_arrays(module, kept, assign=assign)
    assert module["trained"][0].weight.dtype == torch.float32
    assert module["of_doubles"].weight.dtype == torch.float64
    again = _weights.to_arrays(module)
    for name, value in kept.items():
        np.testing.assert_array_equal(again[name], value)


@pytest.mark.parametrize("value", [7e4, np.inf, np.nan])
def test_what_half_precision_has_not_stays(value):
    module = torch.nn.Linear(3, 2)
    arrays = _weights.to_arrays(module)
    arrays["weight"][1, 1] = value
    np.testing.assert_array_equal(_weights.in_half(arrays, module)["weight"], arrays["weight"])


def test_seeds_do_not_leak():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with _weights.seeded(7, torch.device("cpu")):
        first = torch.rand(3)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    with _weights.seeded(7, torch.device("cpu")):
        torch.testing.assert_close(torch.rand(3), first, rtol=0, atol=0)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with _weights.thread_limit(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with pytest.raises(KeyError), _weights.thread_limit(1):
        raise KeyError
    assert torch.get_num_threads() == before


class Owner:
    pass


def test_networks_are_built_once_and_dropped_with_their_owner():
    owner, weights, built = Owner(), {}, []

    def build():
        built.append(torch.nn.Linear(1, 1))
        return built[-1]

    cpu = torch.device("cpu")
    assert _weights.cached_network(owner, weights, cpu, build) is built[0]
    assert _weights.cached_network(owner, weights, cpu, build) is built[0]
    _weights.cached_network(owner, {}, cpu, build)  # refitted: other weights
    assert len(built) == 2
    alive = weakref.ref(built[1])
    built.clear()
    del owner
    gc.collect()
    assert alive() is None
