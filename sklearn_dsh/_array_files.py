"""Arrays in files of numpy's, of which nothing is believed."""

import errno
import os

import numpy as np


def open_array(path):
    """The array of a .npy file, left on disk.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    array : memmap
        Read-only.

    Raises
    ------
    ValueError
        If the file is no .npy file, holds pickled objects, or is longer or shorter than its header
        says.
    OSError
        If it cannot be read.
    MemoryError
        If there is no address space left to map it into; the file is named.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(f"No memory is left to open {os.fspath(path)!r}.") from error
        raise
    except MemoryError:
        raise
    except Exception as error:  # a header is read as Python, with a dozen errors
        raise ValueError(f"no sound .npy file, {str(error) or type(error).__name__}") from error
    if not isinstance(array, np.memmap):
        array.close()
        raise ValueError("it is an archive, .npz: expected one array, .npy")
    excess = os.path.getsize(path) - array.offset - array.nbytes
    if excess:  # a shorter one is not mapped at all
        raise ValueError(f"it has {excess} bytes more than an array of shape {array.shape}")
    return array
