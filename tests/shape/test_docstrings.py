"""The examples in docstrings do what they show."""

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import reamon

MODULES = [
    module.name
    for module in pkgutil.walk_packages(reamon.__path__, "reamon.")
    if not module.name.startswith(("reamon.__main__", "reamon.store.migrations"))
]


def examples(module: ModuleType) -> list[doctest.DocTest]:
    """The docstrings of a module that show something."""
    return [test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_do_what_they_show(name: str) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in examples(importlib.import_module(name)):
        report: list[str] = []
        runner.run(example, out=report.append)
        assert not runner.failures, "".join(report)
