"""`velatura import`: another trainer's configuration as a recipe, and a list of what could not be carried over."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from core.errors import ExportError, RecipeError
from core.files import write_text

PROGRAMS = {
    "kohya": "sd-scripts' .toml, the GUI's .json, LoRA scripts' .toml",
    "hcp": "HCP-Diffusion's .yaml",
    "naifu": "naifu's .yaml",
}


def import_config(
    program: Annotated[str, typer.Argument(help="kohya, hcp or naifu.")],
    config: Annotated[Path, typer.Argument(help="The configuration's file.")],
    out: Annotated[Path | None, typer.Option(help="Where the recipe goes; default: its name, in this folder.")] = None,
    pictures: Annotated[str, typer.Option(help="The pictures, where the configuration's are elsewhere.")] = "",
    base: Annotated[str, typer.Option(help="The base, where the configuration's is elsewhere.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words.")] = False,
) -> None:
    """Write a recipe from a configuration of kohya, HCP-Diffusion or naifu; tell what could not be carried over."""
    import importlib

    from flows.recipe import check

    if program not in PROGRAMS:
        known = "; ".join(f"{name} ({what})" for name, what in PROGRAMS.items())
        raise RecipeError(f"there is no import from {program!r}; known: {known}")
    config = config.expanduser()
    if not config.is_file():
        raise RecipeError(f"there is no configuration {config}")
    draft = importlib.import_module(f"flows.peers.{program}").translated(config)
    if pictures:
        draft.recipe["pictures"]["path"] = pictures
    if base:
        draft.recipe["base"] = base
    given = (("pictures.path", pictures), ("base", base))
    draft.notes = [note for note in draft.notes if not any(said and note.startswith(key) for key, said in given)]
    check(draft.recipe, str(config))
    target = (out or Path(f"{draft.recipe['name']}.yaml")).expanduser()
    if target.exists():
        raise ExportError(f"{target} is there already, and nothing is written over; name another file with --out")
    write_text(target, text_of(draft, program, config))
    left = {name: {"value": value, "why": why} for name, (value, why) in draft.left.items()}
    if as_json:
        told = {"recipe": str(target), "left": left, "notes": draft.notes}
        print(json.dumps(told, indent=1, ensure_ascii=False, default=str))
        return
    console = Console(highlight=False)
    console.print(f"written   {escape(str(target))}", soft_wrap=True)
    for name, one in left.items():
        console.print(
            f"[yellow]left out[/]  {escape(name)} = {escape(short(one['value']))}: {escape(one['why'])}", soft_wrap=True
        )
    for note in draft.notes:
        console.print(f"note      {escape(note)}", soft_wrap=True)


def text_of(draft: Any, program: str, config: Path) -> str:
    """The recipe, with what was left out above it."""
    lines = [f"# From {config.name} of {program}."]
    lines += [f"# left out: {name} = {short(value)}: {why}" for name, (value, why) in draft.left.items()]
    lines += [f"# {note}" for note in draft.notes]
    order = ["name", "base", "pictures", "captioner", "augment", "train", "samples"]
    recipe = {key: draft.recipe[key] for key in order if key in draft.recipe}
    return "\n".join(lines) + "\n\n" + yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=110)


def short(value: object) -> str:
    """A value in one line."""
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
