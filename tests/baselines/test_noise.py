"""Views most of whose features say nothing: what is learned must not drown in them."""

import numpy as np
import pytest
from planted_views import two_views

from sklearn_dsh import CCAHasher
from sklearn_dsh.baselines import (
    CMFHHasher,
    CMSSHHasher,
    CVHHasher,
    SCMHasher,
    SDHHasher,
    SePHHasher,
)

CLEARLY_LEARNED = 0.65  # mean average precision, where chance is 0.2


def noisy_views(seed):
    *views, labels = two_views(seed)
    rng = np.random.default_rng(100 + seed)
    return *(np.hstack([X, 4 * rng.normal(size=(len(X), 60))]) for X in views), labels


SUPERVISED = [
    CCAHasher(30, random_state=0),
    CMFHHasher(30, random_state=0),
    CMSSHHasher(30, n_pairs=3000, random_state=0),
    CVHHasher(30, random_state=0),
    SCMHasher(30, random_state=0),
    SCMHasher(30, sequential=False, random_state=0),
    SDHHasher(30, random_state=0),
    SePHHasher(30, C=100.0, random_state=0),
]


@pytest.mark.parametrize("hasher", SUPERVISED, ids=str)
def test_supervised_methods_find_the_categories(hasher):
    hasher.fit(*noisy_views(0))
    assert hasher.score(*noisy_views(1)) > CLEARLY_LEARNED


def test_more_bits_of_cross_view_hashing_are_no_noise():
    scores = [
        CVHHasher(n_bits, random_state=0).fit(*noisy_views(0)).score(*noisy_views(1))
        for n_bits in (4, 30)
    ]
    assert scores[1] > scores[0] - 0.05
