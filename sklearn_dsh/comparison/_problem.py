"""What methods are compared on: what they learn from, the queries and the gallery."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..model_selection import SketchKFold, StratifiedViewKFold
from ..views import SketchImageArray, stack_views

if TYPE_CHECKING:
    from sklearn.utils import Bunch

PROTOCOLS = ("paper", "unseen")
_HELD_OUT = 5  # one in so many sketches (and photos) where the data name no test part


@dataclass
class Problem:
    """Rows to learn from, query sketches and a gallery of photos.

    Attributes
    ----------
    protocol : {"paper", "unseen"}
    train : SketchImageArray
    y_train : ndarray of shape (n_train,)
    queries, gallery : arrays of sketches and of photos, or of what stands for them
    y_query, y_gallery : ndarrays of shape (n_queries,) and (n_gallery,)
    """

    protocol: str
    train: SketchImageArray
    y_train: np.ndarray
    queries: np.ndarray
    y_query: np.ndarray
    gallery: np.ndarray
    y_gallery: np.ndarray

    @property
    def description(self) -> str:
        """The protocol in words, with the numbers of sketches and photos."""
        n_sketches, n_photos, n_queries, n_gallery = self.sizes()
        if self.protocol == "paper":
            photos, gallery = f"all {n_photos} photos", "all photos (the protocol of the papers)"
        else:
            photos, gallery = f"{n_photos} photos", f"{n_gallery} other photos"
        return (
            f"{len(np.unique(self.y_train))} categories. Trained on {n_sketches} sketches and "
            f"{photos};\n{n_queries} other sketches query {gallery}"
        )

    def sizes(self) -> list[int]:
        """Numbers of the sketches and photos trained on, the queries and the gallery."""
        return [
            self.train.n_sketches, self.train.n_images, len(self.y_query), len(self.y_gallery)
        ]  # fmt: skip


def check_protocol(protocol):
    """ValueError if there is no such protocol."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {PROTOCOLS}, got {protocol!r}.")


def make_problem(
    data: "Bunch", protocol: Literal["paper", "unseen"] = "paper", *, random_state: int = 0
) -> Problem:
    """Split the queries, and for one protocol the gallery, off.

    Parameters
    ----------
    data : Bunch
        From a loader of :mod:`sklearn_dsh.datasets`, with sketches and photos.
    protocol : {"paper", "unseen"}, default="paper"
        "paper", that of the literature: all photos are trained on and are the gallery. "unseen":
        the gallery is photos that were not trained on, nor were sketches drawn after them, where
        the data tell (``sketch_groups`` and ``image_groups``, as of `load_sketchy`).
    random_state : int, default=0
        Seed of the split.

    Returns
    -------
    problem : Problem
        Queries are the sketches in the part "test" of the data's split, and those in the part
        "train" are trained on (all others, if there is no such part). Without a part "test" a fifth
        of the sketches of every category are queries, and the others are trained on. The unseen
        photos likewise.

    Raises
    ------
    ValueError
        If there is no such protocol, the data lack a view, or a category has fewer than five
        sketches (or photos, where these are split) to draw from.
    """
    check_protocol(protocol)
    absent = [name for name in ("sketches", "images") if data.get(name) is None]
    if absent:
        raise ValueError(f"The data have no {absent[0]}: sketches query photos, pass both.")
    X, y = stack_views(data.sketches, data.images, (data.y_sketch, data.y_image), interleave=False)
    is_sketch = X.is_sketch
    held_out, trained = np.zeros(len(y), dtype=bool), np.ones(len(y), dtype=bool)
    views = [("sketch", is_sketch, SketchKFold)]
    if protocol == "unseen":
        views.append(("image", ~is_sketch, StratifiedViewKFold))
    for view, rows, splitter in views:
        split = data.get(f"split_{view}")
        split = None if split is None else np.asarray(split)
        if split is not None and "test" in split:
            held_out[rows] = split == "test"
            trained[rows] = split == "train" if "train" in split else split != "test"
        else:
            labels, counts = np.unique(y[rows], return_counts=True)
            if counts.min() < _HELD_OUT:
                fewest = labels.tolist()[counts.argmin()]
                raise ValueError(
                    f"The {view} view has {counts.min()} items of {fewest!r}: at least {_HELD_OUT} "
                    "of each category are needed to hold some out. Give the data a split of their "
                    "own, or leave the category out."
                )
            folds = splitter(n_splits=_HELD_OUT, shuffle=True, random_state=random_state)
            _, test = next(folds.split(X, y))
            held_out |= rows & np.isin(np.arange(len(y)), test)
            trained &= ~held_out
    drawn_after, photos = data.get("sketch_groups"), data.get("image_groups")
    if protocol == "unseen" and drawn_after is not None and photos is not None:
        shown = np.asarray(photos)[held_out[~is_sketch]]
        trained[is_sketch] &= ~np.isin(drawn_after, shown)
    in_gallery = ~is_sketch & (held_out | (protocol == "paper"))
    return Problem(
        protocol=protocol,
        train=X[trained],
        y_train=y[trained],
        queries=X[held_out & is_sketch].take_view("sketch")[:],
        y_query=y[held_out & is_sketch],
        gallery=X[in_gallery].take_view("image")[:],
        y_gallery=y[in_gallery],
    )
