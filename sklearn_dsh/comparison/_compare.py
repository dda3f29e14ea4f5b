"""Every method on the same problem, by the same measure, one finished cell after the other."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn.model_selection import GridSearchCV
from sklearn.utils import Bunch
from tqdm import tqdm

import sklearn_dsh

from ..metrics import retrieval_scorer
from ..model_selection import SketchKFold, StratifiedViewKFold
from ._evaluate import (
    curves,
    evaluate,
    evaluate_features,
    evaluate_projections,
    projection_score,
    retrieved,
    with_features,
)
from ._methods import FEATURES, METHODS, Method
from ._problem import PROTOCOLS, check_protocol, make_problem
from ._results import Results

N_SPLITS = 3  # of the training data, to choose settings


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    methods : tuple of str
        Names, such as those of `default_methods`.
    bits : tuple of int
        Lengths of the codes.
    protocols : tuple of {"paper", "unseen"}
    n_seeds : int
        Of the length `seeded_bits`; one of the others.
    seeded_bits : int
        The settings of a method are chosen at this length, too.
    k : int
        Depth of the precision.

    Raises
    ------
    ValueError
        If a number is no integer of 1 or more, or there is no such protocol, or several seeds are
        wanted of no length.
    """

    methods: tuple = tuple(METHODS)
    bits: tuple = (32, 64, 128)
    protocols: tuple = PROTOCOLS
    n_seeds: int = 1
    seeded_bits: int = 64
    k: int = 200

    def __post_init__(self):
        numbers = {f"bits[{i}]": n_bits for i, n_bits in enumerate(self.bits)}
        numbers |= {name: getattr(self, name) for name in ("n_seeds", "seeded_bits", "k")}
        for name, value in numbers.items():
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} must be an integer of 1 or more, got {value!r}.")
        for protocol in self.protocols:
            check_protocol(protocol)
        if self.n_seeds > 1 and self.seeded_bits not in self.bits:
            raise ValueError(
                f"n_seeds={self.n_seeds} are of the length seeded_bits={self.seeded_bits}, which "
                f"is none of bits={tuple(self.bits)}."
            )

    def cells(self, methods: Mapping[str, Method]) -> Iterator[tuple[str, str, int | None, int]]:
        """Yield (protocol, method, n_bits, seed), a protocol after the other.

        Parameters
        ----------
        methods : dict of str to Method
        """
        for protocol in dict.fromkeys(self.protocols):
            for method in dict.fromkeys(self.methods):
                if methods[method].make is None:  # plain features have no length
                    yield protocol, method, None, 0
                    continue
                for n_bits in dict.fromkeys(map(int, self.bits)):
                    for seed in range(self.n_seeds if n_bits == self.seeded_bits else 1):
                        yield protocol, method, n_bits, seed


def compare(
    data: Bunch,
    plan: Plan,
    path: str | os.PathLike[str],
    *,
    methods: Mapping[str, Method] | None = None,
    name: str = "data",
    verbose: bool = False,
) -> list[dict[str, Any]]:
    """Compare methods, and keep what is finished in a file.

    The settings of a method's grid are chosen once a protocol, by cross-validation on the rows to
    train on, never on the queries. Where a method reads features by a function, which may be
    fitted, they are chosen on one of the folds, with features that are fitted on the others.

    Parameters
    ----------
    data : Bunch
        From a loader of :mod:`sklearn_dsh.datasets`, with sketches and photos.
    plan : Plan
    path : str or path-like
        File of the results (JSON lines). Cells that are there are not computed again; begin another
        file after changing the data, a method, `seeded_bits` or the library.
    methods : dict of str to Method, default=None
        None: `default_methods`.
    name : str, default="data"
        What the file calls the data: results of another name count as those of other data.
    verbose : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    rows : list of dict
        One a cell of the plan, in its order.

    Raises
    ------
    ValueError
        If there is no such method, or the file is broken or holds results of other data (as their
        numbers of sketches and photos tell).
    TypeError
        If the values of a grid cannot be written as JSON.
    """
    methods = METHODS if methods is None else methods
    unknown = sorted(set(plan.methods) - set(methods))
    if unknown:
        raise ValueError(f"There are no methods {unknown}: expected some of {list(methods)}.")
    for method_name in plan.methods:
        json.dumps(methods[method_name].grid)  # what is chosen from it is written down
    results = Results(path)
    common = {"data": name, "k": int(plan.k), "version": sklearn_dsh.__version__}
    problems, rows = _Problems(data), []
    for protocol in dict.fromkeys(plan.protocols):
        _refuse_other_data(results, name, protocol, problems.images(protocol).sizes())
    cells = tqdm(list(plan.cells(methods)), disable=not verbose, unit="cell")
    for protocol, method_name, n_bits, seed in cells:
        key = common | {"protocol": protocol, "method": method_name, "bits": n_bits, "seed": seed}
        if not results.find(key):
            method = methods[method_name]
            settings = _choose_settings(results, key, method, problems, int(plan.seeded_bits))
            problem = problems.get(protocol, method, n_bits, seed)
            results.add(key | _run(method, problem, n_bits, seed, settings, plan.k))
        rows.append(results.find(key)[0])
    return rows


def _refuse_other_data(results, name, protocol, sizes):
    """ValueError if results, or settings chosen for them, are of other sketches and photos."""
    for row in results.find({"data": name, "protocol": protocol}):
        if row.get("sizes", sizes) != sizes:
            raise ValueError(
                f"{str(results.path)!r} holds results of other data of the name {name!r}: of "
                f"{row['sizes']} sketches and photos to train on, queries and photos in the "
                f"gallery; these have {sizes}. Write to another file, or name the data otherwise."
            )


class _Problems:
    """Problems by protocol, as images and as features, each made when it is first wanted."""

    def __init__(self, data):
        self.data, self.made = data, {}

    def images(self, protocol):
        if (protocol, "images", ()) not in self.made:
            self.made = {(protocol, "images", ()): make_problem(self.data, protocol)}
        return self.made[protocol, "images", ()]

    def get(self, protocol, method, n_bits, seed):
        """The problem as a method reads it, to learn codes of a length with a seed."""
        images, kind = self.images(protocol), method.reads
        code = (n_bits, seed) if method.reads_code else ()
        if (protocol, kind, code) not in self.made:
            make = FEATURES[kind] if isinstance(kind, str) else kind
            self.made[protocol, kind, code] = with_features(images, make(images, *code))
        return self.made[protocol, kind, code]

    def to_choose_with(self, protocol, method, n_bits):
        """Rows to train on, their labels, and the folds by which settings are chosen.

        Features that may learn from labels learn nothing of the fold that is scored: there is one,
        and they are fitted once more, on the others.
        """
        splitter = SketchKFold if protocol == "paper" else StratifiedViewKFold
        folds = splitter(N_SPLITS, shuffle=True, random_state=0)
        kind = method.reads
        if isinstance(kind, str):
            problem = self.get(protocol, method, n_bits, 0)
            return problem.train, problem.y_train, folds
        problem = self.images(protocol)
        X, y = problem.train, problem.y_train
        code = (n_bits, 0) if method.reads_code else ()
        if (protocol, kind, "folds") not in self.made:
            train, test = next(folds.split(X, y))
            features = kind(problem, *code)
            features.fit_transform(X[train], y[train])
            self.made[protocol, kind, "folds"] = features.transform(X), [(train, test)]
        X, folds = self.made[protocol, kind, "folds"]
        return X, y, folds


def _choose_settings(results, cell, method, problems, n_bits):
    """The best settings of a method's grid, chosen once a protocol."""
    if not method.grid:
        return {}
    key = {name: cell[name] for name in ("data", "version", "protocol")}
    key |= {"settings_of": cell["method"], "bits": n_bits}
    if not results.find(key):
        X, y, folds = problems.to_choose_with(cell["protocol"], method, n_bits)
        hasher = method.make(n_bits, 0)
        scoring = retrieval_scorer("mean_average_precision") if method.hashes else projection_score
        search = GridSearchCV(hasher, method.grid, scoring=scoring, cv=folds, refit=False)
        search.fit(X, y)
        sizes = problems.images(cell["protocol"]).sizes()
        results.add(key | {"settings": search.best_params_, "sizes": sizes})
    return results.find(key)[0]["settings"]


def _run(method, problem, n_bits, seed, settings, k):
    if method.make is None:
        result = evaluate_features(problem, k=k)
    else:
        measure = evaluate if method.hashes else evaluate_projections
        result = measure(method.make(n_bits, seed).set_params(**settings), problem, k=k)
    row = {
        "map": result.mean_average_precision,
        "precision": result.precision,
        "encode_microseconds": result.encode_microseconds,
        "search_microseconds": result.search_microseconds,
        "bytes_per_photo": result.bytes_per_photo,
        "fit_seconds": result.fit_seconds,
        "settings": settings,
        "draws_pairs": method.draws_pairs,
        "sizes": problem.sizes(),
    }
    if seed > 0:
        return row
    return row | curves(result, problem) | {"retrieved": retrieved(result, problem)}
