"""The readout of features as a torch module."""

import numpy as np
import torch

from sklearn_dsh import ZeroShotHasher
from sklearn_dsh.deep._feature_readout import FeatureReadout, learn_readout


def test_its_bits_are_those_of_the_hasher_of_vectors():
    rng = np.random.default_rng(0)
    means, y = rng.normal(size=(6, 20)), {"sketch": np.arange(60) % 6, "image": np.arange(90) % 6}
    features = {
        view: (means[labels] + rng.normal(size=(len(labels), 20))).astype(np.float32)
        for view, labels in y.items()
    }
    readout = FeatureReadout(["sketch", "image"], 20, 24)
    readout.set_arrays(learn_readout(features, y, 24, np.random.RandomState(3)))
    hasher = ZeroShotHasher(24, random_state=3).fit(*features.values(), tuple(y.values()))
    for view, rows in features.items():
        mine = readout(torch.from_numpy(rows), view).numpy()
        np.testing.assert_allclose(mine, hasher.project(rows, view=view), atol=1e-5)
