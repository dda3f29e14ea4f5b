import platform

import numpy
import torch

import sklearn_dsh


def test_versions_are_those_that_are_imported(capsys):
    sklearn_dsh.show_versions()
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["numpy"] == numpy.__version__
    assert lines["torch"] == torch.__version__
    assert lines["sklearn-dsh"] == sklearn_dsh.__version__
    assert lines["Python"].startswith(platform.python_version())
    assert lines["torch's threads"] == str(torch.get_num_threads())
    assert (lines["CUDA devices"] == "none") is not torch.cuda.is_available()


def test_what_is_missing_is_told(capsys, monkeypatch):
    monkeypatch.setattr("sklearn_dsh._show_versions.PACKAGES", ("no-such-package",))
    sklearn_dsh.show_versions()
    assert "no-such-package: not installed\n" in capsys.readouterr().out
