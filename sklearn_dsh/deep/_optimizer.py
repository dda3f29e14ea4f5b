"""AdamW, its learning-rate schedules, precision and clipping: one gradient step."""

import math

import torch

WARM_UP = 0.05  # of all steps
# The average gradient of a weight that no item reaches any more halves every seven steps, and
# becomes denormal, for which processors take a hundred times as long: steps were twice as slow
# after a thousand. What is smaller than this moves no weight (Adam divides by 1e-8 at least).
NEGLIGIBLE = 1e-25
STEPS_BETWEEN_CLEANING = 50
SCHEDULES = {
    "cosine": lambda part: 0.5 * (1 + math.cos(math.pi * part)),
    "linear": lambda part: 1 - part,
    "constant": lambda part: 1.0,
}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_precision(precision, device, *, is_backbone=True):
    """ "auto" -> bfloat16 where the device multiplies matrices of it, else float32.

    On a CPU for backbones alone, which were faster at an equal score; of the compact networks, a
    third to a half faster with AMX, the score was not compared yet. By what the device says of
    itself, never by a timing: a seed gives the same codes again.
    """
    if precision == "auto":
        if device.type == "cuda":  # older GPUs only emulate it
            multiplies = torch.cuda.get_device_capability(device)[0] >= 8
        else:  # AMX; where it is missing, bfloat16 may take ten times as long as float32
            is_cpu = device.type == "cpu"
            multiplies = is_cpu and is_backbone and _cpu_capabilities().get("amx_bf16", False)
        precision = "bfloat16" if multiplies else "float32"
    return PRECISIONS[precision]


def _cpu_capabilities():
    """Of torch from 2.12 or so; before, a CPU says nothing and has float32."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def autocast(dtype, device):
    """The context in which networks run in a precision."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


class Optimizer:
    """Takes the gradient steps of a fit.

    Parameters
    ----------
    model : torch.nn.Module
        Its parameters are trained, those under a module with ``rate_factor`` at so many times the
        rate.
    n_steps : int
        Over all rounds; the schedule spans them after a warm-up.
    device : torch.device
    settings : object
        With learning_rate, weight_decay, schedule, max_grad_norm and precision, as in
        DeepSketchHasher.
    """

    def __init__(self, model, n_steps, device, settings):
        self.n_steps, self.device = n_steps, device
        self.max_grad_norm = settings.max_grad_norm
        self._shape = SCHEDULES[settings.schedule]
        factors = {}
        for module in model.modules():
            for parameter in module.parameters() if hasattr(module, "rate_factor") else ():
                factors[parameter] = module.rate_factor
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.dtype = resolve_precision(settings.precision, device, is_backbone=bool(factors))
        groups = {}
        for p in self.parameters:
            # Biases and batch norm are not decayed. float(): a checkpoint holds no numpy scalars.
            decay = float(settings.weight_decay) if p.ndim > 1 else 0.0
            groups.setdefault((factors.get(p, 1.0), decay), []).append(p)
        rate = float(settings.learning_rate)
        self.adamw = torch.optim.AdamW(
            [
                {"params": members, "lr": factor * rate, "weight_decay": decay}
                for (factor, decay), members in groups.items()
            ],
            fused=True,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.adamw, self._rate)
        # float16 would round small gradients to zero.
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype == torch.float16)

    def _rate(self, step):
        warm_up = (step + 1) / (WARM_UP * self.n_steps + 1)
        return min(warm_up, self._shape(step / self.n_steps))

    def autocast(self):
        """The context in which the networks run; losses are computed outside, in float32."""
        return autocast(self.dtype, self.device)

    def step(self, loss):
        """Follow the gradient of ``loss``."""
        self.adamw.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.max_grad_norm is not None:
            self.scaler.unscale_(self.adamw)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        self.scaler.step(self.adamw)
        self.scaler.update()
        self.schedule.step()
        if self.device.type == "cpu" and self.schedule.last_epoch % STEPS_BETWEEN_CLEANING == 0:
            for state in self.adamw.state.values():
                average = state["exp_avg"]
                average.masked_fill_(average.abs() < NEGLIGIBLE, 0.0)

    def state_dict(self):
        return {
            "adamw": self.adamw.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state):
        names = [group.keys() for group in self.adamw.state_dict()["param_groups"]]
        self.adamw.load_state_dict(state["adamw"])
        self._check_loaded(names)
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])

    def _check_loaded(self, names):
        """ValueError for what torch notices only in a step, where nobody knows whence it came."""
        for group, wanted in zip(self.adamw.param_groups, names, strict=True):
            if not wanted <= group.keys():
                raise ValueError(f"no {sorted(wanted - group.keys())} of a group of parameters")
        for parameter, moments in self.adamw.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                if moments[name].shape != parameter.shape:
                    raise ValueError(f"{name} of shape {tuple(moments[name].shape)}")
