"""A documented parameter exists, in its place; one whose name and type say all may be left out."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import Validator

import nbo

MODULES = sorted(
    {"nbo"}
    | {
        module.name
        for module in pkgutil.walk_packages(nbo.__path__, "nbo.")
        if not any(part.startswith("_") for part in module.name.split("."))
    }
)


def public_objects(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Functions, classes and public methods that this module defines itself."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            yield name, value
            for method in vars(value):
                member = getattr(value, method)
                if not method.startswith("_") and inspect.isroutine(member):
                    yield f"{name}.{method}", member


def mismatches(value: object) -> list[str]:
    """Where the Parameters section of a docstring contradicts the signature."""
    if not inspect.getdoc(value):
        return []
    validator = Validator(get_doc_object(value))
    documented = [name.replace("\\", "") for name in validator.doc_all_parameters]
    actual = [name for name in validator.signature_parameters if name in documented]
    unknown = [name for name in documented if name not in actual]
    if unknown:
        return [f"documented and not there: {', '.join(unknown)}"]
    return [] if documented == actual else [f"documented as {documented}, declared as {actual}"]


def unknown_name(first: int, second: int) -> int:
    """Add.

    Parameters
    ----------
    first : int
        One.
    third : int
        Another.
    """
    return first + second


def other_order(first: int, second: int) -> int:
    """Add.

    Parameters
    ----------
    second, first : int
        Two.
    """
    return first + second


def test_a_mismatch_is_seen() -> None:
    assert mismatches(unknown_name) == ["documented and not there: third"]
    assert mismatches(other_order) == ["documented as ['second', 'first'], declared as ['first', 'second']"]


@pytest.mark.parametrize("name", MODULES)
def test_documented_parameters_match_the_signature(name: str) -> None:
    found = {
        label: mismatches(value) for label, value in public_objects(importlib.import_module(name)) if value
    }
    assert not {label: texts for label, texts in found.items() if texts}


def says_nothing(value: type) -> bool:
    """Whether a class lacks a docstring of its own: dataclasses and enums write one by themselves."""
    written = value.__dict__.get("__doc__") or ""
    return not written.strip() or written.startswith(f"{value.__name__}(")


@pytest.mark.parametrize("name", MODULES)
def test_a_class_and_an_exported_name_say_what_they_are(name: str) -> None:
    module = importlib.import_module(name)
    classes = {
        label for label, value in public_objects(module) if inspect.isclass(value) and says_nothing(value)
    }
    exported = {
        label
        for label in getattr(module, "__all__", ())
        if inspect.isfunction(getattr(module, label)) and not inspect.getdoc(getattr(module, label))
    }
    assert not classes | exported
