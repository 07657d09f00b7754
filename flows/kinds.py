"""What `velatura kinds` lists: the parts of a recipe, every family, its kinds, and the keys of each."""

import ast
import difflib
import importlib
import inspect
import json
import re
import textwrap
from itertools import pairwise
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.markup import escape

from core.block import Block
from core.errors import UnknownKind
from flows.recipe import FAMILIES, PARTS, family_named

RECIPE = "recipe"

Keys = dict[str, dict[str, Any]]
"""by name: ``type``, ``default`` (absent where it must be given) and ``help``"""


def all_kinds(family: str = "") -> dict[str, dict[str, dict[str, Any]]]:
    """Family, kind, and of each kind ``help``, ``about`` and ``keys``; all families where none is named.

    The parts of a recipe itself are listed as a family called ``recipe``.
    """
    name = family if family in ("", RECIPE) else family.removesuffix("s")
    known = [RECIPE, *FAMILIES]
    if name and name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UnknownKind(f"there is no family {family!r}; {hint}known: {', '.join(known)}")
    chosen = [name] if name else known
    return {one: parts() if one == RECIPE else kinds_of(family_named(one)) for one in chosen}


def parts() -> dict[str, dict[str, Any]]:
    """The sections of a recipe."""
    return {name: described(part) for name, part in PARTS.items()}


def kinds_of(family: type[Block]) -> dict[str, dict[str, Any]]:
    """The kinds of one family, with the first line of each one's file."""
    return {kind: {**described(family.of_kind(kind)), "help": family.help_of(kind)} for kind in family.kinds()}


def described(model: type[BaseModel]) -> dict[str, Any]:
    """What stands in a model's docstring, and its keys, as JSON can say it."""
    first, _, rest = inspect.cleandoc(model.__doc__ or "").partition("\n")
    about = attribute_docstrings(model)
    keys = {name: key_of(field, about.get(name, "")) for name, field in model.model_fields.items()}
    if issubclass(model, Block):
        return {"help": "", "about": f"{first}\n{rest}".strip(), "keys": keys}
    return {"help": first, "about": rest.strip(), "keys": keys}


def attribute_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The string below each field, inherited ones too.

    Read only when somebody asks: pydantic would parse every class as it is made, and Python 3.11 fails at that where
    another thread parses too ("AST constructor recursion depth mismatch"), as Prefect's do.
    """
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base not in (BaseModel, Block):
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            assert isinstance(body, ast.ClassDef)
            for field, below in pairwise(body.body):
                if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and text_of(below):
                    found[ast.unparse(field.target)] = text_of(below)
    return found


def text_of(statement: ast.Expr) -> str:
    """A bare string, or nothing."""
    value = statement.value.value if isinstance(statement.value, ast.Constant) else ""
    return inspect.cleandoc(value) if isinstance(value, str) else ""


def key_of(field: FieldInfo, below: str) -> dict[str, Any]:
    """One key of a kind; ``below``: the string under it."""
    key: dict[str, Any] = {"type": type_in_words(field.annotation), "help": field.description or below}
    if not field.is_required():
        key["default"] = plain(field.get_default(call_default_factory=True))
    return key


def plain(value: Any) -> Any:
    """A default as JSON can say it; of a block its kind, of a section nothing, since its keys are told elsewhere."""
    if isinstance(value, Block):
        return value.kind
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return {} if isinstance(value, BaseModel) else to_jsonable_python(value)


def type_in_words(kind: Any) -> str:
    """``float``, ``largest | newest``, ``list of str``."""
    if kind is type(None):
        return "null"
    if isinstance(kind, type) and issubclass(kind, Block):
        return kind.title()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "section"
    origin, arguments = get_origin(kind), [inner for inner in get_args(kind) if inner is not ...]
    if origin is Annotated:
        return type_in_words(arguments[0])
    if origin is None:
        return str(getattr(kind, "__name__", kind))
    if origin is tuple:
        inner = [type_in_words(one) for one in arguments]
        return f"list of {inner[0]}" if len(inner) == 1 else f"[{', '.join(inner)}]"
    return " | ".join(type_in_words(one) if isinstance(one, type) or get_origin(one) else str(one) for one in arguments)


def told(found: dict[str, dict[str, dict[str, Any]]], console: Console, *, keys: bool) -> None:
    """Print kinds for people; ``keys``: with all that each can be told."""
    for name, members in found.items():
        console.print(f"\n[bold]{name}[/]  {marked(purpose(name))}", soft_wrap=True)
        for kind, about in members.items():
            console.print(f"  [cyan]{kind:<22}[/] {marked(about['help'])}", soft_wrap=True)
            if not keys:
                continue
            for line in about["about"].splitlines():
                console.print(f"      [dim]{marked(line)}[/]".rstrip(), soft_wrap=True)
            for key, what in about["keys"].items():
                value = escape(json.dumps(what["default"])) if "default" in what else "[yellow](must be given)[/]"
                words = f" {marked(' '.join(what['help'].split()))}" if what["help"] else ""
                console.print(f"      {key} = {value}  [dim]({escape(what['type'])})[/]{words}", soft_wrap=True)
            console.print()
    if not keys:
        console.print("\n[dim]velatura kinds FAMILY tells what each of them can be told.[/]")


def purpose(family: str) -> str:
    """What a family is for: the first sentence of its folder."""
    if family == RECIPE:
        return "What a recipe says, section by section."
    about = importlib.import_module(family_named(family).family).__doc__ or ""
    return about.partition(". ")[0] + "."


def marked(words: str) -> str:
    """Text of a docstring with its `code` set apart."""
    return re.sub(r"`+([^`]+)`+", r"[bold]\1[/]", escape(words))
