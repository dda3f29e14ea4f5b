"""Arrays of other kinds as NumPy's: torch tensors on any device, masked arrays."""

import numpy as np


def plain_array(array, name):
    """What NumPy alone would refuse, or take in silence for something else, as an ndarray.

    Parameters
    ----------
    array : object
        A torch tensor, or a list of them, is detached and brought to the CPU; a masked array
        without masked entries loses its mask. Anything else is returned as it is.
    name : str
        What to call it in error messages.

    Returns
    -------
    array : object
        The same memory wherever it can be.

    Raises
    ------
    ValueError
        If entries are masked.
    TypeError
        If a tensor is sparse.
    """
    if _is_tensor(array):
        return _from_tensor(array, name)
    if isinstance(array, list) and array and _is_tensor(array[0]):
        items = (plain_array(item, name) for item in array)
        return [item[()] if isinstance(item, np.ndarray) else item for item in items]
    if isinstance(array, np.ma.MaskedArray):
        n_masked = np.count_nonzero(np.ma.getmaskarray(array))
        if n_masked:
            raise ValueError(
                f"{name} has masked entries ({n_masked} of {array.size}), and nothing may be "
                "missing: leave their rows out, or fill them with .filled(value)."
            )
        return array.data
    return array


def _is_tensor(array):
    return hasattr(array, "detach") and hasattr(array, "layout")  # without an import of torch


def _from_tensor(tensor, name):
    if str(tensor.layout) != "torch.strided":
        raise TypeError(f"{name} is a sparse tensor; dense arrays are needed: use .to_dense().")
    try:
        return tensor.numpy(force=True)
    except TypeError:  # of a type that NumPy has not, such as bfloat16
        return tensor.float().numpy(force=True)
