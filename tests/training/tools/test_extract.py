from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import MissingBase, RecipeError
from tests.training.tools.conftest import Learned
from training.tools.extract import extracted
from training.tools.layers import read_layers
from training.tools.low_rank import Fewer, factored, low_of
from training.tools.merge import into_base
from training.tools.model_files import ModelFiles
from training.tools.resize import resized
from training.tools.weighing import Weights


def test_a_known_lora_comes_back(base_folder: Path, learned: Learned, tmp_path: Path) -> None:
    """Linear layers, convolutions and the text encoder, from folder against folder."""
    known, base = read_layers(learned("locon", words=True).named()), ModelFiles.of(base_folder)
    into_base(base, [known], Weights((1.0,)), tmp_path / "tuned", {})
    found = extracted(ModelFiles.of(tmp_path / "tuned"), base, Fewer(rank=4), Fewer(rank=4))
    assert found.layers.parts.keys() == known.parts.keys()
    assert found.kept == pytest.approx(1.0, abs=1e-5)
    for name, parts in known.parts.items():
        ours, theirs = low_of(found.layers.parts[name]), low_of(parts)
        assert ours is not None and theirs is not None
        assert ours.rank <= 4
        torch.testing.assert_close(ours.whole().squeeze(), theirs.whole().squeeze(), atol=1e-5, rtol=1e-4)
    linear = extracted(ModelFiles.of(tmp_path / "tuned"), base, Fewer(energy=0.9), None)
    assert set(linear.left) == {"down_blocks.0", "down_blocks.1", "down_blocks.2", "down_blocks.3", "mid_block"} | {
        f"up_blocks.{number}" for number in range(4)
    }
    assert all(".attentions." in name or name.startswith("text_encoder") for name in linear.layers.parts)
    assert 0.9 <= linear.kept < 1


def test_one_file_against_another_gives_the_same(base_folder: Path, learned: Learned, tmp_path: Path) -> None:
    from backbones.checkpoints import single_file_of
    from backbones.family import family_of
    from training.tensors import write_tensors

    write_tensors(tmp_path / "base.safetensors", single_file_of(family_of(str(base_folder)).load(), torch.float32), {})
    base = ModelFiles.of(tmp_path / "base.safetensors")
    known = read_layers(learned("lora").named())
    into_base(base, [known], Weights((1.0,)), tmp_path / "tuned.safetensors", {})
    found = extracted(ModelFiles.of(tmp_path / "tuned.safetensors"), base, Fewer(rank=4), Fewer(rank=4))
    assert found.layers.parts.keys() == known.parts.keys()
    assert found.kept == pytest.approx(1.0, abs=1e-5)


def test_nothing_learned_and_no_base_are_told(base_folder: Path, tmp_path: Path) -> None:
    base = ModelFiles.of(base_folder)
    with pytest.raises(RecipeError, match="has learned nothing beyond"):
        extracted(base, base, Fewer(rank=4), None)
    for path, said in ((tmp_path / "no", "there is no base"), (tmp_path, "no model_index.json")):
        with pytest.raises(MissingBase, match=said):
            ModelFiles.of(path)
    (tmp_path / "x.ckpt").write_bytes(b"x")
    with pytest.raises(MissingBase, match="pickled checkpoints are never loaded"):
        ModelFiles.of(tmp_path / "x.ckpt")


@pytest.mark.parametrize("fewer", [Fewer(ratio=1.5), Fewer(energy=0.8), Fewer(rank=1, energy=0.99)])
def test_a_file_is_made_smaller_by_singular_values(fewer: Fewer, learned: Learned) -> None:
    layers = read_layers(learned("lora").named())
    found = resized(layers, fewer)
    whole = kept = 0.0
    for name, parts in layers.parts.items():
        before, after = low_of(parts), low_of(found.layers.parts[name])
        assert before is not None and after is not None
        values = torch.linalg.svdvals(before.whole().flatten(1))[: before.rank]
        share = values.square().cumsum(0) / values.square().sum()
        limits = [
            fewer.rank or before.rank,
            int((values >= values[0] / fewer.ratio).sum()) if fewer.ratio else before.rank,
            int((share < fewer.energy).sum()) + 1 if fewer.energy else before.rank,
        ]
        assert after.rank == min(*limits, before.rank)
        lost = float((after.whole() - before.whole()).norm())
        assert lost == pytest.approx(float(values[after.rank :].norm()), abs=1e-5)
        whole, kept = whole + float(values.square().sum()), kept + float(values[: after.rank].square().sum())
    assert found.kept == pytest.approx(kept / whole, abs=1e-4)
    assert "velatura.verdict" not in found.layers.metadata, "it was found on the file before"
    assert found.layers.metadata["velatura.trigger"] == "qzx"


@pytest.mark.parametrize("kind", ["loha", "lokr"])
def test_other_kinds_become_loras(kind: str, learned: Learned, base_folder: Path, tmp_path: Path) -> None:
    whole = read_layers(learned(kind).named())
    some = {name: parts for name, parts in whole.parts.items() if name.startswith("unet.mid_block")}
    layers = replace(whole, parts=some)
    found = resized(layers, Fewer(rank=64))
    assert found.remade == len(layers.parts)
    base = ModelFiles.of(base_folder)
    for name, file in (("one", layers), ("other", found.layers)):
        into_base(base, [file], Weights((1.0,)), tmp_path / name, {})
    one, other = (ModelFiles.of(tmp_path / name) for name in ("one", "other"))
    for name in layers.parts:
        torch.testing.assert_close(other.weight(name), one.weight(name), atol=1e-5, rtol=1e-4)


def test_what_depends_on_the_base_is_not_resized(learned: Learned) -> None:
    with pytest.raises(RecipeError, match="depends on the base's weight"):
        resized(read_layers(learned("ia3").named()), Fewer(rank=2))
    with pytest.raises(RecipeError, match="say how small"):
        resized(read_layers(learned("lora").named()), Fewer())


def test_the_randomised_search_finds_what_the_whole_one_finds() -> None:
    rng = torch.Generator().manual_seed(0)
    change = torch.randn(300, 5, generator=rng) @ torch.randn(5, 260, generator=rng)
    change += 0.01 * torch.randn(300, 260, generator=rng)
    found, kept = factored(change, Fewer(rank=5))
    values = torch.linalg.svdvals(change)
    assert float((found.whole() - change).norm()) == pytest.approx(float(values[5:].norm()), rel=1e-3)
    assert kept == pytest.approx(float(values[:5].square().sum() / values.square().sum()), rel=1e-5)
