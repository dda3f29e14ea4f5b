"""The codes' side of the alternation: where they start and how one round updates them."""

import math

import numpy as np

from ._category_codes import initial_category_codes, smallest_distance
from ._code_updates import (
    CodeProblem,
    similarity_coefficients,
    smallest_category_distance,
    sweep,
    update_basis,
)
from ._losses import CodeLoss
from ._objective import objective
from ._semantic_codes import semantic_category_codes
from ._weights import from_tensors, to_tensors

KEPT_DISTANCE = 0.9  # of the smallest distance at the start, with min_distance="auto"


class Alternation:
    """B_I, B_S and D over the rounds of a fit of DeepSketchHasher.

    With one view alone, that view stands on both sides of the pairwise term.

    Parameters
    ----------
    labels : dict view -> int array (n_view,)
    n_categories, n_bits : int
    class_vectors : float array (d, n_categories)
    random_state : numpy.random.RandomState
    init_codes, min_distance, similarity, semantic_weight, quantization_weight
        As in DeepSketchHasher.
    code_updates : {"discrete", "relaxed", "fixed"}
    loss, auxiliary_weight
        As in DeepSketchHasher.
    category_codes : dict view -> int8 array (n_bits, n_categories), default=None
        Those of an earlier fit, to go on from, in place of new ones.
    """

    mixes, paired = True, False

    def __init__(
        self,
        labels,
        n_categories,
        n_bits,
        class_vectors,
        random_state,
        *,
        init_codes="separated",
        min_distance="auto",
        similarity="centred",
        semantic_weight=0.01,
        quantization_weight="balanced",
        code_updates="discrete",
        loss="cross_entropy",
        auxiliary_weight=0.3,
        category_codes=None,
    ):
        self.views, self.updates = tuple(labels), code_updates != "fixed"
        self.relaxed = code_updates == "relaxed"
        self.loss, self.auxiliary_weight = loss, auxiliary_weight
        only = labels[self.views[0]]
        labels = {view: labels.get(view, only) for view in ("sketch", "image")}
        if category_codes is None:
            if init_codes == "semantic":
                start = semantic_category_codes(class_vectors, n_bits, random_state)
            else:
                start = initial_category_codes(n_categories, n_bits, random_state, kind=init_codes)
            category_codes = dict.fromkeys(labels, start.T)
        only = category_codes[self.views[0]]
        start = {view: category_codes.get(view, only) for view in labels}
        if min_distance == "auto":
            smallest = min(smallest_distance(codes.T) for codes in start.values())
            min_distance = math.ceil(KEPT_DISTANCE * smallest)
        if quantization_weight == "balanced":
            quantization_weight = min(len(y) for y in labels.values())
        self.problem = CodeProblem(
            labels,
            n_categories,
            class_vectors,
            similarity_coefficients(similarity, n_categories),
            lambda_=semantic_weight,
            gamma=quantization_weight,
            min_distance=int(min_distance or 0),
        )
        self.codes = {view: np.ascontiguousarray(start[view][:, y]) for view, y in labels.items()}
        self.majority = {view: codes.copy() for view, codes in start.items()}
        self.basis = update_basis(self.problem, self.codes)

    def update(self, outputs=None):
        """One round of D, B_I, B_S.

        Parameters
        ----------
        outputs : dict view -> float array (n_view, n_bits), or None
            The networks' F; None before they were trained at all.

        Returns
        -------
        value : float
            The objective afterwards.
        """
        if outputs is not None:
            only = outputs[self.views[0]]
            outputs = {view: np.ascontiguousarray(outputs.get(view, only).T) for view in self.codes}
        self.basis = sweep(self.problem, self.codes, outputs, self.majority, relaxed=self.relaxed)
        return objective(self.problem, self.codes, outputs, self.basis)

    def make_loss(self, device):
        """What the networks are trained with until the next update."""
        return CodeLoss(
            self.item_codes(), self.category_codes(), self.loss, self.auxiliary_weight, device
        )

    def learned(self):
        """Copies of the majority codes (n_bits, n_categories) of each view, and of D."""
        majority = {view: self.majority[view].copy() for view in self.views}
        return {"majority": majority, "basis": self.basis.copy()}

    def item_codes(self):
        """Dict view -> int8 array (n_view, n_bits) of -1 and +1."""
        return {view: np.ascontiguousarray(self.codes[view].T) for view in self.views}

    def category_codes(self):
        """Dict view -> int8 array (n_categories, n_bits): the majority of each category.

        A category that a view lacks keeps the code it started with there.
        """
        return {view: np.ascontiguousarray(self.majority[view].T) for view in self.views}

    def smallest_distance(self):
        """The smallest distance between the codes of two categories, across views too."""
        return smallest_category_distance(self.problem, self.majority)

    def state_dict(self):
        """Codes and basis, as tensors, and the distance that they keep."""
        arrays = {"codes": self.codes, "majority": self.majority, "basis": self.basis}
        return to_tensors(arrays) | {"min_distance": self.problem.min_distance}

    def load_state_dict(self, state):
        arrays = from_tensors({name: state[name] for name in ("codes", "majority", "basis")})
        held = {"codes": self.codes, "majority": self.majority, "basis": self.basis}
        if _forms(arrays) != _forms(held):
            raise ValueError(f"codes of other forms: {_forms(arrays)}, not {_forms(held)}")
        self.problem.min_distance = int(state["min_distance"])
        self.codes, self.majority, self.basis = arrays.values()


def _forms(arrays):
    """Names, shapes and dtypes of arrays, and of dicts of these."""
    if isinstance(arrays, dict):
        return {name: _forms(value) for name, value in arrays.items()}
    return arrays.shape, arrays.dtype
