"""Checkpoints of a fit: written whole or not at all, and read only by the fit that wrote them."""

import os
from pathlib import Path

import joblib
import numpy as np
import torch

from ._weights import to_tensors

FILE_NAME = "deep_hasher.pt"
FORMAT = "sklearn_dsh checkpoint 4"
SAMPLED_ROWS = 256  # of each view, to tell one data set from another
# What does not decide the result, or may change between two tries.
IGNORED = ("checkpoint_dir", "verbose", "device", "n_jobs", "cache_size", "cache_dir")


class Checkpoint:
    """The checkpoint file of one fit.

    Parameters
    ----------
    folder : str or path-like
    fingerprint : dict of str
        What a fit must have in common with the one that wrote the file.
    """

    def __init__(self, folder, fingerprint):
        self.path = Path(folder) / FILE_NAME
        self._part = self.path.with_suffix(".part")
        self.fingerprint = fingerprint

    def load(self):
        """What `save` was given last, or None without a file.

        Also tries whether the folder can be written to: it will be needed after hours.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._part.write_bytes(b"")
        if not self.path.exists():
            return None
        try:
            held = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, MemoryError):  # says nothing about the file
            raise
        except Exception as error:  # zip, pickle and torch have an exception for each damage
            raise ValueError(
                f"The checkpoint {os.fspath(self.path)!r} is cut off, damaged or no checkpoint "
                f"({type(error).__name__}). Remove it to train from the start."
            ) from error
        if not isinstance(held, dict) or held.get("format") != FORMAT:
            raise ValueError(
                f"{os.fspath(self.path)!r} is no checkpoint of this version. "
                "Remove it, or give another checkpoint_dir."
            )
        theirs = held["fingerprint"]
        names = sorted(theirs.keys() | self.fingerprint.keys())
        differ = [name for name in names if theirs.get(name) != self.fingerprint.get(name)]
        if differ:
            raise ValueError(
                f"The checkpoint {os.fspath(self.path)!r} is of another fit, with other "
                f"{', '.join(differ)}. Give another checkpoint_dir, or remove the file."
            )
        state = held["state"]
        if state["rows"] is not None:
            state["rows"] = {
                part: {view: rows.numpy() for view, rows in views.items()}
                for part, views in state["rows"].items()
            }
        return state

    def save(self, state, rows=None):
        """Replace the file: whoever reads it finds the old one or the new one.

        Parameters
        ----------
        state : dict of tensors, numbers, strings and lists and dicts of these
        rows : dict of dict of int array, or None
            The rows that are trained on and, with validation, held out.
        """
        state = state | {"rows": None if rows is None else to_tensors(rows)}
        with open(self._part, "wb") as file:
            held = {"format": FORMAT, "fingerprint": self.fingerprint, "state": state}
            torch.save(held, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._part, self.path)

    def remove(self):
        for path in (self.path, self._part):  # writing may have been interrupted
            path.unlink(missing_ok=True)


def fingerprint(hasher, views, labels, start):
    """What tells this fit from others: dict name -> str.

    ``start`` holds the fitted attributes that the fit goes on from, or is None.
    """
    found = {"method": type(hasher).__name__}
    found |= {"start": "none" if start is None else joblib.hash(start["weights_"])}
    for name, value in hasher.get_params().items():
        if name == "random_state" and not isinstance(value, (int, np.integer)):
            continue  # without a seed, the checkpoint is what can be repeated
        if name not in IGNORED:
            found[name] = _describe(value)
    for view, X in views.items():
        rows = np.unique(np.linspace(0, len(X) - 1, SAMPLED_ROWS).astype(int))
        if X.ndim == 1:
            rows = np.arange(len(X))
        sample = np.asarray(X[rows])
        if X.ndim == 1:
            sample = [(os.fspath(path), os.stat(path).st_size) for path in sample]
        found[f"{view} rows"] = joblib.hash((tuple(X.shape), sample))
        found[f"{view} labels"] = joblib.hash(labels[view])
    found["classes"] = joblib.hash(hasher.classes_)
    return found


def _describe(value):
    if value is None or isinstance(value, (bool, int, float, str, os.PathLike)):
        return str(value)
    if hasattr(value, "get_params"):  # its parameters are told one by one
        return type(value).__qualname__
    try:
        return joblib.hash(value)
    except Exception:  # what cannot be pickled, a lambda say
        return type(value).__qualname__
