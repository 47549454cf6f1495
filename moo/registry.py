"""Names to things: the plain dictionaries of a folder, and the one way that options stand in a string.

A registry maps a name to `"package.module:attribute"`, a string that is resolved only when the thing is used, so that
listing what exists imports nothing heavy.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from moo.checks import unknown_name


def resolve(registry: Mapping[str, str], name: str, what: str) -> Any:
    """Import and return what `name` stands for.

    Raises:
        ValueError: The name is not registered; the message lists the known ones and suggests the nearest.
    """
    if name not in registry:
        raise ValueError(unknown_name(what, name, registry))
    module, _, attribute = registry[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__` that loads a public name from its home, a module, when it is first asked for."""

    def load(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(homes[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load


def summary(target: str) -> str:
    """The first line of the docstring of a registry's target, read from its source without importing it."""
    module, _, attribute = target.partition(":")
    return _summaries(module).get(attribute, "")


@functools.cache  # many targets share a file
def _summaries(module: str) -> dict[str, str]:
    """The same of every class and function of a module."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return {}
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found = (node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return {node.name: (ast.get_docstring(node) or "").partition("\n")[0] for node in found}


def parse_value(text: str) -> Any:
    """Read one option's value: a number, `true`/`false`/`none`, a `+` list of these (`a+`: of one), or text."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    if "+" in text:
        return [parse_value(part) for part in text.removesuffix("+").split("+")]
    return text


def parse_options(text: str) -> dict[str, Any]:
    """Read `key=value,key=value` (spaces around allowed, lists with `+`).

    Raises:
        ValueError: A part has no `=` or no key, or a key stands twice.
    """
    options: dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key.isidentifier():
            raise ValueError(f"Options should read key=value,key=value. Found {part!r} in {text!r}.")
        if key in options:
            raise ValueError(f"The option {key!r} stands twice in {text!r}. Say it once.")
        options[key] = parse_value(value)
    return options


def parse_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """Split `name:key=value,key=value` into the name and its options."""
    name, _, options = spec.partition(":")
    return name.strip(), parse_options(options)


def format_value(value: Any) -> str:
    """Write one option's value as `parse_value` reads it.

    Raises:
        ValueError: It would not read back as it is.
    """
    if isinstance(value, list | tuple):
        text = "+".join(format_value(part) for part in value) + ("+" if len(value) == 1 else "")
    elif value is None or isinstance(value, bool):
        text = str(value).lower()
    else:
        text = str(value).replace("e+", "e") if isinstance(value, float) else str(value)
    read, wanted = parse_value(text), list(value) if isinstance(value, tuple) else value
    if repr(read) != repr(wanted) or text != text.strip() or not text or set(text) & set(",=\n"):
        raise ValueError(f"{value!r} cannot be written as the value of an option.")
    return text


def format_spec(name: str, options: Mapping[str, Any]) -> str:
    """Write a name and its options as `parse_spec` reads them."""
    parts = []
    for key, value in options.items():
        try:
            parts.append(f"{key}={format_value(value)}")
        except ValueError as error:
            raise ValueError(f"Option `{key}` of {name}: {error}") from error
    body = ",".join(parts)
    return f"{name}:{body}" if body else name
