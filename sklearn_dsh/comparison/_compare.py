"""Every method on the same problem, by the same measure, one finished cell after the other."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.model_selection import GridSearchCV
from sklearn.utils import Bunch
from tqdm import tqdm

import sklearn_dsh

from ..model_selection import SketchKFold, StratifiedViewKFold
from ._evaluate import curves, evaluate, evaluate_features, evaluate_projections, with_features
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
    """

    methods: tuple = tuple(METHODS)
    bits: tuple = (32, 64, 128)
    protocols: tuple = PROTOCOLS
    n_seeds: int = 1
    seeded_bits: int = 64
    k: int = 200

    def cells(self, methods: Mapping[str, Method]) -> Iterator[tuple[str, str, int | None, int]]:
        """Yield (protocol, method, n_bits, seed), a protocol after the other.

        Parameters
        ----------
        methods : dict of str to Method
        """
        for protocol in self.protocols:
            for method in self.methods:
                if methods[method].make is None:  # plain features have no length
                    yield protocol, method, None, 0
                    continue
                for n_bits in self.bits:
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
    train on, never on the queries.

    Parameters
    ----------
    data : Bunch
        From a loader of :mod:`sklearn_dsh.datasets`, with sketches and photos.
    plan : Plan
    path : str or path-like
        File of the results (JSON lines). Cells that are there are not computed again; begin another
        file after changing data or library.
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
        If there is no such method or protocol, several seeds are wanted of no length, or the file
        is broken.
    TypeError
        If the values of a grid cannot be written as JSON.
    """
    methods = METHODS if methods is None else methods
    unknown = sorted(set(plan.methods) - set(methods))
    if unknown:
        raise ValueError(f"There are no methods {unknown}: expected some of {list(methods)}.")
    for protocol in plan.protocols:
        check_protocol(protocol)
    if plan.n_seeds > 1 and plan.seeded_bits not in plan.bits:
        raise ValueError(
            f"n_seeds={plan.n_seeds} are of the length seeded_bits={plan.seeded_bits}, which is "
            f"none of bits={plan.bits}."
        )
    for method_name in plan.methods:
        json.dumps(methods[method_name].grid)  # what is chosen from it is written down
    results = Results(path)
    common = {"data": name, "k": plan.k, "version": sklearn_dsh.__version__}
    problems, rows = _Problems(data), []
    cells = tqdm(list(plan.cells(methods)), disable=not verbose, unit="cell")
    for protocol, method_name, n_bits, seed in cells:
        key = common | {"protocol": protocol, "method": method_name, "bits": n_bits, "seed": seed}
        if not results.find(key):
            method = methods[method_name]
            problem = problems.get(protocol, method.reads)
            settings = _choose_settings(results, key, method, problem, plan.seeded_bits)
            results.add(key | _run(method, problem, n_bits, seed, settings, plan.k))
        rows += results.find(key)
    return rows


class _Problems:
    """Problems by protocol, as images and as features, each made when it is first wanted."""

    def __init__(self, data):
        self.data, self.made = data, {}

    def get(self, protocol, kind):
        if (protocol, "images") not in self.made:
            self.made = {(protocol, "images"): make_problem(self.data, protocol)}
        images = self.made[protocol, "images"]
        if (protocol, kind) not in self.made:
            self.made[protocol, kind] = with_features(images, FEATURES[kind](images))
        return self.made[protocol, kind]


def _choose_settings(results, cell, method, problem, n_bits):
    """The best settings of a method's grid, chosen once a protocol."""
    if not method.grid:
        return {}
    key = {name: cell[name] for name in ("data", "version", "protocol")}
    key |= {"settings_of": cell["method"], "bits": n_bits}
    if not results.find(key):
        splitter = SketchKFold if problem.protocol == "paper" else StratifiedViewKFold
        folds = splitter(N_SPLITS, shuffle=True, random_state=0)
        search = GridSearchCV(method.make(n_bits, 0), method.grid, cv=folds, refit=False)
        search.fit(problem.train, problem.y_train)
        results.add(key | {"settings": search.best_params_})
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
    return row | (curves(result, problem) if seed == 0 else {})
