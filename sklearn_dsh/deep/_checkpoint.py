"""Checkpoints of a fit: written whole or not at all, and read only by the fit that wrote them."""

import errno
import os
import pickletools
import time
import warnings
import zipfile
from contextlib import contextmanager
from contextvars import ContextVar

import joblib
import numpy as np
import torch

from .._outputs import check_output_file, check_output_folder, check_space, named_errors
from ._interrupts import held_back
from ._weights import to_tensors

FILE_NAME = "deep_hasher.pt"
FORMAT = "sklearn_dsh checkpoint 6"
SECONDS = 60  # between two checkpoints within a round
PART = 1 / 20  # of the time that goes by, which writing may take
COPIES = 5  # of the weights: the optimiser's two moments, a moving average, those of the best round
_LONGEST_NAME = 200  # of a class in a file
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
    n_weight_bytes : int
        Of the networks.

    Attributes
    ----------
    rows : dict of dict of int array, or None
        The rows that are trained on and, with validation, held out: kept in the file, with the
        seed ``split_seed`` that they were drawn by.
    """

    def __init__(self, folder, fingerprint, n_weight_bytes):
        self.path = check_output_folder(folder, "checkpoints") / FILE_NAME
        self.fingerprint, self.n_weight_bytes = fingerprint, n_weight_bytes
        self.rows = self.split_seed = None
        self._saved_at, self._pause, self._failed = time.monotonic(), SECONDS, False

    def load(self):
        """What `save` was given last, or None without a file.

        Also tries whether there is place to write: it will be needed after hours.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path = check_output_file(self.path, "the checkpoint")
        check_space(self.path, COPIES * self.n_weight_bytes)
        try:
            self._write(lambda file: None)
        finally:
            self._part.unlink(missing_ok=True)
        if not self.path.exists():
            return None
        with open(self.path, "rb") as file, self.named_damage():
            _compare_checksums(file)
            file.seek(0)
            held = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(held, dict) or held.get("format") != FORMAT:
            raise ValueError(
                f"{os.fspath(self.path)!r} is no checkpoint of this version. "
                "Remove it, or give another checkpoint_dir."
            )
        with self.named_damage():
            theirs, state = dict(held["fingerprint"]), _without_hooks(held["state"])
            absent = sorted({"rows", "split_seed"} - state.keys())
            if absent:
                raise ValueError(f"no {absent}")
            if state["rows"] is not None:
                state["rows"] = {
                    part: {view: _row_numbers(rows) for view, rows in views.items()}
                    for part, views in state["rows"].items()
                }
        names = sorted(theirs.keys() | self.fingerprint.keys())
        differ = [name for name in names if theirs.get(name) != self.fingerprint.get(name)]
        if differ:
            raise ValueError(
                f"The checkpoint {os.fspath(self.path)!r} is of another fit, with other "
                f"{', '.join(differ)}. Give another checkpoint_dir, or remove the file."
            )
        return state

    @contextmanager
    def named(self):
        """Let a training that goes on from the file and fails say that this may be why."""
        try:
            yield
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            if os.fspath(self.path) in str(error):
                raise
            text = str(error) if isinstance(error, ValueError) else f"{error!r}."
            raise ValueError(
                f"{text} This fit went on from the checkpoint {os.fspath(self.path)!r}: if that "
                "is damaged, remove it to train from the start."
            ) from error

    @contextmanager
    def named_damage(self):
        """Let what goes wrong with the contents of the file say so."""
        try:
            yield
        except MemoryError:  # says nothing about the file
            raise
        except Exception as error:  # zip, pickle and torch have an exception for each damage
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise ValueError(
                f"The checkpoint {os.fspath(self.path)!r} is cut off, damaged or no checkpoint "
                f"({type(error).__name__}). Remove it to train from the start."
            ) from error

    @property
    def _part(self):
        return self.path.with_suffix(".part")

    def is_due(self):
        """Whether the last one is old enough."""
        return time.monotonic() - self._saved_at >= self._pause

    def save(self, state):
        """Replace the file: whoever reads it finds the old one or the new one.

        Where that fails, on a full disk, say, a warning says so, once, and the old one stays: what
        is trained is worth more than the checkpoint.

        Parameters
        ----------
        state : dict of tensors, numbers, strings and lists and dicts of these
        """
        rows = None if self.rows is None else to_tensors(self.rows)
        state = state | {"rows": rows, "split_seed": self.split_seed}
        held = {"format": FORMAT, "fingerprint": self.fingerprint, "state": state}
        begun_at = time.monotonic()
        with held_back() as interrupted:
            try:
                self._write(lambda file: torch.save(held, file))
                os.replace(self._part, self.path)
            except (OSError, RuntimeError, MemoryError) as error:  # RuntimeError: torch's own
                self._warn(error)
            finally:
                self._part.unlink(missing_ok=True)
                self._saved_at = time.monotonic()
                self._pause = max(SECONDS, (self._saved_at - begun_at) / PART)
        if interrupted():
            raise KeyboardInterrupt

    def _warn(self, error):
        if not self._failed:
            if not isinstance(error, OSError):
                error = (
                    f"{os.fspath(self.path)!r} could not be written (is the disk, or the memory, "
                    f"full?): {str(error) or type(error).__name__}."
                )
            warnings.warn(
                f"{error} The training goes on; an interruption would lose what came since the "
                "last checkpoint.",
                RuntimeWarning,
                stacklevel=2,
            )
        self._failed = True

    def _write(self, write):
        # The name is always the same: what was left by a kill is written over.
        with named_errors(self.path), open(self._part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())

    def finish(self):
        """The fit is done: remove the file, at once or, inside `kept_until_saved`, later."""
        waiting = _WAITING.get()
        if waiting is None:
            self.remove()
        else:
            waiting.append(self)

    def remove(self):
        for path in (self.path, self._part):  # writing may have been interrupted
            path.unlink(missing_ok=True)


_WAITING = ContextVar("checkpoints of finished fits", default=None)


@contextmanager
def kept_until_saved():
    """Keep checkpoints of the fits inside to the end: until then their result is nowhere else."""
    token = _WAITING.set([])
    try:
        yield
        for checkpoint in _WAITING.get():
            checkpoint.remove()
    finally:
        _WAITING.reset(token)


@contextmanager
def told_of(checkpoint):
    """Let an interruption say what of a fit is kept, if it has a checkpoint."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is None:
            raise
        text = "Interrupted before anything was trained."
        if checkpoint.path.exists():
            text = (
                f"Interrupted. What was trained is kept in {os.fspath(checkpoint.path)!r}: the "
                "same call goes on from there."
            )
        raise KeyboardInterrupt(text) from None


def _row_numbers(tensor):
    rows = tensor.numpy()
    if rows.dtype.kind not in "iu" or rows.ndim != 1:
        raise ValueError(f"rows of dtype {rows.dtype} and shape {rows.shape}")
    return rows


def _compare_checksums(file):
    """ValueError if a part of the archive is not as it was written: torch does not look.

    Nor does it end soon where a name in it has the length of a book.
    """
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
        (contents,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        for opcode, argument, _ in pickletools.genops(archive.read(contents)):
            if opcode.name == "GLOBAL" and len(argument) > _LONGEST_NAME:
                raise ValueError(f"a name of {len(argument)} letters")
    if damaged is not None:
        raise ValueError(f"{damaged} is not as it was written")


def _without_hooks(value):
    """The same tensors, and lists and dicts of them, without what else a file gave them."""
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, dict):  # in place: torch's have attributes
        value |= {name: _without_hooks(item) for name, item in value.items()}
    elif isinstance(value, (list, tuple)):
        return type(value)(_without_hooks(item) for item in value)
    return value


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
