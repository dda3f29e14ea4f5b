"""Whether an answer is sure: the nearest photos fit the query well, and agree on a category."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import plain_array
from ._labels import category_labels, label_kind
from .codes import pack_bits, unpack_bits

if TYPE_CHECKING:
    from .gallery import Gallery

__all__ = ["Confidence", "Verdict"]

_FEWEST = 20  # sketches from which shares can be told at all
_MOST_TRIED = 200  # agreements


class Verdict(NamedTuple):
    """What is to be thought of one answer.

    Attributes
    ----------
    category : str
        The commonest among the nearest photos; of equally common ones, that of the nearer photo.
    sure : bool
    reason : {"far", "mixed"} or None
        Why it is not sure: the nearest photos are farther away than usual, or of several
        categories.
    """

    category: str
    sure: bool
    reason: Literal["far", "mixed"] | None


@dataclass(frozen=True)
class Confidence:
    """A rule that tells sure answers of a search from others.

    A code alone does not tell how firmly its bits were set: what a network has never seen often
    gets the code of a category that it knows. The values before the sign, ``hasher.project``, do.
    The *agreement* of a query and a photo is the mean, over the bits, of one plus the size of the
    query's value in units of `scale`, taken as negative where the photo has the other bit: large
    where the bits are the same, and firm.

    An answer is sure if its agreement with the nearest photos is at least `min_agreement` on
    average, and at least `min_share` of them are of one category. All of these numbers belong to
    one model and gallery: :meth:`calibrate` finds them.

    Parameters
    ----------
    min_agreement : float
        With infinity, no answer is sure.
    min_share : float
        Between 0 and 1.
    n_neighbors : int, default=10
        The nearest so many photos are looked at.
    scale : float, default=1.0
        What is a usual size of a value: `calibrate` takes the root of the mean square.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dsh.confidence import Confidence
    >>> confidence = Confidence(min_agreement=1.5, min_share=0.75, n_neighbors=4)
    >>> codes = np.array([[0b11110000]] * 4, dtype=np.uint8)
    >>> firm = [0.9, 0.9, 0.9, 0.9, -0.9, -0.9, -0.9, -0.9]
    >>> confidence.judge(firm, codes, ["boat", "boat", "boat", "cup"])
    Verdict(category='boat', sure=True, reason=None)
    >>> confidence.judge(firm, codes, ["boat", "cup", "boat", "cup"]).reason
    'mixed'
    >>> faint = [0.1, 0.9, 0.1, 0.1, -0.1, -0.9, -0.1, 0.1]
    >>> confidence.judge(faint, codes, ["boat", "boat", "boat", "boat"]).reason
    'far'
    """

    min_agreement: float
    min_share: float
    n_neighbors: int = 10
    scale: float = 1.0

    @classmethod
    def calibrate(
        cls,
        gallery: "Gallery",
        values: ArrayLike,
        labels: Sequence[str],
        *,
        n_neighbors: int = 10,
        sure_share: float = 0.7,
        min_right: float = 0.9,
    ) -> Self:
        """Find the thresholds on sketches whose categories are known.

        The strictest thresholds are taken with which still `sure_share` of the sketches are
        answered as sure: what is of a category that the gallery lacks is to be told from them. If
        less than `min_right` of the sure answers had the right category, fewer are sure: as many
        as can be with `min_right` of them right; none, if there are no such thresholds.

        Parameters
        ----------
        gallery : Gallery
            With labels.
        values : array-like of shape (n_sketches, n_bits)
            ``hasher.project`` of at least 20 sketches, on which the model was not trained: of those
            that it was trained on it is too sure.
        labels : sequence of str, of length n_sketches
            Their categories. Sketches of categories that the gallery lacks may be among them: they
            count as wrong, and not towards `sure_share`.
        n_neighbors : int, default=10
            Or all photos of a smaller gallery.
        sure_share : float, default=0.7
        min_right : float, default=0.9

        Returns
        -------
        confidence : Confidence

        Raises
        ------
        ValueError
            If the gallery has no labels or none of these, the values are not of its number of bits,
            there is not one label for each row, there are fewer than 20, or a parameter is out of
            its range.
        """
        for name, value in (("sure_share", sure_share), ("min_right", min_right)):
            if not 0 < value <= 1:
                raise ValueError(f"{name}={value!r}: expected a number above 0, up to 1.")
        if not isinstance(n_neighbors, Integral) or n_neighbors < 1:
            raise ValueError(f"n_neighbors={n_neighbors!r}: expected a whole number, at least 1.")
        n_neighbors = min(int(n_neighbors), len(gallery))
        values, labels = np.asarray(plain_array(values, "values")), _texts(labels)
        scale = float(np.sqrt(np.mean(np.square(values)))) or 1.0 if np.size(values) else 1.0
        answers = _answers(gallery, values, labels, n_neighbors, scale)
        agreements, categories, shares = answers
        if len(labels) < _FEWEST:
            raise ValueError(
                f"There are {len(labels)} sketches to calibrate on: give at least {_FEWEST}, "
                "better some hundreds."
            )
        right = categories == labels
        known = np.isin(labels, np.unique(gallery.labels))
        if not known.any():
            raise ValueError(
                f"None of the sketches' categories, such as {str(labels[0])!r}, is one of the "
                f"gallery's, such as {gallery.labels[0]!r}: give sketches of what it holds."
            )
        found = []  # (are enough sure?, what is to be large, thresholds)
        for min_agreement in _candidates(agreements):
            near = agreements >= min_agreement
            for min_share in np.unique(shares):
                sure = near & (shares >= min_share)
                if not sure.any() or right[sure].mean() < min_right:
                    continue
                share_sure = sure[known].mean()
                enough = share_sure >= sure_share
                wanted = (-share_sure if enough else share_sure, right[sure].mean())
                found.append((enough, wanted, min_agreement, min_share))
        if not found:
            return cls(float("inf"), 1.0, n_neighbors, scale)
        *_, min_agreement, min_share = max(found)
        return cls(float(min_agreement), float(min_share), n_neighbors, scale)

    def judge(self, values: ArrayLike, codes: ArrayLike, labels: Sequence[str]) -> Verdict:
        """Judge one answer.

        Parameters
        ----------
        values : array-like of shape (n_bits,)
            ``hasher.project`` of the query.
        codes : array-like of shape (n_neighbors, ceil(n_bits / 8)), dtype uint8
            Of the nearest photos, nearest first.
        labels : sequence of str, of length n_neighbors
            Of the same photos.

        Returns
        -------
        verdict : Verdict

        Raises
        ------
        ValueError
            If there are not codes and labels of `n_neighbors` photos, or the codes are not of as
            many bits as there are values.
        """
        if not len(codes) == len(labels) == self.n_neighbors:
            raise ValueError(
                f"Got {len(codes)} codes and {len(labels)} labels: expected those of the "
                f"{self.n_neighbors} nearest photos."
            )
        values = np.asarray(plain_array(values, "values"))[None] / self.scale
        agreement = _agreement(values, np.asarray(codes)[:, None])[0]
        category, share = _commonest(labels)
        reason = "mixed" if share < self.min_share else None
        if agreement < self.min_agreement:
            reason = "far"
        return Verdict(category, reason is None, reason)

    def measure(
        self, gallery: "Gallery", values: ArrayLike, labels: Sequence[str]
    ) -> tuple[float, float]:
        """How often answers are sure, and how often sure ones have the right category.

        Parameters
        ----------
        gallery : Gallery
            That of the calibration.
        values : array-like of shape (n_sketches, n_bits)
        labels : sequence of str, of length n_sketches

        Returns
        -------
        sure : float
            Share of all answers.
        right : float
            Share of the sure ones; nan if there are none.

        Raises
        ------
        ValueError
            If the gallery has no labels, the values are not of its number of bits, or there is not
            one label for each row.
        """
        labels = _texts(labels)
        answers = _answers(gallery, values, labels, self.n_neighbors, self.scale)
        agreements, categories, shares = answers
        sure = (agreements >= self.min_agreement) & (shares >= self.min_share)
        right = categories == labels
        return float(sure.mean()), float(right[sure].mean()) if sure.any() else float("nan")


def _answers(gallery, values, labels, n_neighbors, scale):
    """Agreement with the nearest photos of each query, their commonest category and its share."""
    if gallery.labels is None:
        raise ValueError(
            "The gallery has no labels, so that no answer can be right or wrong: make it with "
            "labels, on the command line by `encode --labels`."
        )
    values = np.asarray(plain_array(values, "values"))
    if values.ndim != 2 or values.shape[1] != gallery.n_bits:
        raise ValueError(
            f"values of shape {values.shape}: expected (n_sketches, {gallery.n_bits}), what "
            "hasher.project gives for the hasher that made the gallery."
        )
    if len(labels) != len(values):
        raise ValueError(
            f"There are {len(labels)} labels for {len(values)} sketches: give one for each."
        )
    _, indices = gallery.search(pack_bits(values >= 0), n_neighbors)
    agreements = _agreement(values / scale, (gallery.codes[rows] for rows in indices.T))
    found = [_commonest([gallery.labels[i] for i in row]) for row in indices.tolist()]
    categories, shares = zip(*found, strict=True)
    return agreements, np.array(categories, dtype=object), np.array(shares)


def _texts(labels):
    """Categories of queries as the gallery has them: texts, as an array of objects."""
    labels = category_labels(labels, "labels")
    if label_kind(labels) != "text":
        raise ValueError(
            f"labels are {label_kind(labels)}, but a gallery's are text: give the categories as "
            "they are there, str for each sketch."
        )
    return labels.astype(object)


def _agreement(values, codes_by_place):
    """Of each query with its photos on average; codes (n_queries, n_bytes) for each place."""
    firm = values + np.where(values >= 0, 1, -1)
    of_places = [
        ((2.0 * unpack_bits(codes, values.shape[1]) - 1) * firm).mean(axis=1)
        for codes in codes_by_place
    ]
    return np.mean(of_places, axis=0)


def _commonest(labels):
    """The commonest label, of equally common ones the first, and its share."""
    label, count = Counter(labels).most_common(1)[0]
    return str(label), count / len(labels)


def _candidates(agreements):
    values = np.unique(agreements)
    if len(values) <= _MOST_TRIED:
        return values
    return np.unique(np.quantile(values, np.linspace(0, 1, _MOST_TRIED)))
