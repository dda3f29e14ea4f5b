"""Objects as JSON and arrays, and back: nothing of a file is run or imported by its name.

JSON's null, bools, integers, finite floats and strings stand for themselves; everything else is an
object with one key that says what it is.
"""

import math
import os
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType

import numpy as np

from ._container import DTYPES

LONG = 100  # lists of numbers or texts of this length are kept as arrays
_MAX_DEPTH = 64
_NUMBERS = {"float": (float, np.float64), "int": (int, np.int64)}
_CODE = (type, FunctionType, BuiltinFunctionType, MethodType, partial, np.ufunc)
_INT64 = np.iinfo(np.int64)


class Writer:
    """Turns objects into nodes, and gathers the arrays that these name.

    Parameters
    ----------
    types : KnownTypes

    Attributes
    ----------
    arrays : dict of str to ndarray
    """

    def __init__(self, types):
        self.types, self.arrays = types, {}

    def node(self, value, where):
        """The node of a value; TypeError naming ``where`` it is if a file cannot hold it."""
        if value is None or isinstance(value, bool | str):
            return value
        if type(value) is int:
            return value if _INT64.min <= value <= _INT64.max else {"int": str(value)}
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value), where)}
        if type(value) in (list, tuple):
            return self._list(value, where)
        if type(value) is dict:
            pairs = [
                [self.node(key, where), self.node(item, f"{where}[{key!r}]")]
                for key, item in value.items()
            ]
            return {"dict": pairs}
        if isinstance(value, slice):
            return {"slice": [self.node(part, where) for part in _parts(value)]}
        if isinstance(value, os.PathLike):
            return {"path": os.fspath(value)}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self.node(value.get_state(legacy=False), where)}
        if isinstance(value, np.dtype):
            return {"dtype": value.str}
        if isinstance(value, type) and issubclass(value, np.generic):
            return {"dtype_class": np.dtype(value).str}
        return self._object(value, where)

    def _array(self, value, where):
        if value.dtype.kind == "U":
            letters = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
            points = letters.reshape(-1).view("<u4").reshape(*value.shape, letters.itemsize // 4)
            return {"texts": self._keep(points)}
        if value.dtype.kind == "O":
            items = [self.node(item, where) for item in value.ravel()]
            return {"objects": items, "shape": list(value.shape)}
        dtype = value.dtype.newbyteorder("<")
        if dtype not in DTYPES:
            raise TypeError(f"{where} is an array of {value.dtype}, which a model file has not.")
        value = np.asarray(value)
        is_fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        if is_fortran:
            value = value.T
        # Products of a transposed matrix round otherwise: it comes back as it was.
        kind = "transposed" if is_fortran else "array"
        return {kind: self._keep(value.astype(dtype, order="C", copy=False))}

    def _keep(self, value):
        name = f"a{len(self.arrays)}"
        self.arrays[name] = np.ascontiguousarray(value).reshape(value.shape)
        return name

    def _list(self, value, where):
        kind = type(value).__name__
        if len(value) >= LONG:
            for name, (item_type, dtype) in _NUMBERS.items():
                if all(type(item) is item_type for item in value) and _fit(value, dtype):
                    return {f"{kind} of {name}": self._keep(np.array(value, dtype))}
            if all(type(item) is str for item in value):
                return {f"{kind} of str": self._texts(value)}
            dtypes = {item.dtype if isinstance(item, np.generic) else None for item in value}
            if len(dtypes) == 1 and dtypes <= DTYPES:
                return {f"{kind} of numpy": self._keep(np.array(value))}
        return {kind: [self.node(item, f"{where}[{i}]") for i, item in enumerate(value)]}

    def _texts(self, texts):
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        letters = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        return [self._keep(letters), self._keep(ends)]

    def _object(self, value, where):
        if isinstance(value, _CODE):
            raise TypeError(
                f"{where} is {value!r}: functions cannot be kept in a model file, which holds no "
                "code. Give an object with parameters, such as a transformer, in its place, or "
                "keep the estimator by pickle (joblib.dump)."
            )
        name = self.types.name_of(type(value), where)
        state = value._file_state() if hasattr(value, "_file_state") else value.__getstate__()
        pairs = [[key, self.node(item, f"{where}.{key}")] for key, item in (state or {}).items()]
        return {"object": name, "state": pairs}


class Reader:
    """Makes objects of nodes.

    Parameters
    ----------
    contents : Contents
    types : KnownTypes
    backbone : object, default=None
        The network that the caller hands over, for a `TorchBackbone` of the file.
    """

    def __init__(self, contents, types, backbone=None):
        self.contents, self.types, self.backbone = contents, types, backbone
        self.taken = set()

    def value(self, node, depth=0):
        """What a node stands for; ValueError and others if it is none that `Writer` makes."""
        if depth > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        if node is None or isinstance(node, bool | int | float | str):
            return node
        kind = next(iter(node))
        content = node[kind]
        if kind in _FROM_ARRAY:
            return _FROM_ARRAY[kind](self._take(content))
        if kind in ("list of str", "tuple of str"):
            texts = _split(*map(self._take, content))
            return texts if kind == "list of str" else tuple(texts)
        if kind in _FROM_JSON:
            return _FROM_JSON[kind](content)
        if kind == "object":
            return self._object(content, node["state"], depth + 1)
        if kind == "dict":
            return {self.value(k, depth + 1): self.value(v, depth + 1) for k, v in content}
        if kind in _FROM_VALUE:
            return _FROM_VALUE[kind](self.value(content, depth + 1))
        items = [self.value(item, depth + 1) for item in content]
        if kind == "objects":
            array = np.empty(len(items), dtype=object)
            array[:] = items
            return array.reshape(node["shape"])
        return _FROM_ITEMS[kind](items)

    def _take(self, name):
        """An array, which stands in one place alone: no file is larger in memory than on disk."""
        if name in self.taken:
            raise ValueError(f"array {name!r} stands twice")
        self.taken.add(name)
        return self.contents.array(name)

    def _object(self, name, pairs, depth):
        cls = self.types.find(name)
        state = {}
        for key, node in pairs:
            if not isinstance(key, str) or callable(getattr(cls, key, None)):
                raise ValueError(f"a {cls.__name__} has no attribute {key!r} to set")
            state[key] = self.value(node, depth)
        made = cls.__new__(cls)
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            vars(made).update(state)
        if hasattr(made, "_take_backbone"):
            made._take_backbone(self.backbone)
        if hasattr(made, "_check_loaded"):
            made._check_loaded()
        return made


def _parts(value):
    return [value.start, value.stop, value.step]


def _fit(values, dtype):
    return dtype is not np.int64 or _INT64.min <= min(values) <= max(values) <= _INT64.max


def _texts(points):
    """An array of texts of their letters (..., n_letters)."""
    letters = np.ascontiguousarray(points, dtype="<u4").reshape(-1)
    return letters.view(f"<U{points.shape[-1]}").reshape(points.shape[:-1])


def _split(letters, ends):
    text = letters.tobytes()
    starts = [0, *ends[:-1].tolist()]
    return [
        text[start:end].decode("utf-8", "surrogatepass")
        for start, end in zip(starts, ends.tolist(), strict=True)
    ]


def _random_state(state):
    random_state = np.random.RandomState()
    random_state.set_state(state)
    return random_state


def _dtype(text):
    dtype = np.dtype(text)
    if dtype.hasobject or dtype.fields:
        raise ValueError(f"{text!r} is no kind of number")
    return dtype


_FROM_ARRAY = {
    "array": lambda array: array,
    "transposed": lambda array: array.T,
    "texts": _texts,
    "list of float": np.ndarray.tolist,
    "list of int": np.ndarray.tolist,
    "list of numpy": list,
    "tuple of float": lambda array: tuple(array.tolist()),
    "tuple of int": lambda array: tuple(array.tolist()),
    "tuple of numpy": tuple,
}
_FROM_JSON = {
    "float": float,
    "int": int,
    "path": Path,
    "dtype": _dtype,
    "dtype_class": lambda text: _dtype(text).type,
}
_FROM_VALUE = {"scalar": lambda array: array[()], "random_state": _random_state}
_FROM_ITEMS = {"list": list, "tuple": tuple, "slice": lambda items: slice(*items)}
