"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import cds_service

# These build an application when they are imported.
NOT_IMPORTED = {"cds_service.wsgi", "cds_service.__main__"}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(cds_service.__path__, "cds_service.")
    if module.name not in NOT_IMPORTED and ".migrations." not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    assert sum(len(doctest.DocTestFinder().find(importlib.import_module(name))) > 0 for name in MODULES) > 50
