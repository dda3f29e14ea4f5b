"""The alternation: rounds of code updates and of gradient steps, watched, kept and gone on with."""

import math
from dataclasses import asdict, dataclass, field

import numpy as np

from ._training_set import score_outputs
from ._weights import to_arrays, to_tensors


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
    majority : dict view -> int8 array (n_bits, n_categories)
    basis : float array (d, n_bits)
    """

    weights: dict
    majority: dict
    basis: np.ndarray


def alternate(
    trainer,
    alternation,
    settings,
    *,
    n_rounds,
    steps,
    trained,
    held_out=None,
    resumed=None,
    save=None,
    progress,
):
    """Run the rounds.

    Parameters
    ----------
    trainer : NetworkTrainer
    alternation : Alternation
    settings : DeepSketchHasher
        Read for code_updates and n_iter_no_change.
    n_rounds, steps : int
        Rounds, and gradient steps of one.
    trained : bool
        Whether the networks were trained before: their outputs enter the first update then.
    held_out : TrainingSet or None
    resumed : dict or None
        What ``save`` was given by a try that was interrupted, to go on from.
    save : callable or None
        Called with the state after every round, by the first process.
    progress : tqdm bar

    Returns
    -------
    history : History
    found : Found
        Of the best round with ``held_out``, else of the last.
    """
    processes, history, best = trainer.processes, History(), None
    if resumed is not None:
        history = History(**resumed["history"])
        trainer.load_state_dict(resumed["trainer"])
        alternation.load_state_dict(resumed["alternation"])
        best = _from_tensors(resumed["best"])
        progress.update(len(history.loss_curve))

    patience = settings.n_iter_no_change or math.inf
    while history.n_rounds < n_rounds and not (
        history.validation_scores and history.rounds_without_gain() >= patience
    ):
        if settings.code_updates != "fixed":
            outputs = trainer.outputs() if trained or history.n_rounds else None
            history.objective_curve.append(_update_codes(alternation, outputs, processes))
        history.loss_curve += trainer.run(
            steps, alternation.item_codes(), alternation.category_codes(), progress
        )
        history.n_rounds += 1
        if held_out is not None:
            score = score_outputs(trainer.outputs(held_out), held_out.labels)
            history.validation_scores.append(score)
            if history.best_round() == history.n_rounds - 1:
                best = _snapshot(trainer, alternation)
        if save is not None:
            state = {
                "history": asdict(history),
                "trainer": trainer.state_dict(),
                "alternation": alternation.state_dict(),
                "best": _to_tensors(best),
            }
            processes.first(lambda state=state: save(state))
    return history, best or _snapshot(trainer, alternation)


def _update_codes(alternation, outputs, processes):
    """One round of code updates by the first process: others may round another way."""

    def update():
        value = float(alternation.update(outputs))
        return value, alternation.state_dict() if processes.n > 1 else None

    value, state = processes.first(update)
    if state is not None:
        alternation.load_state_dict(state)
    return value


def _snapshot(trainer, alternation):
    majority = {view: codes.copy() for view, codes in alternation.majority.items()}
    return Found(to_arrays(trainer.result), majority, alternation.basis.copy())


def _to_tensors(found):
    return None if found is None else to_tensors(asdict(found))


def _from_tensors(state):
    if state is None:
        return None
    return Found(
        {name: value.numpy() for name, value in state["weights"].items()},
        {view: value.numpy() for view, value in state["majority"].items()},
        state["basis"].numpy(),
    )
