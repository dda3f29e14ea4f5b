import numpy as np
import pytest
from planted_views import two_views
from scipy.linalg import qr
from scipy.optimize import approx_fprime
from sklearn.linear_model import LinearRegression

from sklearn_dsh import SketchImageArray
from sklearn_dsh.baselines._cmfh import CMFHHasher, CollectiveFactors

CLEARLY_LEARNED = 0.6  # mean average precision, where chance is 0.2


def paired_views(seed=0, n=200, width=(10, 15), noise=0.05):
    """Rows of three hidden values, shown by each view through its own matrix."""
    rng = np.random.default_rng(seed)
    maps = [np.random.default_rng(i).normal(size=(3, w)) for i, w in enumerate(width)]
    hidden = rng.normal(size=(n, 3))
    return hidden, *(hidden @ A + noise * rng.normal(size=(n, A.shape[1])) for A in maps)


def squares(A):
    return (A**2).sum()


def objective(views, U, W, V, balance, mu, gamma):
    """The objective as it is published."""
    shares = (balance, 1 - balance)
    return (
        sum(share * squares(X - V @ u.T) for X, u, share in zip(views, U, shares, strict=True))
        + mu * sum(squares(V - X @ w) for X, w in zip(views, W, strict=True))
        + gamma * sum(squares(A) for A in (*U, *W, V))
    )


PARAMS = {"balance": 0.3, "mu": 0.7, "gamma": 0.2}


@pytest.fixture
def problem():
    """Two views of orthogonal columns and factors of them."""
    rng = np.random.default_rng(0)
    views = [
        qr(rng.normal(size=(9, d)), mode="economic")[0] * rng.uniform(0.5, 2, d) for d in (4, 6)
    ]
    U, W = ([rng.normal(size=(d, 3)) for d in (4, 6)] for _ in range(2))
    return views, U, W, rng.normal(size=(9, 3))


def gradient(function, at):
    return approx_fprime(at.ravel(), lambda flat: function(flat.reshape(at.shape)), 1e-6)


def test_every_step_solves_its_part_of_the_objective(problem):
    views, U, W, V = problem
    factors = CollectiveFactors(views, **PARAMS)
    products = [X.T @ V for X in views]
    best_U, best_W = factors.loadings(V, products), factors.predictors(products)
    best_V = factors.latent(U, W)
    for side in range(2):

        def of_one(part, given, side=side):
            return [part if i == side else given[i] for i in range(2)]

        by_U = gradient(lambda u: objective(views, of_one(u, U), W, V, **PARAMS), best_U[side])
        by_W = gradient(lambda w: objective(views, U, of_one(w, W), V, **PARAMS), best_W[side])
        np.testing.assert_allclose(by_U, 0, atol=1e-4)
        np.testing.assert_allclose(by_W, 0, atol=1e-4)
    by_V = gradient(lambda v: objective(views, U, W, v, **PARAMS), best_V)
    np.testing.assert_allclose(by_V, 0, atol=1e-4)


def test_loss_is_the_published_objective(problem):
    views, U, W, V = problem
    loss = CollectiveFactors(views, **PARAMS).loss(U, W, V, [X.T @ V for X in views])
    np.testing.assert_allclose(loss, objective(views, U, W, V, **PARAMS))


@pytest.mark.parametrize("n", [8, 40])  # fewer and more pairs than features
def test_is_the_published_algorithm(n):
    _hidden, *given = paired_views(n=n, noise=0.5)
    hasher = CMFHHasher(5, **PARAMS, max_iter=4, tol=0, random_state=0).fit(*given)
    views = [X - X.mean(axis=0) for X in given]
    norms = [np.linalg.norm(X) for X in views]
    views = [X / norm for X, norm in zip(views, norms, strict=True)]
    balance, mu, gamma = PARAMS.values()
    V = np.random.RandomState(0).standard_normal((n, 5))
    losses = []
    for _ in range(4):
        inverses = [np.linalg.inv(V.T @ V + gamma / share * np.eye(5)) for share in (0.3, 0.7)]
        U = [X.T @ V @ inverse for X, inverse in zip(views, inverses, strict=True)]
        W = [np.linalg.inv(X.T @ X + gamma / mu * np.eye(X.shape[1])) @ X.T @ V for X in views]
        V = (
            views[0] @ (balance * U[0] + mu * W[0]) + views[1] @ ((1 - balance) * U[1] + mu * W[1])
        ) @ np.linalg.inv(
            balance * U[0].T @ U[0] + (1 - balance) * U[1].T @ U[1] + (2 * mu + gamma) * np.eye(5)
        )
        losses.append(objective(views, U, W, V, **PARAMS))
    np.testing.assert_allclose(hasher.loss_curve_, losses)
    assert hasher.n_iter_ == 4
    for view, w, norm in zip(("sketch", "image"), W, norms, strict=True):
        np.testing.assert_allclose(hasher.weights_[view], w / norm, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("mu", "gamma"), [(0.01, 0.1), (1.0, 0.01), (100.0, 0.001)])
def test_objective_never_rises(mu, gamma):
    _hidden, X, Y = paired_views(noise=1.0)
    hasher = CMFHHasher(12, mu=mu, gamma=gamma, tol=0, random_state=0).fit(X, Y)
    assert (np.diff(hasher.loss_curve_) <= 1e-9).all()
    assert hasher.loss_curve_[-1] < hasher.loss_curve_[0]


def test_rounds_end_by_tol():
    _hidden, X, Y = paired_views()
    few, many = (CMFHHasher(8, tol=t, random_state=0).fit(X, Y) for t in (1e-2, 1e-5))
    assert few.n_iter_ < many.n_iter_ == len(many.loss_curve_)
    curve = np.array(few.loss_curve_)
    falls = -np.diff(curve) / curve[:-1]
    assert (falls[:-1] > 1e-2).all()
    assert falls[-1] <= 1e-2


def test_latent_values_are_the_planted_ones_in_both_views():
    train, test = paired_views(0), paired_views(1)
    hasher = CMFHHasher(6, gamma=1e-3, random_state=0).fit(*train[1:])
    sketch, photo = hasher.project(test[1]), hasher.project(test[2], view="image")
    assert np.linalg.norm(sketch - photo) < 0.1 * np.linalg.norm(sketch)
    for latent in (sketch, photo):
        assert LinearRegression().fit(latent, test[0]).score(latent, test[0]) > 0.98


def test_bits_are_cut_at_the_mean():
    _hidden, X, Y = paired_views(n=400)
    hasher = CMFHHasher(20, random_state=0).fit(X + 7, Y - 3)
    for rows, view in ((X + 7, "sketch"), (Y - 3, "image")):
        values = hasher.project(rows, view)
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-10)
        shares = (values >= 0).mean(axis=0)
        assert (shares > 0.4).all()
        assert (shares < 0.6).all()


@pytest.mark.parametrize("n_bits", [8, 30])
def test_planted_categories_are_found_across_views(n_bits):
    train, test = two_views(0), two_views(1)
    hasher = CMFHHasher(n_bits, random_state=0).fit(*train)
    assert hasher.score(*test) > CLEARLY_LEARNED
    assert hasher.project(test[1], view="image").shape == (90, n_bits)
    assert hasher.transform(test[1], view="image").shape == (90, -(-n_bits // 8))


def test_pairs_are_taken_as_they_are():
    _hidden, X, Y = paired_views()
    plain = CMFHHasher(8, random_state=0).fit(X, Y)
    labelled = CMFHHasher(8, n_pairs=5, random_state=0).fit(X, Y, np.arange(200) % 2)
    np.testing.assert_array_equal(labelled.project(X), plain.project(X))
    assert not hasattr(plain, "classes_")
    assert list(labelled.classes_) == [0, 1]


def test_pairs_without_labels_are_enough_for_planted_categories():
    (train, _, _), (test, _, (y, _)) = (two_views(seed, width=(32, 2)) for seed in (0, 1))
    hasher = CMFHHasher(16, random_state=0).fit(train[:, :12], train[:, 12:])
    assert hasher.score(test[:, :12], test[:, 12:], (y, y)) > CLEARLY_LEARNED


def test_number_of_pairs():
    train, test = two_views(0), two_views(1)
    few, many = (CMFHHasher(16, n_pairs=n, random_state=0).fit(*train) for n in (2, 300))
    assert np.linalg.matrix_rank(few.weights_["sketch"]) == 1  # two pairs, centred
    assert many.score(*test) > few.score(*test) + 0.2


def test_one_view_with_labels():
    X_sk, X_img, (y_sk, y_img) = two_views()
    hasher = CMFHHasher(16, random_state=0).fit(X_sk, y_sk)
    assert hasher.score(X_sk, y_sk) > CLEARLY_LEARNED
    assert list(hasher.weights_) == list(hasher.means_) == ["sketch"]
    photos = SketchImageArray(None, X_img)
    hasher = CMFHHasher(16, random_state=0).fit(photos, y_img)
    assert hasher.score(photos, y_img) > CLEARLY_LEARNED
    assert list(hasher.weights_) == list(hasher.means_) == ["image"]


def test_views_need_no_common_scale_or_origin():
    train = two_views()
    _X_sk, X_img, _y = two_views(1)
    plain = CMFHHasher(8, random_state=0).fit(*train)
    scaled = CMFHHasher(8, random_state=0).fit(train[0], 1000 * train[1] + 7, train[2])
    np.testing.assert_allclose(
        plain.project(X_img, "image"), scaled.project(1000 * X_img + 7, "image"), atol=1e-8
    )


def test_more_bits_than_features_and_columns_without_variance():
    X_sk, X_img, y = two_views(width=(3, 2))
    codes = CMFHHasher(20, random_state=0).fit(X_sk, X_img, y).transform(X_sk)
    assert codes.shape == (60, 3)
    assert len(np.unique(codes, axis=0)) > 4
    flat = CMFHHasher(20, random_state=0).fit(X_sk, np.c_[X_img, np.full((90, 2), 0.1)], y)
    np.testing.assert_allclose(flat.weights_["image"][2:], 0, atol=1e-12)
    assert np.isfinite(flat.weights_["sketch"]).all()


def test_random_state():
    train = two_views()
    first, again, other = (CMFHHasher(8, random_state=s).fit(*train) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.weights_["image"], again.weights_["image"])
    assert not np.allclose(first.weights_["image"], other.weights_["image"])


def test_bad_input():
    X_sk, X_img, (y_sk, y_img) = two_views()
    with pytest.raises(ValueError, match="requires y"):
        CMFHHasher().fit(X_sk)
    with pytest.raises(ValueError, match="no category in common"):
        CMFHHasher().fit(X_sk, X_img, (y_sk, y_img + 5))
    with pytest.raises(ValueError, match="n_samples=1"):
        CMFHHasher().fit(X_sk[:1], X_img[:1])
    with pytest.raises(ValueError, match="n_samples=1"):
        CMFHHasher(n_pairs=1).fit(X_sk, y_sk)
    for name, value in (
        ("n_pairs", 0),
        ("balance", 1.0),
        ("mu", 0),
        ("gamma", 0),
        ("max_iter", 0),
        ("tol", -1),
    ):
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            CMFHHasher(**{name: value}).fit(X_sk, y_sk)
