"""A stranger's backbone, in a file of its own, so that other processes can import it."""

import torch
from torch import nn

MEAN, SCALE, SIZE, WIDTH = (10.0, 20.0, 30.0), (0.01, 0.02, 0.03), 40, 12


class Stranger(nn.Module):
    """Averages of two convolutions with a batch norm; notes how it is called."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 8, 7, 4)
            self.norm = nn.BatchNorm2d(8)
            self.second = nn.Conv2d(8, WIDTH, 3, 2)
        self.calls = []

    def forward(self, x):
        self.calls.append((x.detach().clone(), self.training, torch.is_grad_enabled()))
        return self.second(self.norm(self.first(x)).relu()).mean(dim=(2, 3))


MADE = []


def make_stranger():
    MADE.append(Stranger())
    return MADE[-1]
