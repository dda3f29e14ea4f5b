import numpy as np
import pytest
import torch
from planted_views import two_views

from sklearn_dsh import DeepMetricHasher
from sklearn_dsh.deep._losses import Drawn
from sklearn_dsh.deep._metric_hasher import Metric, contrastive_loss, triplet_loss

CPU = torch.device("cpu")
CLEARLY_LEARNED = 0.6  # mean average precision, where chance is 0.2


def random_points(n_bits=4):
    generator = torch.Generator().manual_seed(0)
    return {
        "sketch": torch.randn(5, n_bits, generator=generator),
        "image": torch.randn(7, n_bits, generator=generator),
    }


def labels_of(n):
    return Drawn(np.arange(n), torch.arange(n) % 3)


def unit(x):
    return x / np.linalg.norm(x)


def distance(a, b):
    return np.linalg.norm(unit(a) - unit(b))


def triplets_by_hand(S, P, y_s, y_p, margin, skip=lambda i, j: False):
    losses = []
    for i in range(len(S)):
        for j in range(len(P)):
            for k in range(len(P)):
                if y_s[i] == y_p[j] and y_s[i] != y_p[k] and not skip(i, j):
                    losses.append(max(0, margin + distance(S[i], P[j]) - distance(S[i], P[k])))
    losses = np.array(losses)
    return losses[losses > 0].mean()


def test_triplets_by_hand():
    points = random_points()
    drawn = {"sketch": labels_of(5), "image": labels_of(7)}
    found = Metric(["sketch", "image"], "triplet", 0.3).make_loss(CPU)(points, drawn)
    S, P = (x.numpy() for x in points.values())
    expected = triplets_by_hand(S, P, np.arange(5) % 3, np.arange(7) % 3, 0.3)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_an_item_is_no_positive_of_itself():
    points = {"image": random_points()["image"]}
    found = Metric(["image"], "triplet", 0.3).make_loss(CPU)(points, {"image": labels_of(7)})
    P, y = points["image"].numpy(), np.arange(7) % 3
    expected = triplets_by_hand(P, P, y, y, 0.3, skip=lambda i, j: i == j)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_contrastive_by_hand():
    points = random_points()
    drawn = {"sketch": labels_of(5), "image": labels_of(7)}
    found = Metric(["sketch", "image"], "contrastive", 1.0).make_loss(CPU)(points, drawn)
    pull, push = [], []
    for i, a in enumerate(points["sketch"].numpy()):
        for j, b in enumerate(points["image"].numpy()):
            d = distance(a, b)
            if i % 3 == j % 3:
                pull.append(d**2)
            else:
                push.append(max(0, 1 - d) ** 2)
    assert found.item() == pytest.approx((np.mean(pull) + np.mean(push)) / 2, rel=1e-4)


@pytest.mark.parametrize("loss", [triplet_loss, contrastive_loss])
def test_nothing_to_compare_is_no_loss(loss):
    none = torch.zeros(2, 3, dtype=torch.bool)
    assert loss(torch.ones(2, 3), none, none, 0.5).item() == 0


def test_equal_outputs_have_a_finite_gradient():
    x = torch.ones(3, 4, requires_grad=True)
    drawn = {"sketch": labels_of(3)}
    Metric(["sketch"], "contrastive", 1.0).make_loss(CPU)({"sketch": x}, drawn).backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("loss", ["triplet", "contrastive"])
def test_planted_categories_are_found(loss):
    X, Z, labels = two_views()
    hasher = DeepMetricHasher(16, loss=loss, random_state=0).fit(X, Z, labels)
    new = two_views(seed=1)
    assert hasher.score(*new) > CLEARLY_LEARNED
    sketches, photos = hasher.project(new[0]), hasher.project(new[1], view="image")
    np.testing.assert_allclose(np.linalg.norm(photos, axis=1), 1, rtol=1e-5)
    distances = np.linalg.norm(sketches[:, None] - photos, axis=2)
    same = new[2][0][:, None] == new[2][1]
    assert distances[same].mean() < distances[~same].mean() / 2
    nearest = new[2][1][distances.argmin(axis=1)]
    assert (nearest == new[2][0]).mean() > 0.9
