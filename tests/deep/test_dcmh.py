import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from planted_views import two_views

from sklearn_dsh import Compact, DCMHHasher, SketchImageArray, make_sketch_photo
from sklearn_dsh.deep import _fit
from sklearn_dsh.deep._dcmh import PairLikelihood
from sklearn_dsh.deep._losses import Drawn

CPU = torch.device("cpu")
CLEARLY_LEARNED = 0.6  # mean average precision, where chance is 0.2
GAMMA, ETA = 0.7, 0.3


def make_likelihood(n=6, n_bits=3, views=("sketch", "image")):
    labels = np.arange(n) % 3
    likelihood = PairLikelihood(
        dict.fromkeys(views, labels), n_bits, GAMMA, ETA, np.random.RandomState(0)
    )
    likelihood.update()
    return likelihood


def published_objective(F, G, B, labels):
    """The objective of the paper, entry by entry; F, G and B have one row an item."""
    total = 0.0
    for i, j in itertools.product(range(len(F)), repeat=2):
        theta = 0.5 * (F[i] * G[j]).sum()
        total = total - float(labels[i] == labels[j]) * theta + torch.log1p(torch.exp(theta))
    for X in (F, G):
        total = total + GAMMA * (B - X).square().sum() + ETA * X.sum(dim=0).square().sum()
    return total


def test_the_objective_is_the_published_one():
    likelihood = make_likelihood()
    F, G = (torch.from_numpy(x.astype(float)) for x in likelihood.outputs.values())
    expected = published_objective(F, G, torch.from_numpy(likelihood.codes), likelihood.labels)
    assert likelihood.objective() == pytest.approx(expected.item() / 6**2)


def test_no_codes_have_a_smaller_objective():
    likelihood = make_likelihood(n=3, n_bits=2)
    found = likelihood.objective()
    for bits in itertools.product((-1, 1), repeat=6):
        likelihood.codes = np.reshape(bits, (3, 2)).astype(np.int8)
        assert likelihood.objective() >= found - 1e-9


def test_steps_follow_the_gradient_of_the_objective():
    likelihood = make_likelihood()
    F, G = (torch.from_numpy(x.astype(float)).requires_grad_() for x in likelihood.outputs.values())
    codes = torch.from_numpy(likelihood.codes)
    expected = torch.autograd.grad(published_objective(F, G, codes, likelihood.labels), (F, G))
    outputs = {"sketch": F.detach().float(), "image": G.detach().float()}
    for x in outputs.values():
        x.requires_grad_()
    item = Drawn(np.arange(6), torch.from_numpy(likelihood.labels))
    loss = likelihood.make_loss(CPU)(outputs, {"sketch": item, "image": item})
    found = torch.autograd.grad(loss * 6 * 6, tuple(outputs.values()))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


def test_a_step_sees_the_latest_outputs_of_all_other_pairs():
    likelihood = make_likelihood()
    likelihood.update(likelihood.outputs)
    loss = likelihood.make_loss(CPU)
    first, second = (
        Drawn(rows, torch.from_numpy(likelihood.labels[rows]))
        for rows in (np.array([0, 1]), np.array([4, 5]))
    )
    new = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
    loss({"sketch": new, "image": 2 * new}, {"sketch": first, "image": first})
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(2))
    value = loss({"sketch": x, "image": x}, {"sketch": second, "image": second})

    F, G = (torch.from_numpy(x.copy()) for x in likelihood.outputs.values())
    F[:2], G[:2] = new, 2 * new
    F[4:], G[4:] = x, x
    codes = torch.from_numpy(likelihood.codes)
    expected = 0.0
    for own, other in ((F, G), (G, F)):
        theta = own[4:] @ other.T / 2
        similar = torch.from_numpy(likelihood.labels[4:, None] == likelihood.labels).float()
        expected += (torch.log1p(torch.exp(theta)) - similar * theta).sum()
        expected += GAMMA * (codes[4:] - own[4:]).square().sum()
        expected += ETA * 6 / 2 * own[4:].sum(dim=0).square().sum()  # of all six, from two
    assert value.item() == pytest.approx(expected.item() / 12, rel=1e-5)


def test_the_first_round_compares_with_one_start_a_category():
    likelihood = make_likelihood()
    start = likelihood.outputs
    np.testing.assert_array_equal(start["sketch"][:3], start["sketch"][3:])  # labels 0, 1, 2, 0 ...
    np.testing.assert_array_equal(start["sketch"], start["image"])
    assert len(np.unique(start["sketch"], axis=0)) == 3
    loss = likelihood.make_loss(CPU)
    item = Drawn(np.array([4, 5]), torch.from_numpy(likelihood.labels[4:]))
    outputs = {
        view: torch.randn(2, 3, generator=torch.Generator().manual_seed(i))
        for i, view in enumerate(start)
    }
    before = loss(outputs, {"sketch": item, "image": item})
    assert loss(outputs, {"sketch": item, "image": item}) == before
    likelihood.update(start)  # as if these were outputs
    loss = likelihood.make_loss(CPU)
    first = loss(outputs, {"sketch": item, "image": item})
    assert first != before  # which compares with the outputs of this very step


def test_one_view_stands_on_both_sides():
    likelihood = make_likelihood(views=("sketch",))
    F = torch.from_numpy(likelihood.outputs["sketch"].astype(float))
    codes = torch.from_numpy(likelihood.codes)
    expected = published_objective(F, F, codes, likelihood.labels)
    assert likelihood.objective() == pytest.approx(expected.item() / 6**2)
    np.testing.assert_array_equal(likelihood.codes, np.where(F >= 0, 1, -1))


def test_planted_categories_are_found():
    X, Z, labels = two_views()
    train = SketchImageArray(X, Z)
    y = np.concatenate(labels)
    hasher = DCMHHasher(16, random_state=0).fit(X, Z, labels)
    assert hasher.score(train, y) > CLEARLY_LEARNED
    assert hasher.objective_curve_[-1] < hasher.objective_curve_[0]
    new = two_views(seed=1)
    assert hasher.score(*new) > CLEARLY_LEARNED


def test_pairs_are_taken_as_they_are_and_drawn_otherwise(monkeypatch):
    seen = []
    original = _fit.make_training_set

    def spy(views, labels, *args, **kwargs):
        seen.append({view: np.asarray(X[:]) for view, X in views.items()} | {"y": labels})
        return original(views, labels, *args, **kwargs)

    monkeypatch.setattr(_fit, "make_training_set", spy)
    X, Z, (y_sk, y_img) = two_views(n_sk=20, n_img=30)
    settings = {"n_bits": 4, "max_iter": 1, "steps_per_iter": 1, "random_state": 0}
    DCMHHasher(**settings).fit(X, Z[:20], y_sk)
    np.testing.assert_array_equal(seen[0]["image"], Z[:20])
    DCMHHasher(**settings, n_pairs=50).fit(X, Z, (y_sk, y_img))
    assert seen[1]["sketch"].shape == (50, 12)
    np.testing.assert_array_equal(seen[1]["y"]["sketch"], seen[1]["y"]["image"])


def test_images_are_trained_with_tokens():
    data = make_sketch_photo(n_sketches=16, n_photos=16, size=32, random_state=0)
    hasher = DCMHHasher(8, max_iter=1, steps_per_iter=2, architecture=Compact(32), random_state=0)
    hasher.fit(data.sketches, data.images, (data.y_sketch, data.y_image))
    assert hasher.network_settings_["uses_tokens"]
    assert hasher.transform(data.images, view="image").shape == (len(data.images), 1)


def test_networks_with_random_weights_learn_images():
    settings = {"n_categories": 4, "size": 32, "difficulty": 0.3}
    data, new = (
        make_sketch_photo(n_sketches=n, n_photos=n, random_state=n, **settings) for n in (150, 100)
    )
    hasher = DCMHHasher(16, max_iter=2, steps_per_iter=50, architecture=Compact(32), random_state=0)
    hasher.fit(data.sketches, data.images, (data.y_sketch, data.y_image))
    score = hasher.score(new.sketches, new.images, (new.y_sketch, new.y_image))
    assert score > 0.7  # chance is 0.25


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setattr(_fit, "Processes", lambda device: SimpleNamespace(n=2))
    with pytest.raises(ValueError, match="trained by one process, not 2: start it without"):
        DCMHHasher().fit(*two_views())
