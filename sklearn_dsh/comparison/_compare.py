"""Every method on the same problem, by the same measure, one finished cell after the other."""

import json
import os
import traceback
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.utils import Bunch

import sklearn_dsh

from .._labels import check_labels, warn_of_one_view
from .._pipelines import last_step
from .._progress import Progress
from .._validation import view_kind
from ..exceptions import OneViewWarning
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
from ._methods import AS_THEY_ARE, FEATURES, METHODS, Method, of_vectors, warn_of_left_out
from ._problem import PROTOCOLS, check_protocol, make_problem
from ._results import Results

N_SPLITS = 3  # of the training data, to choose settings


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    methods : tuple of str, default=None
        Names, such as those of `default_methods`; None: all that `compare` is given.
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

    methods: tuple | None = None
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
            for method in dict.fromkeys(methods if self.methods is None else self.methods):
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

    Where a method fails, a warning tells why, the others go on, and the next run tries it again.

    The settings of a method's grid are chosen once a protocol, by cross-validation on the rows to
    train on, never on the queries. Where a method reads features by a function, which may be
    fitted, they are chosen on one of the folds, with features that are fitted on the others.

    Parameters
    ----------
    data : Bunch
        From a loader of :mod:`sklearn_dsh.datasets`, with sketches and photos; or a Bunch of your
        own with `sketches`, `images`, `y_sketch` and `y_image`. Feature vectors (n, n_features) may
        take the place of images, in both views: then methods read "vectors".
    plan : Plan
    path : str or path-like
        File of the results (JSON lines). Cells that are there are not computed again; begin another
        file after changing the data, a method, `seeded_bits` or the library.
    methods : dict of str to Method, default=None
        None: `default_methods`, for vectors ``default_methods("vectors")``.
    name : str, default="data"
        What the file calls the data. Results of another name count as those of other data: give
        other vectors of the same sketches and photos a name of their own.
    verbose : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    rows : list of dict
        One a cell of the plan, in its order. That of a method that failed has "error", the reason,
        and "traceback" in place of figures.

    Raises
    ------
    ValueError
        If there is no such method, a method reads images and the data hold vectors, or the other
        way round, or the file is broken or holds results of other data (as their numbers of
        sketches and photos tell).
    TypeError
        If the values of a grid cannot be written as JSON.

    Warns
    -----
    UserWarning
        Of a method that failed; of those left out of a plan of all methods, as they read images.
    OneViewWarning
        If a category is in one view only.
    """
    held = _held(data)
    if methods is None:
        methods = of_vectors(METHODS) if held == "vectors" else METHODS
        if held == "vectors" and plan.methods is None:
            warn_of_left_out(METHODS, stacklevel=2)
    names = tuple(methods) if plan.methods is None else plan.methods
    unknown = sorted(set(names) - set(methods))
    if unknown:
        raise ValueError(f"There are no methods {unknown}: expected some of {list(methods)}.")
    _refuse_what_cannot_be_read(held, {name: methods[name] for name in names})
    for method_name in names:
        json.dumps(methods[method_name].grid)  # what is chosen from it is written down
    results = Results(path)
    common = {"data": name, "k": int(plan.k), "version": sklearn_dsh.__version__}
    problems, rows = _Problems(data), []
    for protocol in dict.fromkeys(plan.protocols):
        _refuse_other_data(results, name, protocol, problems.images(protocol).sizes())
    if held is not None:  # once, and not of every fit
        of_views = (check_labels(np.asarray(data[name]), name) for name in ("y_sketch", "y_image"))
        warn_of_one_view(*of_views, stacklevel=2)
    cells = list(plan.cells(methods))
    with Progress(len(cells), desc="Comparing", unit="cells", disable=not verbose) as progress:
        for protocol, method_name, n_bits, seed in cells:
            key = {"protocol": protocol, "method": method_name, "bits": n_bits, "seed": seed}
            length = "" if n_bits is None else f", {n_bits} bits"
            progress.set_description_str(f"{method_name}{length}, {protocol}", refresh=False)
            key = common | key
            if not _finished(results, key):
                method = methods[method_name]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", OneViewWarning)
                    row = _run_or_tell(results, key, method, problems, plan, verbose)
                results.add(key | row)
            rows.append((_finished(results, key) or results.find(key)[::-1])[0])
            progress.update()
    return rows


def _held(data):
    """What stands for sketches and photos: "images" or "vectors"; None if a view is absent."""
    views = [data.get(name) for name in ("sketches", "images")]
    if any(view is None for view in views):
        return None  # which is told where they are split
    are_vectors = [view_kind(view) == "features" for view in views]
    if are_vectors[0] != are_vectors[1]:
        of_vectors, of_images = ("sketches", "photos") if are_vectors[0] else ("photos", "sketches")
        raise ValueError(
            f"The {of_vectors} are feature vectors and the {of_images} images: give both as "
            "images, or both as vectors."
        )
    return "vectors" if are_vectors[0] else "images"


def _refuse_what_cannot_be_read(held, methods):
    """ValueError for methods that read images where there are vectors, or the other way round.

    What a function makes of the data is its own affair.
    """
    wrong = [
        name
        for name, method in methods.items()
        if isinstance(method.reads, str) and (method.reads == "vectors") != (held == "vectors")
    ]
    if held is None or not wrong:
        return
    if held == "vectors":
        reason, advice = "read images, and the data hold vectors", "default_methods('vectors')"
    else:
        reason, advice = "read vectors, and the data hold images", "default_methods()"
    raise ValueError(
        f"The methods {wrong} {reason}. Take those of {advice}, or say what a method of your own "
        "reads: Method(..., reads=...)."
    )


def _finished(results, key):
    """Rows of a cell that has figures: it is not run again."""
    return [row for row in results.find(key) if "error" not in row]


def _run_or_tell(results, key, method, problems, plan, verbose):
    """The figures of a cell; where the method fails, the error in their place."""
    try:
        settings = _choose_settings(results, key, method, problems, int(plan.seeded_bits))
        problem = problems.get(key["protocol"], method, key["bits"], key["seed"])
        return _run(method, problem, key["bits"], key["seed"], settings, plan.k, verbose)
    except Exception as error:  # of whatever kind: the others are compared all the same
        text = " ".join(f"{type(error).__name__}: {error}".split())
        length = "" if key["bits"] is None else f" with {key['bits']} bits"
        warnings.warn(
            f"{key['method']}{length} (protocol {key['protocol']}, seed {key['seed']}) failed, and "
            f"is tried again by the next run. {text}",
            UserWarning,
            stacklevel=3,
        )
        return {
            "error": text,
            "traceback": traceback.format_exc(),
            "sizes": problems.images(key["protocol"]).sizes(),
        }


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
    """Problems by protocol, as given and as features, each made when it is first wanted."""

    def __init__(self, data):
        self.data, self.made, self.unsettled = data, {}, {}

    def images(self, protocol):
        """The problem of the data as they are: images, or vectors in their place."""
        if (protocol, "images", ()) not in self.made:
            self.made = {(protocol, "images", ()): make_problem(self.data, protocol)}
        return self.made[protocol, "images", ()]

    def get(self, protocol, method, n_bits, seed):
        """The problem as a method reads it, to learn codes of a length with a seed."""
        images, kind = self.images(protocol), method.reads
        if kind in AS_THEY_ARE:
            return images
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
        failed = problems.unsettled.get((cell["protocol"], cell["method"]))
        if failed is not None:  # which may have taken hours
            raise failed
        try:
            settings = _search_settings(method, problems, cell["protocol"], n_bits)
        except Exception as error:
            problems.unsettled[cell["protocol"], cell["method"]] = error
            raise
        sizes = problems.images(cell["protocol"]).sizes()
        results.add(key | {"settings": settings, "sizes": sizes})
    return results.find(key)[0]["settings"]


def _search_settings(method, problems, protocol, n_bits):
    X, y, folds = problems.to_choose_with(protocol, method, n_bits)
    scoring = retrieval_scorer("mean_average_precision") if method.hashes else projection_score
    hasher = method.make(n_bits, 0)
    search = GridSearchCV(hasher, method.grid, scoring=scoring, cv=folds, refit=False)
    return search.fit(X, y).best_params_


def _run(method, problem, n_bits, seed, settings, k, verbose):
    if method.make is None:
        result = evaluate_features(problem, k=k)
    else:
        measure = evaluate if method.hashes else evaluate_projections
        estimator = method.make(n_bits, seed).set_params(**settings)
        if verbose and hasattr(last_step(estimator), "verbose"):  # a bar for a long fit
            last_step(estimator).set_params(verbose=1)
        result = measure(estimator, problem, k=k)
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
