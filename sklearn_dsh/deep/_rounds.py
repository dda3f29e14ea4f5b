"""The alternation: rounds of code updates and of gradient steps, watched, kept and gone on with."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np

from ._training_set import score_outputs
from ._weights import from_tensors, round_to_half, to_arrays, to_tensors


@dataclass
class History:
    """What the rounds of a fit gave."""

    n_rounds: int = 0
    loss_curve: list = field(default_factory=list)
    objective_curve: list = field(default_factory=list)
    validation_scores: list = field(default_factory=list)

    def best_round(self):
        """Number of the round with the best validation score, from 0; None without scores."""
        scores = [-math.inf if math.isnan(score) else score for score in self.validation_scores]
        return int(np.argmax(scores)) if scores else None

    def rounds_without_gain(self):
        return len(self.validation_scores) - 1 - self.best_round()


@dataclass
class Found:
    """What a fit keeps: numpy arrays.

    Attributes
    ----------
    weights : dict name -> array
    learned : dict name -> array, or dict of these
        What the method learned besides.
    """

    weights: dict
    learned: dict


class Keeper(NamedTuple):
    """When the state of a training is kept, and how: see `NetworkTrainer.run`."""

    is_due: Callable
    keep: Callable


class LossOnly:
    """A method with a loss that depends on nothing but the networks: see `alternate`."""

    mixes, paired, updates = False, False, False

    def learned(self):
        return {}

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def alternate(
    trainer,
    method,
    settings,
    *,
    steps,
    trained,
    held_out=None,
    resumed=None,
    checkpoint=None,
    progress,
):
    """Run the rounds.

    Parameters
    ----------
    trainer : NetworkTrainer
    method : object
        What decides the losses, such as `Alternation`: ``update(outputs)`` before the steps of a
        round, which gives the objective; ``make_loss(device)`` for these steps; ``learned()``,
        ``state_dict()`` and ``load_state_dict(state)``; ``updates``, whether there is something to
        update.
    settings : estimator
        Read for n_iter_no_change.
    steps : list of int
        Gradient steps of each round.
    trained : bool
        Whether the networks were trained before: their outputs enter the first update then.
    held_out : TrainingSet or None
    resumed : dict or None
        What a try that was interrupted kept, to go on from.
    checkpoint : object or None
        ``save(state)`` is called after every round, and within one where its ``is_due()`` says so
        or the training is interrupted; by the first process. ``named_damage()`` is around what is
        made of ``resumed``.
    progress : Progress

    Returns
    -------
    history : History
    found : Found
        Of the best round with ``held_out``, else of the last.
    """
    processes, history, best, begun = trainer.processes, History(), None, None
    if resumed is not None:
        with checkpoint.named_damage():
            history = History(**resumed["history"])
            trainer.load_state_dict(resumed["trainer"])
            method.load_state_dict(resumed["method"])
            best, begun = _from_tensors(resumed["best"]), resumed["begun"]
            if begun is not None:
                trainer.go_back_to(begun)
        progress.go_on_from(trainer.step)

    def keep(begun=None):
        state = {
            "history": asdict(history),
            "trainer": trainer.state_dict(),
            "method": method.state_dict(),
            "best": _to_tensors(best),
            "begun": begun,
        }
        processes.first(lambda: checkpoint.save(state))

    keeper = None if checkpoint is None else Keeper(checkpoint.is_due, keep)
    n_rounds = len(steps)
    patience = settings.n_iter_no_change or math.inf
    while history.n_rounds < n_rounds and not (
        history.validation_scores and history.rounds_without_gain() >= patience
    ):
        if method.updates and begun is None:
            outputs = trainer.outputs(output="codes") if trained or history.n_rounds else None
            history.objective_curve.append(_update(method, outputs, processes))
        trainer.read_out(method)
        loss_of = method.make_loss(trainer.device)
        history.loss_curve += trainer.run(
            steps[history.n_rounds], loss_of, progress, begun=begun, keeper=keeper
        )
        begun = None
        history.n_rounds += 1
        if history.n_rounds == n_rounds:
            round_to_half(trainer.result)  # as it is kept, and before it is looked at
        if held_out is not None or history.n_rounds == n_rounds:
            trainer.learn_readout()
        if held_out is not None:
            score = score_outputs(trainer.outputs(held_out), held_out.labels)
            history.validation_scores.append(score)
            if history.best_round() == history.n_rounds - 1:
                best = Found(to_arrays(trainer.result), method.learned())
        if checkpoint is not None:
            keep()
    return history, best or Found(to_arrays(trainer.result), method.learned())


def _update(method, outputs, processes):
    """One round of code updates by the first process: others may round another way."""

    def update():
        value = float(method.update(outputs))
        return value, method.state_dict() if processes.n > 1 else None

    value, state = processes.first(update)
    if state is not None:
        method.load_state_dict(state)
    return value


def _to_tensors(found):
    return None if found is None else to_tensors(asdict(found))


def _from_tensors(state):
    return None if state is None else Found(**from_tensors(state))
