from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from backbones.backbone import Backbone
from backbones.family import family_of
from core.errors import RecipeError
from tests.training.adapting import answer
from tests.training.tools.conftest import Learned
from training.tools.layers import read_layers, write_layers
from training.tools.low_rank import Fewer, low_of
from training.tools.merge import into_base, merged
from training.tools.mixing import difference_added, mixed, weighted
from training.tools.model_files import ModelFiles
from training.tools.weighing import Weights


def test_a_merged_file_does_what_both_do_together(base: Backbone, learned: Learned, tmp_path: Path) -> None:
    """diffusers itself puts both on with the same weights."""
    files = [learned("locon", words=True).named(), learned("lora", seed=5).named()]
    found, kept = merged([read_layers(file) for file in files], Weights((0.7, -0.4)), None)
    assert kept == 1.0
    write_layers(tmp_path / "both.safetensors", found)
    pipeline = base.pipeline
    for name, file in zip("ab", files, strict=True):
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=name, local_files_only=True)
    pipeline.set_adapters(["a", "b"], [0.7, -0.4])
    theirs = answer(base)
    pipeline.unload_lora_weights()
    plain = answer(base)
    base.apply_adapter(tmp_path / "both.safetensors")
    torch.testing.assert_close(answer(base), theirs, atol=1e-5, rtol=1e-4)
    base.remove_adapter()
    assert (theirs - plain).abs().max() > 1e-3


def test_fewer_ranks_are_exact_where_they_suffice_and_the_nearest_where_not(learned: Learned) -> None:
    files = [read_layers(learned("lora", seed=seed).named()) for seed in (4, 5)]
    exact, _ = merged(files, Weights((1.0, 1.0)), None)
    same, kept = merged(files, Weights((1.0, 1.0)), Fewer(rank=8))
    fewer, less = merged(files, Weights((1.0, 1.0)), Fewer(rank=3))
    assert kept == pytest.approx(1.0, abs=1e-6)
    assert 0.3 < less < 1
    for name, parts in exact.parts.items():
        low = low_of(parts)
        assert low is not None
        whole = low.whole().flatten(1)
        ours, three = low_of(same.parts[name]), low_of(fewer.parts[name])
        assert ours is not None and three is not None
        torch.testing.assert_close(ours.whole().flatten(1), whole, atol=1e-5, rtol=1e-4)
        values = torch.linalg.svdvals(whole)
        assert float((three.whole().flatten(1) - whole).norm()) == pytest.approx(float(values[3:].norm()), abs=1e-5)


def test_parts_of_the_network_can_have_weights_of_their_own(learned: Learned) -> None:
    files = [read_layers(learned("lora", seed=seed).named()) for seed in (4, 5)]
    chosen = Weights.parse("1,0.5", ["up_blocks=0,2", "up_blocks.1=1,0"], 2, 1.0)
    found, _ = merged(files, chosen, None)
    for name, share in {"unet.up_blocks.0": (0, 2), "unet.up_blocks.1": (1, 0), "unet.mid_block": (1, 0.5)}.items():
        layer = next(layer for layer in found.parts if layer.startswith(name))
        lows = [low_of(part) for part in (found.parts[layer], files[0].parts[layer], files[1].parts[layer])]
        ours, one, two = (low.whole() for low in lows if low is not None)
        torch.testing.assert_close(ours, share[0] * one + share[1] * two, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("weights", "blocks", "said"),
    [
        ("1", [], "1 weights for 2 files"),
        ("1,much", [], "numbers with commas"),
        ("1,1", ["up_blocks"], "PART=W1,W2"),
        ("1,1", ["up_block=1,1"], "nothing is in that part; there are down_blocks.0, .*up_blocks.1"),
        ("0,0", [], "every weight is 0"),
    ],
)
def test_a_mistake_in_the_weights_is_told(weights: str, blocks: list[str], said: str, learned: Learned) -> None:
    files = [read_layers(learned("lora", seed=seed).named()) for seed in (4, 5)]
    with pytest.raises(RecipeError, match=said):
        merged(files, Weights.parse(weights, blocks, 2, 1.0), None)


def test_kinds_of_their_own_are_merged_by_rank_or_told(learned: Learned) -> None:
    files = [read_layers(learned(kind).named()) for kind in ("lora", "loha")]
    with pytest.raises(RecipeError, match="give --rank"):
        merged(files, Weights((1.0, 1.0)), None)
    with pytest.raises(RecipeError, match="merge the file into its base"):
        merged([read_layers(learned("oft").named()), files[0]], Weights((1.0, 1.0)), Fewer(rank=4))


@pytest.mark.parametrize("kind", ["lora", "locon", "dora", "ia3"])
def test_a_base_with_a_file_merged_in_answers_as_base_and_file_do(
    kind: str, base: Backbone, base_folder: Path, learned: Learned, tmp_path: Path
) -> None:
    one = learned(kind, words=kind == "locon")
    notes = into_base(ModelFiles.of(base_folder), [read_layers(one.named())], Weights((1.0,)), tmp_path / "base", {})
    assert not notes
    tuned = family_of(str(tmp_path / "base")).load()
    torch.testing.assert_close(answer(tuned), one.answer, atol=1e-4, rtol=1e-4)
    if kind == "lora":
        base.apply_adapter(one.named())
        pictures = [b.sample(["a qzx"], [1], steps=2)[0].astype(int) for b in (base, tuned)]
        base.remove_adapter()
        assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_the_one_file_takes_a_lora_too(base: Backbone, learned: Learned, tmp_path: Path) -> None:
    one = learned("locon", words=True)
    model = ModelFiles.of(learned("full").named())
    into_base(model, [read_layers(one.named())], Weights((1.0,)), tmp_path / "m.safetensors", {"a": "b"})
    with_file, without = ModelFiles.of(tmp_path / "m.safetensors"), model
    for name, parts in read_layers(one.named()).parts.items():
        low = low_of(parts)
        assert low is not None
        change = with_file.weight(name) - without.weight(name)
        torch.testing.assert_close(change, low.whole().reshape(change.shape), atol=1e-5, rtol=1e-3)
    assert with_file.metadata() == {"a": "b"}


def test_a_lora_of_another_base_is_told(learned: Learned, tmp_path: Path) -> None:
    from backbones.family import POCKET

    file = read_layers(learned("lora").named())
    with pytest.raises(RecipeError, match="it is of another base"):
        into_base(ModelFiles.of(POCKET), [file], Weights((1.0,)), tmp_path / "out", {})


def test_models_are_mixed_tensor_by_tensor(base_folder: Path, learned: Learned, tmp_path: Path) -> None:
    folders = [ModelFiles.of(learned("full").named("diffusers")), ModelFiles.of(base_folder)]
    chosen = Weights.parse("0.25,0.75", ["unet.up_blocks=1,0"], 2, 0.5)
    mixed(folders, weighted(chosen), chosen, tmp_path / "mix", {})
    one, two, ours = (
        load_file(f / "unet" / "diffusion_pytorch_model.safetensors") for f in (*paths(folders), tmp_path / "mix")
    )
    for name, tensor in ours.items():
        share = (1.0, 0.0) if name.startswith("up_blocks") else (0.25, 0.75)
        torch.testing.assert_close(tensor, share[0] * one[name] + share[1] * two[name], atol=1e-6, rtol=1e-5)
    assert family_of(str(tmp_path / "mix")).load()


def paths(models: list[ModelFiles]) -> list[Path]:
    return [model.path for model in models]


def test_what_one_model_learned_is_added_to_another(learned: Learned, tmp_path: Path) -> None:
    file = learned("full").named()
    first = tmp_path / "first.safetensors"
    tensors = {name: t + 1 if t.is_floating_point() else t for name, t in load_file(file).items()}
    from training.tensors import write_tensors

    write_tensors(first, tensors, {})
    chosen = Weights((0.5,))
    models = [ModelFiles.of(path) for path in (file, first, file)]
    mixed(models, difference_added(chosen), chosen, tmp_path / "out.safetensors", {})
    ours, before = load_file(tmp_path / "out.safetensors"), load_file(file)
    for name, tensor in ours.items():
        by = 0.0 if name.startswith("first_stage_model") else 0.5
        torch.testing.assert_close(tensor, before[name] + by, atol=1e-6, rtol=1e-5)


def test_models_that_do_not_go_together_are_told(base_folder: Path, learned: Learned, tmp_path: Path) -> None:
    from backbones.family import POCKET

    chosen = Weights((0.5, 0.5))
    folder = ModelFiles.of(base_folder)
    for other, said in ((learned("full").named(), "not one of each"), (POCKET, "they are of different families")):
        with pytest.raises(RecipeError, match=said):
            mixed([folder, ModelFiles.of(other)], weighted(chosen), chosen, tmp_path / "mix", {})
    assert not (tmp_path / "mix").exists()
