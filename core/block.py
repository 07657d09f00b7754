"""A block is one configured step of a recipe. A family's blocks live in its plural folder, one kind per file."""

import ast
import difflib
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import core_schema

from core.errors import RecipeError, UnknownKind
from core.hashing import digest


class Block(BaseModel):
    """Frozen and strict: its fields are its parameters, and an unknown key is refused.

    A family is a direct subclass that names its folder::

        class Transform(Block, family="augment.transforms"): ...

    A kind is a subclass of that in a file of the folder; the file's name is the kind's name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), ignored_types=(cached_property,))

    family: ClassVar[str] = ""
    version: ClassVar[int] = 1
    """Raise it when the same parameters begin to give another result: everything downstream is then made again."""

    def __init_subclass__(cls, family: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if family:
            cls.family = family

    @classmethod
    def kinds(cls) -> list[str]:
        """The names that recipes can use, sorted; nothing is imported but the family's (empty) package."""
        folder = importlib.import_module(cls.family)
        return sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if not m.name.startswith("_"))

    @classmethod
    def of_kind(cls, kind: str) -> type[Self]:
        """The class in the file ``kind.py`` of the family's folder."""
        if kind not in cls.kinds():
            near = difflib.get_close_matches(kind, cls.kinds(), n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise UnknownKind(f"there is no {cls.title()} called {kind!r}; {hint}known: {', '.join(cls.kinds())}")
        module = importlib.import_module(f"{cls.family}.{kind}")
        here = [
            member
            for member in vars(module).values()
            if inspect.isclass(member) and issubclass(member, cls) and member.__module__ == module.__name__
        ]
        assert len(here) == 1, f"{module.__name__} must define exactly one {cls.__name__}, not {len(here)}"
        found: type[Self] = here[0]
        return found

    @classmethod
    def title(cls) -> str:
        """What one of the family is called in words, such as "transform"."""
        return next(base for base in cls.__mro__ if "family" in vars(base)).__name__.lower()

    @classmethod
    def help_of(cls, kind: str) -> str:
        """The first line of the kind's file, read without importing it."""
        spec = importlib.util.find_spec(f"{cls.family}.{kind}")
        assert spec is not None and spec.origin is not None
        text = ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or ""
        return text.partition("\n")[0]

    @classmethod
    def parse(cls, value: object) -> Self:
        """A block from what a recipe says: ``"crop"``, ``{"kind": "crop", "size": 64}``, or a block already."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            value = {"kind": value}
        if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
            raise RecipeError(
                f"expected a {cls.title()}: its name, or a mapping with `kind:`; known: {', '.join(cls.kinds())}"
            )
        parameters = {key: item for key, item in value.items() if key != "kind"}
        chosen = cls.of_kind(value["kind"])
        try:
            return chosen(**parameters)
        except ValidationError as error:
            raise RecipeError(f"{value['kind']}: {explain(error, chosen)}") from None

    def __getstate__(self) -> dict[Any, Any]:
        """Sent to another process, a block takes its parameters along and nothing that it has loaded or computed."""
        state = super().__getstate__()
        fields = {name: value for name, value in state["__dict__"].items() if name in type(self).model_fields}
        return {**state, "__dict__": fields}

    @property
    def kind(self) -> str:
        """The name that recipes use: the name of the file."""
        return type(self).__module__.rpartition(".")[2]

    def dump(self) -> dict[str, Any]:
        """``{"kind": ..., parameters}``, as JSON can say it; `parse` reads it back."""
        return {"kind": self.kind, **self.model_dump(mode="json")}

    @property
    def fingerprint(self) -> str:
        """``kind-hash``: what this block does, as a cache key. Follows from kind, version and parameters."""
        return f"{self.kind}-{digest(self.family, self.version, self.dump())}"


class Choice:
    """Marks a field that holds any kind of a family: ``Annotated[Transform, Choice(Transform)]``."""

    def __init__(self, family: type[Block]) -> None:
        self.family = family

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def read(value: object) -> Block:
            try:
                return self.family.parse(value)
            except RecipeError as error:
                raise ValueError(str(error)) from None  # pydantic collects these and adds the path

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(lambda block: block.dump())
        )

    def __get_pydantic_json_schema__(self, schema: object, handler: object) -> dict[str, Any]:
        kinds: list[dict[str, Any]] = [{"type": "string", "enum": self.family.kinds()}]  # a bare name: all defaults
        for kind in self.family.kinds():
            fields = inlined(self.family.of_kind(kind).model_json_schema())
            fields["properties"] = {"kind": {"const": kind, "type": "string"}, **fields.get("properties", {})}
            fields["required"] = ["kind", *fields.get("required", [])]
            kinds.append(fields)
        return {"title": self.family.__name__, "anyOf": kinds}


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The same without ``$defs``: what they name stands where it is used, or a larger schema would lose them."""
    named = schema.pop("$defs", {})

    def put_in(part: Any) -> Any:
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix("#/$defs/")
            rest = {key: put_in(item) for key, item in part.items() if key != "$ref" or name not in named}
            return {**put_in(named[name]), **rest} if name in named else rest
        return [put_in(item) for item in part] if isinstance(part, list) else part

    whole: dict[str, Any] = put_in(schema)
    return whole


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """A pydantic error in one line per mistake: the path, what is wrong, and what is known there."""
    lines = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"]) or "(whole)"
        if item["type"] == "extra_forbidden":
            known = known_keys(model, item["loc"][:-1])
            lines.append(f"{path}: no such key; known here: {', '.join(known)}")
        else:
            given = f" (it says {item['input']!r})" if isinstance(item["input"], str | int | float) else ""
            said = "" if item["type"] == "value_error" else given
            lines.append(f"{path}: {item['msg'].removeprefix('Value error, ')}{said}")
    return "\n".join(lines)


def known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that a (nested) model takes at ``path``."""
    for part in path:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field is not None else None
        candidates = [inner, *getattr(inner, "__args__", ())]
        found = [c for c in candidates if inspect.isclass(c) and issubclass(c, BaseModel)]
        if found:
            model = found[0]
    return sorted(model.model_fields)
