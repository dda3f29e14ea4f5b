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
