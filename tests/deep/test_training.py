from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tqdm import tqdm

from sklearn_dsh import Compact
from sklearn_dsh.deep._batches import FeatureSource, ImageSource
from sklearn_dsh.deep._computing import compute_outputs
from sklearn_dsh.deep._losses import CodeLoss
from sklearn_dsh.deep._processes import Processes
from sklearn_dsh.deep._sampling import StepPlanner
from sklearn_dsh.deep._training import NetworkTrainer, standardise
from sklearn_dsh.deep._training_set import TrainingSet

CPU = torch.device("cpu")
SETTINGS = {
    "batch_size": 6,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "augment": True,
    "class_balanced": True,
    "auxiliary_weight": 0.3,
    "schedule": "cosine",
    "max_grad_norm": None,
    "precision": "float32",
    "compile": False,
    "ema_decay": None,
    "n_jobs": None,
}
LABELS = {"sketch": np.arange(12) % 3, "image": np.arange(15) % 3}
CODES = np.random.RandomState(0).choice(np.array([-1, 1], dtype=np.int8), (3, 8))


def make_trainer(*, images=False, n_steps=40, mixes=True, n_categories=None, **changes):
    rng = np.random.default_rng(0)
    if images:
        sources = {
            "sketch": ImageSource(rng.integers(0, 256, (12, 32, 32), dtype=np.uint8), "sketch", 32),
            "image": ImageSource(
                rng.integers(0, 256, (15, 32, 32, 3), dtype=np.uint8), "image", 32
            ),
        }
        inputs = dict.fromkeys(LABELS, "images")
        tokens = rng.integers(0, 256, (15, 32, 32), dtype=np.uint8)
    else:
        sources = {
            view: FeatureSource(rng.standard_normal((len(y), 4)) + 4 * y[:, None])
            for view, y in LABELS.items()
        }
        inputs, tokens = dict.fromkeys(LABELS, 4), None
    description = {
        "n_bits": 8,
        "n_categories": n_categories,
        "views": list(LABELS),
        "inputs": inputs,
        "uses_tokens": images,
        "readout": "categories",
    }
    torch.manual_seed(0)
    network = Compact().build(description)
    standardise(network, sources)
    settings = SimpleNamespace(**(SETTINGS | changes))
    planner = StepPlanner(LABELS, n_steps, np.random.RandomState(0), settings, mixes=mixes)
    return NetworkTrainer(
        network, TrainingSet(sources, LABELS, tokens), planner, CPU,
        torch.Generator().manual_seed(0), settings, Processes(CPU),
    )  # fmt: skip


def run(trainer, n_steps, kind="regression"):
    item_codes = {view: CODES[y] for view, y in LABELS.items()}
    category_codes = dict.fromkeys(LABELS, CODES)
    extra = trainer.settings.auxiliary_weight
    loss = CodeLoss(item_codes, category_codes, kind, extra, CPU)
    return trainer.run(n_steps, loss, tqdm(disable=True))


def test_features_are_standardised():
    trainer = make_trainer()
    for trunk, view in ((trainer.network.c2, "sketch"), (trainer.network.c1, "image")):
        rows = torch.from_numpy(trainer.data.sources[view][:])
        scaled = ((rows - trunk.mean) / trunk.scale).numpy()
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-9)


def test_constant_features_are_not_divided_by_zero():
    trainer = make_trainer()
    constant = np.tile([1, 0, 0.1, -1e7 / 3], (40, 1))  # the mean of the last two is rounded
    standardise(trainer.network, {"sketch": FeatureSource(constant)})
    assert trainer.network.c2.scale.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("loss", ["regression", "cross_entropy"])
def test_outputs_approach_the_codes(loss):
    n_categories = 3 if loss == "cross_entropy" else None
    trainer = make_trainer(
        augment=False, mixes=False, auxiliary_weight=0.0, n_categories=n_categories
    )
    trainer.read_out(SimpleNamespace(category_codes=lambda: dict.fromkeys(LABELS, CODES)))
    before = trainer.outputs()
    run(trainer, 40, loss)
    for view, outputs in trainer.outputs().items():
        agree = ((outputs > 0) == (CODES[LABELS[view]] > 0)).mean()
        assert agree > 0.9
        assert agree > ((before[view] > 0) == (CODES[LABELS[view]] > 0)).mean()


def test_the_rate_warms_up_and_falls_to_zero_over_all_rounds():
    trainer = make_trainer(n_steps=40)
    rates = []
    for _ in range(4):
        rates.append(trainer.optimizer.adamw.param_groups[0]["lr"])
        run(trainer, 10)
    rates.append(trainer.optimizer.adamw.param_groups[0]["lr"])
    assert rates[0] < rates[1]
    assert rates[1] > rates[2] > rates[3] > rates[4]
    assert rates[4] == pytest.approx(0, abs=1e-12)


def test_biases_and_norms_are_not_decayed():
    decayed, free = make_trainer(weight_decay=0.1).optimizer.adamw.param_groups
    assert decayed["weight_decay"] == 0.1
    assert free["weight_decay"] == 0
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in free["params"])


@pytest.mark.parametrize("auxiliary_weight", [0.0, 0.3])
def test_images_train_every_part_of_the_networks(auxiliary_weight):
    trainer = make_trainer(images=True, auxiliary_weight=auxiliary_weight)
    assert (trainer.helper is None) == (auxiliary_weight == 0)
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    losses = run(trainer, 3)
    assert np.isfinite(losses).all()
    for name, value in trainer.network.named_parameters():
        assert (value != before[name]).any(), name


def test_outputs_use_the_cached_tokens_of_each_photo():
    trainer = make_trainer(images=True)
    outputs = trainer.outputs()["image"]
    source, tokens = trainer.data.sources["image"], trainer.data.tokens

    def shifted(rows, photos):
        return np.roll(tokens, 1, axis=0)[rows]

    pixels = trainer.data.pixels
    other = compute_outputs(trainer.network, source, "image", CPU, tokens=shifted, pixels=pixels)
    assert not np.allclose(outputs, other)
    in_parts = compute_outputs(
        trainer.network,
        source,
        "image",
        CPU,
        tokens=lambda rows, _: tokens[rows],
        pixels=pixels,
        batch_size=4,
    )
    np.testing.assert_allclose(outputs, in_parts, rtol=1e-3, atol=1e-4)


def test_the_moving_average_of_the_weights_is_what_comes_out():
    trainer = make_trainer(images=True, ema_decay=0.25)
    name = "sketch_head.fc_p.weight"
    average = 0.0
    for decay in (0, 2 / 11, 0.25, 0.25):  # (1 + n) / (10 + n) after n steps, and at most 0.25
        run(trainer, 1)
        now = dict(trainer.network.named_parameters())[name].detach()
        average = decay * average + (1 - decay) * now
    torch.testing.assert_close(trainer.result.state_dict()[name], average)
    plain = make_trainer(images=True)
    run(plain, 4)
    assert plain.result is plain.network
    torch.testing.assert_close(plain.network.state_dict()[name], now)  # the steps are the same
    state = trainer.state_dict()
    other = make_trainer(images=True, ema_decay=0.25)
    other.load_state_dict(state)
    torch.testing.assert_close(other.result.state_dict()[name], average)


@pytest.mark.slow
def test_compiled_networks_train_alike():
    losses = []
    for compiled in (False, True):
        trainer = make_trainer(images=True, compile=compiled)
        for module in trainer.network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # compiled code draws other random numbers
        losses.append(run(trainer, 5))
    np.testing.assert_allclose(*losses, rtol=1e-3)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_stays_near_float32(precision):
    losses = [run(make_trainer(images=True, precision=p), 5) for p in ("float32", precision)]
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(*losses, rtol=0.1)
