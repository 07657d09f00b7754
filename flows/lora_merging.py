"""The three ways of `velatura lora merge`, from file names to files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import RecipeError


def lows(files: Sequence[Path], weights: str, blocks: Sequence[str], out: Path, fewer: Any, dtype: Any) -> list[str]:
    """Adapters into one LoRA."""
    from training.tools.layers import read_layers, write_layers
    from training.tools.merge import merged
    from training.tools.provenance import of_merge
    from training.tools.targets import new_file
    from training.tools.weighing import Weights

    target = new_file(out)
    chosen = Weights.parse(weights, blocks, len(files), 1.0)
    layers, kept = merged([read_layers(file) for file in files], chosen, fewer)
    layers = of_merge(layers, files, chosen.words, target.stem)
    write_layers(target, layers.to(dtype) if dtype is not None else layers)
    ranks = sorted({parts["lora_down.weight"].shape[0] for parts in layers.parts.values()})
    span = f"{ranks[0]}" if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"
    return [f"ranks    {span}", "exact: the ranks stand side by side" if fewer is None else f"kept     {kept:.2%}"]


def into_base(files: Sequence[Path], weights: str, blocks: Sequence[str], base: str, out: Path) -> list[str]:
    """Adapters into the weights of a base."""
    from training.tools.layers import read_layers
    from training.tools.merge import into_base as write
    from training.tools.model_files import ModelFiles
    from training.tools.provenance import of_model
    from training.tools.weighing import Weights

    model = ModelFiles.of(base)
    target = place_for(model, out)
    chosen = Weights.parse(weights, blocks, len(files), 1.0)
    said = of_model(model, files, chosen.words, target.stem)
    return write(model, [read_layers(file) for file in files], chosen, target, said)


def models(files: Sequence[Path], weights: str, blocks: Sequence[str], out: Path, add_difference: bool) -> list[str]:
    """Whole models with each other."""
    from training.tools.mixing import difference_added, mixed, weighted
    from training.tools.model_files import ModelFiles
    from training.tools.provenance import of_model
    from training.tools.weighing import Weights

    if add_difference and len(files) != 3:
        raise RecipeError(f"--add-difference takes three models A B C, for A + weight * (B - C); here are {len(files)}")
    if len(files) < 2:
        raise RecipeError("a merge of models takes at least two")
    found = [ModelFiles.of(file) for file in files]
    target = place_for(found[0], out)
    count = 1 if add_difference else len(files)
    chosen = Weights.parse(weights, blocks, count, 1.0 / count)
    said = of_model(found[0], files[1:], chosen.words, target.stem)
    return mixed(found, difference_added(chosen) if add_difference else weighted(chosen), chosen, target, said)


def place_for(model: Any, out: Path) -> Path:
    """A new file or folder, as the model is one."""
    from training.tools.targets import new_file, new_folder

    return new_folder(out) if model.is_folder else new_file(out)
