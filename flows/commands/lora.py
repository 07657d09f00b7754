"""`velatura lora`: look at finished files, merge, extract, resize and convert them. Nothing is trained."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from core.errors import RecipeError
from flows.console import live_progress

lora = typer.Typer(
    help="Look at adapter files, merge, extract, resize and convert them: LoRA, LyCORIS, embeddings, hypernetworks.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of words, for scripts.")]
File = Annotated[Path, typer.Argument(help="A .safetensors or .pt file, or a diffusers folder.")]
Out = Annotated[Path, typer.Option(help="Where to write; never onto what is there.")]
Rank = Annotated[int | None, typer.Option(min=1, help="At most so many ranks a layer.")]
Ratio = Annotated[float | None, typer.Option(min=1, help="Keep singular values above the largest over this.")]
Energy = Annotated[float | None, typer.Option(min=0, max=1, help="Keep this share of the squared norm: 0.9.")]
Dtype = Annotated[str, typer.Option(help="fp32, fp16 or bf16; default: as it is.")]


@lora.callback()
def about() -> None:
    """Look at adapter files, merge, extract, resize and convert them."""


@lora.command()
def inspect(file: File, as_json: Json = False) -> None:
    """Tell what a file is: kind, base, ranks and norm by part, words for the prompt, metadata, what it needs."""
    from flows.lora_words import told
    from training.tools.inspect_file import inspected

    found = inspected(file.expanduser())
    if as_json:
        print(json.dumps(found.as_json(), indent=1, ensure_ascii=False))
    else:
        told(found, Console(highlight=False))


@lora.command()
def convert(
    file: File,
    to: Annotated[str, typer.Option("--to", help="kohya, diffusers, web_ui (.pt) or safetensors (of a hypernetwork).")],
    out: Out,
    dtype: Dtype = "",
) -> None:
    """Write the same adapter in another program's layout, or in another precision."""
    from training.tools.convert import LAYOUTS, converted, kind_of, suffix_for
    from training.tools.targets import new_file

    known = sorted({layout for layouts in LAYOUTS.values() for layout in layouts})
    if to not in known:
        raise RecipeError(f"--to {to}: there is no such layout; known: {', '.join(known)}")
    kind = kind_of(file.expanduser())
    target = new_file(out, suffix_for(to))  # type: ignore[arg-type]
    notes = converted(file.expanduser(), kind, to, target, dtype_named(dtype))  # type: ignore[arg-type]
    said([f"written  {target}", *notes])


@lora.command()
def resize(
    file: File, out: Out, rank: Rank = None, ratio: Ratio = None, energy: Energy = None, dtype: Dtype = ""
) -> None:
    """Write the nearest LoRA of fewer ranks, by singular values; LoHa and LoKr become LoRAs."""
    from training.tools.layers import read_layers, write_layers
    from training.tools.low_rank import Fewer
    from training.tools.resize import resized
    from training.tools.targets import new_file

    target = new_file(out)
    layers = read_layers(file.expanduser())
    with live_progress():
        found = resized(layers, Fewer(rank, ratio, energy))
    kind = dtype_named(dtype)
    write_layers(target, found.layers if kind is None else found.layers.to(kind))
    low, high = found.ranks
    ranks = f"rank {low}" if low == high else f"ranks {low} to {high}"
    notes = [f"{found.remade} layers of another kind became LoRAs"] if found.remade else []
    said([f"written  {target}", f"kept     {found.kept:.2%} of what it did (squared norm), {ranks}", *notes])


@lora.command()
def extract(
    tuned: Annotated[Path, typer.Argument(help="The tuned model: one .safetensors file or a diffusers folder.")],
    base: Annotated[str, typer.Argument(help="The base that it was tuned from: a file, a folder, or `pocket`.")],
    out: Out,
    rank: Rank = None,
    ratio: Ratio = None,
    energy: Energy = None,
    conv_rank: Annotated[
        int | None, typer.Option(min=1, help="Also residual and sampling layers, at this rank.")
    ] = None,
    dtype: Dtype = "fp16",
) -> None:
    """Write what a tuned model learned beyond its base as a LoRA (with --conv-rank as a LoCon)."""
    from training.tools.extract import extracted
    from training.tools.layers import write_layers
    from training.tools.low_rank import Fewer
    from training.tools.model_files import ModelFiles
    from training.tools.provenance import of_extraction
    from training.tools.targets import new_file

    if rank is None and ratio is None and energy is None:
        raise RecipeError("say how large the LoRA is to be: --rank, --ratio or --energy")
    target, kind = new_file(out), dtype_named(dtype)
    models = ModelFiles.of(tuned), ModelFiles.of(base)
    with live_progress():
        found = extracted(*models, Fewer(rank, ratio, energy), None if conv_rank is None else Fewer(conv_rank))
    layers = of_extraction(found.layers, *models, target.stem)
    write_layers(target, layers if kind is None else layers.to(kind))
    left = [f"left out {part}: changes of norm {norm:.3g}; --conv-rank takes them" for part, norm in found.left.items()]
    said([f"written  {target}", f"kept     {found.kept:.2%} of what those layers learned (squared norm)", *left])


@lora.command()
def merge(
    files: Annotated[list[Path], typer.Argument(help="LoRA or LyCORIS files; or whole models of one layout.")],
    out: Out,
    weights: Annotated[
        str, typer.Option(help="One number for each file: 0.7,0.3. Default: 1 each; models: equal.")
    ] = "",
    blocks: Annotated[
        list[str] | None, typer.Option(help="Others for a part: up_blocks.1=0.2,0.8 (may be given again).")
    ] = None,
    into: Annotated[str, typer.Option(help="Put the files into this base: a file, a folder, or `pocket`.")] = "",
    add_difference: Annotated[
        bool,
        typer.Option("--add-difference", help="Three models A B C: A + weight * (B - C); --weights has one number."),
    ] = False,
    rank: Rank = None,
    ratio: Ratio = None,
    energy: Energy = None,
    dtype: Dtype = "",
) -> None:
    """Merge LoRAs into one (exactly, or by --rank), LoRAs into a base (--into), or whole models with each other."""
    from flows.lora_merging import into_base, lows, models
    from training.tools.inspect_file import is_model
    from training.tools.low_rank import Fewer

    files = [file.expanduser() for file in files]
    whole = [file for file in files if file.is_dir() or is_model(file)]
    fewer = None if rank is None and ratio is None and energy is None else Fewer(rank, ratio, energy)
    with live_progress():
        if whole and (into or len(whole) < len(files)):
            raise RecipeError(f"{whole[0]} is a whole model; LoRAs go into one with --into {whole[0]}")
        if whole or add_difference:
            refuse("models keep their precision and have no rank", dtype=dtype, rank=fewer)
            notes = models(files, weights, blocks or [], out, add_difference)
        elif into:
            refuse("what is written is a base in its own precision", dtype=dtype, rank=fewer)
            notes = into_base(files, weights, blocks or [], into, out)
        else:
            notes = lows(files, weights, blocks or [], out, fewer, dtype_named(dtype))
    said([f"written  {out}", *notes])


def refuse(why: str, **options: object) -> None:
    """`RecipeError` for options that would be ignored."""
    for name, value in options.items():
        if value:
            raise RecipeError(f"--{name} means nothing here: {why}")


def dtype_named(name: str) -> Any:
    """The type of a word; none for none."""
    from training.tools.convert import DTYPES

    if name and name not in DTYPES:
        raise RecipeError(f"--dtype {name}: known are {', '.join(DTYPES)}")
    return DTYPES.get(name)


def said(lines: list[str]) -> None:
    """Tell what was done."""
    Console(highlight=False).print("\n".join(escape(line) for line in lines), soft_wrap=True)
