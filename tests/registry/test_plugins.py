"""What another package adds by entry points is used by its name, and a broken plug-in harms nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def safeeraser(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The command, in an environment in which the package beside this file is installed."""
    source, installed = tmp_path_factory.mktemp("source") / "plugin", tmp_path_factory.mktemp("installed")
    shutil.copytree(Path(__file__).with_name("plugin"), source)  # for what the build leaves behind
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(installed), str(source)], check=True)
    path = os.pathsep.join([str(installed), *sys.path])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "safeeraser", *arguments]
        environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "200"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    return run


def test_a_method_is_listed_and_explained_with_and_without_pd(safeeraser: Run) -> None:
    listed = safeeraser("methods")
    assert listed.returncode == 0
    assert "surprise+pd" in listed.stdout
    shown = safeeraser("methods", "show", "surprise+pd").stdout
    assert "1 surprise(forget) + 1 nll(decoupled)" in shown
    assert "mean(p_t) (an example)" in shown


def test_what_cannot_be_used_is_named_and_the_rest_works(safeeraser: Run) -> None:
    listed = safeeraser("methods")
    assert "the method 'broken' of safeeraser-example (safeeraser_example:NOT_THERE) cannot be loaded" in listed.stderr
    assert "the method 'odd' of safeeraser-example (safeeraser_example:ODD) is no method" in listed.stderr
    assert "refusal" in listed.stdout
    asked_for = safeeraser("methods", "show", "broken")
    assert asked_for.returncode == 2
    assert "cannot be loaded: AttributeError" in asked_for.stderr


def test_a_name_of_ours_stays_ours(safeeraser: Run) -> None:
    assert "1 nll(refusal) + 1 plain_nll(retain)" in safeeraser("methods", "show", "po").stdout
