"""Hashers at the end of a Pipeline."""


def last_step(hasher):
    """The hasher itself, of a Pipeline too."""
    from sklearn.pipeline import Pipeline  # the command line starts without scikit-learn

    return hasher[-1] if isinstance(hasher, Pipeline) else hasher


def project(hasher, X):
    """What `project` of a fitted hasher gives; a Pipeline itself offers none."""
    last = last_step(hasher)
    if last is not hasher:
        for _, step in hasher.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
    return last.project(X)


def compute_on(hasher, device):
    """Let every part of a fitted hasher that has networks compute on a device from now on.

    Parameters
    ----------
    hasher : fitted hasher, or Pipeline that ends in one
    device : str or None
        "auto" or a name of torch's; None leaves each where it is.

    Raises
    ------
    ValueError
        If there is no such name, or no part has networks.

    Warns
    -----
    RuntimeWarning
        If the device is not there: the CPU takes its place.
    """
    if device is None:
        return
    parts = [part for part in _parts(hasher) if "device" in part.get_params(deep=False)]
    if not parts:
        raise ValueError(
            f"The device {device!r} was given, but this {type(hasher).__name__} has no networks: "
            "leave it out."
        )
    from ._devices import resolve_encoding_device

    there = str(resolve_encoding_device(device))
    for part in parts:
        part.set_params(device=there)


def _parts(estimator):
    """An estimator and those that it holds, of which some were fitted as clones."""
    held = [*estimator.get_params().values()]
    held += [value for name, value in vars(estimator).items() if name.endswith("_")]
    found = {id(estimator): estimator}
    for value in held:
        if hasattr(value, "get_params") and not isinstance(value, type):
            found |= {id(part): part for part in _parts(value)}
    return list(found.values())
