"""Files that were once read wrongly: what was found by fuzzing, made small, a kind of fault each.

``FOUND[reader]`` maps what is wrong to the file's bytes, made from the reader's sound ones.
"""

import io
import re

import numpy as np

_DEEP = b"[" * 100_000
_HUGE = b"9" * 5000


def _npy(array, **changes):
    file = io.BytesIO()
    np.save(file, array)
    content = file.getvalue()
    for old, new in changes.values():
        assert old in content
        content = content.replace(old, new, 1)
    return content


def _archive(seeds):
    file = io.BytesIO()
    np.savez(file, codes=np.zeros((3, 784), np.uint8))
    return file.getvalue()


def _caffe(layer_name=b"conv1-S", dims=(2,), values=(0.5, 0.5), double=False):
    from sklearn_dsh.deep._caffe_file import _net_parameter

    net = _net_parameter()()
    blob = net.layer.add(name="conv1-S", type="Convolution").blobs.add()
    blob.shape.dim.extend(dims)
    (blob.double_data if double else blob.data).extend(values)
    return net.SerializeToString().replace(b"conv1-S", layer_name)


def _flipped(seeds):
    """A checkpoint with one other bit in the middle of its largest part, the weights."""
    content, middle = bytearray(seeds[0]), len(seeds[0]) // 2
    content[middle] ^= 0x40
    return bytes(content)


FOUND = {
    ".caffemodel files": {
        "a name that is no text": lambda _: _caffe(layer_name=b"conv\xff-S"),
        "negative sides": lambda _: _caffe(dims=(-1, -2)),
        "a hundred sides": lambda _: _caffe(dims=(2, *(1,) * 99)),
        "infinity": lambda _: _caffe(values=(np.inf, 1)),
        "a value beyond float32": lambda _: _caffe(values=(1e300, 1), double=True),
    },
    "word vectors: text": {
        "a header of 5,000 digits": lambda seeds: _HUGE + b" 2\n" + seeds[0],
        "its last value cut off": lambda seeds: seeds[0][:-2],
        "a value beyond float32": lambda seeds: seeds[0].replace(b"zebra 1", b"zebra 1e200"),
        "a vector next to nothing": lambda seeds: seeds[0].replace(b"cat -1.25 2", b"cat 1e-170 0"),
    },
    "word vectors: binary": {
        "a record larger than any memory": lambda seeds: seeds[0].replace(
            b"5 2\n", b"5 99999999999999999999\n"
        ),
        "a header of 5,000 digits": lambda seeds: _HUGE + b" 2\n" + seeds[0],
    },
    "QuickDraw: drawings": {
        "brackets in brackets": lambda seeds: seeds[0] + _DEEP,
        "a number too large for a float": lambda seeds: seeds[0].replace(b"255", b"9" * 400),
        "texts for numbers": lambda seeds: seeds[0].replace(b"[3, 4, 90]", b'["3", "4", "9"]'),
    },
    "QuickDraw: bitmaps": {
        "a header that is no Python": lambda _: _npy(
            np.zeros((3, 784), np.uint8), a=(b"(3, 784)", b"((( 784)")
        ),
        "fewer rows in the header than in the file": lambda _: _npy(
            np.zeros((3, 784), np.uint8), a=(b"(3, 784)", b"(1, 784)")
        ),
        "an archive": _archive,
    },
    "split.csv": {
        "a field of 200,000 letters": lambda seeds: seeds[0] + b"x" * 200_000,
        "a path longer than any": lambda seeds: seeds[0] + b"a/" * 5000 + b",photo,cat,train\n",
        "quotes that swallow some rows": lambda seeds: re.sub(
            rb"train\n(.*\n.*),train", rb'"train\n\1,train"', seeds[0], count=1
        ),
        "a comma in a label": lambda seeds: seeds[0].replace(b",cat,", b",cat, big,", 1),
        "its last word cut off": lambda seeds: seeds[0][:-3],
    },
    "gallery: header": {
        "brackets in brackets": lambda _: b'{"format":' + _DEEP,
        "a list for the model": lambda seeds: re.sub(rb'"sha256:\d+"', b"[1]", seeds[0]),
    },
    "gallery: codes": {
        "a header that is no Python": lambda _: _npy(
            np.zeros((6, 3), np.uint8), a=(b"(6, 3)", b"(6, 3 ")
        ),
        "one number": lambda _: _npy(np.uint8(3)),
    },
    "gallery: items": {
        "brackets in brackets": lambda _: b'{"paths":' + _DEEP,
        "a dict for the paths": lambda seeds: re.sub(
            rb'"paths": \[.*?\]', b'"paths": {"a":1,"b":1,"c":1,"d":1,"e":1,"f":1}', seeds[0]
        ),
    },
    "results of compare": {
        "brackets in brackets": lambda seeds: _DEEP + b"\n" + seeds[0],
        "a line that is no object": lambda seeds: b"null\n" + seeds[0],
    },
    "checkpoint: file": {"one other bit in the weights": _flipped},
}
