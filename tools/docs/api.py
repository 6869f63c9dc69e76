"""The page of the API, from the docstrings of what the package exports.

The sources are read, not imported, so that TensorFlow is not needed.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "tensorboard_gradhealth"

_HEAD = """<!-- Written by tools/docs from the docstrings; do not edit. -->

# API

What is listed here is stable: see [what may change](../CONTRIBUTING.md#what-may-change). All names
are those of `import tensorboard_gradhealth as gradhealth`.

"""

_LINE = 88
_SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example")

Definition = ast.FunctionDef | ast.ClassDef


class Exported(NamedTuple):
    """A name of the public API, what it stands for, and the module where that is defined."""

    name: str
    node: Definition | ast.Module
    module: ast.Module


def pages() -> dict[str, str]:
    """Returns the text of the page by its path below docs/.

    Raises:
      ValueError: Something is exported that has no docstring.
    """
    found = [item._replace(name=f"gradhealth.{item.name}") for item in exported(PACKAGE)]
    parts = [_entry(item, "##") for item in found if item.node is not item.module]
    for name, module, _ in (item for item in found if item.node is item.module):
        parts.append(f"## `{name}`\n\n{_text(name, module)}")
        members = exported(f"{PACKAGE}.{name.removeprefix('gradhealth.')}")
        parts += [_entry(item._replace(name=f"{name}.{item.name}"), "###") for item in members]
    return {"api.md": _HEAD + "\n\n".join(part.strip() for part in parts) + "\n"}


def exported(module: str) -> Iterator[Exported]:
    """Yields what a module names in `__all__`, with its definition; constants are left out."""
    tree = _parsed(module)
    homes = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for name in _all(tree):
        home, original = homes.get(name, (module, name))
        if _path(f"{home}.{original}").is_file():
            whole = _parsed(f"{home}.{original}")
            yield Exported(name, whole, whole)
        else:
            whole = _parsed(home)
            yield from (Exported(name, node, whole) for node in _definitions(whole, original))


def _all(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return [node.name for node in _definitions(tree) if not node.name.startswith("_")]


def _definitions(tree: ast.Module, name: str = "") -> list[Definition]:
    nodes = [node for node in tree.body if isinstance(node, Definition)]
    return [node for node in nodes if name in ("", node.name)]


def _parsed(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text("utf-8"))


def _path(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _entry(item: Exported, level: str) -> str:
    assert isinstance(item.node, Definition)
    shown = _signature(item.name.removeprefix("gradhealth."), item.node, item.module)
    text = _text(item.name, item.node)
    parts = [f"{level} `{item.name}`", f"```python\n{shown}\n```", text]
    if isinstance(item.node, ast.ClassDef):
        parts += [_method(member, item, level) for member in _methods(item.node)]
    return "\n\n".join(parts)


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    members = [member for member in node.body if isinstance(member, ast.FunctionDef)]
    return [m for m in members if not m.name.startswith("_") and ast.get_docstring(m)]


def _method(node: ast.FunctionDef, owner: Exported, level: str) -> str:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    shown = node.name if "property" in decorators else f"{node.name}({', '.join(_arguments(node))})"
    return f"{level}# `.{shown}`\n\n{_text(f'{owner.name}.{node.name}', node)}"


def _signature(title: str, node: Definition, module: ast.Module) -> str:
    if isinstance(node, ast.FunctionDef):
        arguments, result = _arguments(node), node.returns
        returns = f" -> {ast.unparse(result)}" if result else ""
    else:
        arguments, returns = _constructor(node, module), ""
    line = f"{title}({', '.join(arguments)}){returns}"
    if len(line) <= _LINE:
        return line
    return f"{title}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f"){returns}"


def _constructor(node: ast.ClassDef, module: ast.Module) -> list[str]:
    """Returns the arguments of `__init__`, of its own or of a base, or the fields of a tuple."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _arguments(item)
    names = [base.id for base in node.bases if isinstance(base, ast.Name)]
    bases = [found for name in names for found in _definitions(module, name)]
    for base in bases:
        if isinstance(base, ast.ClassDef):
            return _constructor(base, module)
    fields = [ast.unparse(item) for item in node.body if isinstance(item, ast.AnnAssign)]
    return [field for field in fields if not field.startswith("_")]


def _arguments(node: ast.FunctionDef) -> list[str]:
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    shown = [_argument(*pair) for pair in zip(plain, defaults, strict=True)]
    if plain and plain[0].arg in ("self", "cls"):
        del shown[0]
    if given.vararg or given.kwonlyargs:
        shown.append(f"*{_argument(given.vararg, None)}" if given.vararg else "*")
    shown += [_argument(*pair) for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return [*shown, f"**{_argument(given.kwarg, None)}"] if given.kwarg else shown


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    equals = " = " if kind else "="
    return argument.arg + kind + (equals + ast.unparse(default) if default else "")


def _text(name: str, node: Definition | ast.Module) -> str:
    text = ast.get_docstring(node)
    if not text:
        raise ValueError(f"{name} is exported and has no docstring")
    text = re.sub(r" *# doctest:.*", "", text)
    parts = re.split(rf"^({'|'.join(_SECTIONS)}):\n", text, flags=re.MULTILINE)
    shown = [_with_code(parts[0])]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        shown.append(_section(title, textwrap.dedent(body)))
    return "\n\n".join(part.strip() for part in shown)


def _section(title: str, body: str) -> str:
    if title == "Example":
        return _with_code(body)
    if title in ("Returns", "Yields"):
        return f"**{title}** {' '.join(body.split())}"
    items = re.findall(r"^(\S.*?): (.*(?:\n(?: .*|$))*)", body, flags=re.MULTILINE)
    shown = [f"- `{name.strip('`')}`: {' '.join(told.split())}" for name, told in items]
    word = {"Args": "Arguments"}.get(title, title)
    return f"**{word}**\n\n" + "\n".join(shown)


def _with_code(text: str) -> str:
    """Fences the examples: lines that begin with a prompt, and what they print."""
    example = r"((?:^ *>>> .*\n?(?:^ *\S.*\n?)*)+)"
    parts = re.split(example, text, flags=re.MULTILINE)
    parts[1::2] = [f"```pycon\n{textwrap.dedent(part).strip()}\n```\n" for part in parts[1::2]]
    return "".join(parts)
