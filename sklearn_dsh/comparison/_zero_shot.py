"""Zero-shot retrieval: the categories of the queries were not trained on."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import Bunch

from .._labels import check_labels
from ..views import stack_views
from ._problem import _HELD_OUT, Problem


class ZeroShotProblem(Problem):
    """A `Problem` whose queries are of categories that were not trained on.

    Attributes
    ----------
    protocol : {"zero-shot", "generalised zero-shot"}
        The gallery holds the queries' categories only, or photos of all categories.
    train, y_train, queries, y_query, gallery, y_gallery
        As in `Problem`.
    """

    @property
    def description(self) -> str:
        """The protocol in words, with the numbers of sketches and photos."""
        n_sketches, n_photos, n_queries, n_gallery = self.sizes()
        held_out = ", ".join(map(str, np.unique(self.y_query)))
        n_unseen = np.count_nonzero(np.isin(self.y_gallery, self.y_query))
        seen = f", {n_gallery - n_unseen} of them of the categories trained on"
        return (
            f"{len(np.unique(self.y_train))} categories. Trained on {n_sketches} sketches and "
            f"{n_photos} photos;\n{n_queries} sketches of other categories ({held_out}) query "
            f"{n_gallery} photos" + (seen if n_unseen < n_gallery else " of these")
        )


def make_zero_shot_problem(
    data: Bunch, held_out: ArrayLike, *, generalised: bool = False, random_state: int = 0
) -> ZeroShotProblem:
    """Hold whole categories out: learn from some, search among others.

    Parameters
    ----------
    data : Bunch
        From a loader of :mod:`sklearn_dsh.datasets`, with sketches and photos.
    held_out : array-like of shape (n_held_out,)
        The categories that are not trained on, two or more (generalised: one or more). At least
        two others are left. Those of a published protocol: `zero_shot_split`.
    generalised : bool, default=False
        False: the gallery is the photos of the held-out categories [1]_. True: of all categories,
        where a hasher may mistake what it never saw for what it knows [2]_.
    random_state : int, default=0
        Seed of the draw of photos, for `generalised` without a split.

    Returns
    -------
    problem : ZeroShotProblem
        All sketches of the held-out categories are queries, and all their photos are in the
        gallery. All sketches of the other categories are trained on, since none is a query. Of
        their photos all are trained on, too; with `generalised` those that are in the gallery are
        not: the part "test" of the data's split, and the part "train" is trained on (all others,
        if there is no such part), or, without a part "test", a fifth of each category.

    Raises
    ------
    ValueError
        If `held_out` is no list, a category of it is not in both views, it has too few or leaves
        too few categories, or one has fewer than five photos to draw from.

    See Also
    --------
    sklearn_dsh.datasets.zero_shot_split : The categories that a named protocol holds out.
    make_problem : Queries of the categories trained on.

    References
    ----------
    .. [1] Y. Shen, L. Liu, F. Shen, L. Shao, "Zero-Shot Sketch-Image Hashing", CVPR 2018.
    .. [2] A. Dutta, Z. Akata, "Semantically Tied Paired Cycle Consistency for Zero-Shot
       Sketch-Based Image Retrieval", CVPR 2019.

    Examples
    --------
    >>> from sklearn_dsh import make_sketch_photo
    >>> from sklearn_dsh.comparison import make_zero_shot_problem
    >>> data = make_sketch_photo(random_state=0)
    >>> problem = make_zero_shot_problem(data, data.target_names[:2])
    >>> sorted(set(problem.y_gallery)) == sorted(data.target_names[:2])
    True
    """
    if np.ndim(held_out) != 1:
        raise ValueError(f"held_out={held_out!r}: expected a list of categories.")
    held_out = np.unique(check_labels(np.asarray(held_out), "held_out"))
    _check_categories(data, held_out, generalised)
    X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image), interleave=False)
    unseen = np.isin(y, held_out)
    trained, in_gallery = ~unseen, unseen & ~X.is_sketch
    if generalised:
        seen_photos = np.flatnonzero(~unseen & ~X.is_sketch)
        of_photos = seen_photos - X.n_sketches
        split = data.get("split_image")
        split = None if split is None else np.asarray(split)[of_photos]
        train, test = _divide(split, y[seen_photos], random_state)
        trained[seen_photos] = train
        in_gallery[seen_photos] = test
    queries = unseen & X.is_sketch
    return ZeroShotProblem(
        protocol="generalised zero-shot" if generalised else "zero-shot",
        train=X[trained],
        y_train=y[trained],
        queries=X[queries].take_view("sketch")[:],
        y_query=y[queries],
        gallery=X[in_gallery].take_view("image")[:],
        y_gallery=y[in_gallery],
    )


def _check_categories(data, held_out, generalised):
    of_views = {
        "sketches": np.unique(check_labels(np.asarray(data.y_sketch), "y_sketch")),
        "photos": np.unique(check_labels(np.asarray(data.y_image), "y_image")),
    }
    for view, categories in of_views.items():
        absent = [str(c) for c in held_out if c not in categories.tolist()]
        if absent:
            raise ValueError(
                f"There are no {view} of the held_out {', '.join(absent)}: the data have "
                f"{', '.join(map(str, categories))}."
            )
    n_left = len(np.union1d(*of_views.values())) - len(held_out)
    fewest = 1 if generalised else 2
    if len(held_out) < fewest or n_left < 2:
        raise ValueError(
            f"held_out has {len(held_out)} categories and leaves {n_left} to train on: at least "
            f"{fewest} must be held out (of one alone, any ranking of its photos is right) and 2 "
            "left."
        )


def _divide(split, y, random_state):
    """Which photos of the other categories are trained on, and which are in the gallery."""
    if split is not None and "test" in split:
        return split == "train" if "train" in split else split != "test", split == "test"
    labels, counts = np.unique(y, return_counts=True)
    if counts.min() < _HELD_OUT:
        raise ValueError(
            f"There are {counts.min()} photos of {labels.tolist()[counts.argmin()]!r}: at least "
            f"{_HELD_OUT} of each category are needed to hold some out. Give the data a split of "
            "their own, or leave the category out."
        )
    folds = StratifiedKFold(_HELD_OUT, shuffle=True, random_state=random_state)
    _, rows = next(folds.split(np.zeros(len(y)), y))
    test = np.isin(np.arange(len(y)), rows)
    return ~test, test
