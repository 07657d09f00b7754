"""Runs that go on from a finished file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backbones.backbone import Backbone
from core.errors import RecipeError
from tests.training import runs
from tests.training.adapting import RICH, answer, disturb, made, weights
from training.adapter import Adapter
from training.tensors import write_tensors

OTHER = {"lora": {"alpha": 8.0}, "locon": {"alpha": 1.0}, "loha": {"alpha": 1.5}, "lokr": {"alpha": 6.0}}
"""alphas that are not the file's: what was learned must stay the same"""


@pytest.fixture(scope="module")
def files(base: Backbone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, torch.Tensor]]:
    found = {}
    for kind in Adapter.kinds():
        folder = tmp_path_factory.mktemp(kind)
        torch.manual_seed(1)  # with other weights so small a network may make .001 of a rounded digit
        adapter = made(kind, RICH).attach(base)
        disturb(weights(adapter), 0.01 if kind == "full" else 0.05)
        adapter.export(folder, {})
        found[kind] = folder / Adapter.of_kind(kind).files["weights"], answer(base)
        adapter.detach()
    return found


@pytest.mark.parametrize("kind", Adapter.kinds())
def test_every_kind_begins_as_its_file_is_and_the_base_stays_the_base(
    kind: str, base: Backbone, files: dict[str, tuple[Path, torch.Tensor]]
) -> None:
    file, learned = files[kind]
    before = answer(base)
    adapter = Adapter.parse({"kind": kind, **RICH.get(kind, {}), **OTHER.get(kind, {})}).attach(base)
    try:
        assert adapter.begin(file) == ""
        torch.testing.assert_close(answer(base), learned, atol=1e-4, rtol=1e-3)
        with base.untuned():
            assert torch.equal(answer(base), before)
    finally:
        adapter.detach()
    assert torch.equal(answer(base), before)


@pytest.mark.parametrize(
    ("kind", "from_kind", "keys", "said"),
    [
        ("lora", "lora", {"rank": 8, "convolutions": True}, "has rank 4, this run trains rank 8; .*lora resize"),
        ("lora", "lora", {"rank": 4}, r"has \d+ layers that this run does not train, .*convolutions: true"),
        ("lora", "dora", {"rank": 3, "convolutions": True}, "is dora, this run trains lora"),
        ("loha", "loha", {"rank": 5, "convolutions": True}, "rank 3, this run trains rank 5"),
        ("lora", "textual_inversion", {}, "is no LoRA or LyCORIS file"),
        ("oft", "oft", {"block_size": 3, "convolutions": True, "constraint": 0.02}, "set train.adapter.block_size to"),
        ("textual_inversion", "textual_inversion", {"word": "qzx", "vectors": 2}, "set train.adapter.vectors to 4"),
        ("hypernetwork", "hypernetwork", {"structure": [1, 2, 1]}, r"is built with structure: \(1, 2, 1.5, 1\)"),
        ("full", "lora", {}, "is no whole model with the base's own text encoder"),
    ],
)
def test_a_file_that_does_not_fit_is_told_with_what_would(
    kind: str,
    from_kind: str,
    keys: dict[str, object],
    said: str,
    base: Backbone,
    files: dict[str, tuple[Path, torch.Tensor]],
) -> None:
    before = answer(base)
    adapter = Adapter.parse({"kind": kind, **keys}).attach(base)
    with pytest.raises(RecipeError, match=said):
        adapter.begin(files[from_kind][0])
    adapter.detach()
    assert torch.equal(answer(base), before)
    assert not base.tunings


def test_a_run_goes_on_from_a_file_and_is_another_run_than_without(
    base: Backbone, files: dict[str, tuple[Path, torch.Tensor]], tmp_path: Path
) -> None:
    file = files["lora"][0]
    few = {"steps": 1, "probe_every": 1, "schedule": "constant", "adapter": {"kind": "lora", **RICH["lora"]}}
    for name, changes in {"from": {"start_from": str(file)}, "base": {}}.items():
        runs.run(base, tmp_path / name, **few, **changes)
    name = "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"
    learned = {
        at: load_file(tmp_path / at / "weights" / "step-00000001" / "kohya.safetensors")[name]
        for at in ("from", "base")
    }
    moved = {at: (tensor - load_file(file)[name]).abs().max() for at, tensor in learned.items()}
    assert 0 < moved["from"] <= 2e-3 < moved["base"]
    copy = tmp_path / "elsewhere.safetensors"
    copy.write_bytes(file.read_bytes())
    assert runs.run(base, tmp_path / "from", **few, start_from=str(copy)).finished, "what counts is what stands in it"
    with pytest.raises(RecipeError, match="checkpoints of another run"):
        runs.run(base, tmp_path / "from", **few)
    with pytest.raises(RecipeError, match="there is no file"):
        runs.run(base, tmp_path / "new", **few, start_from=str(tmp_path / "no.safetensors"))


def test_layers_that_the_file_lacks_begin_at_the_base(
    base: Backbone, files: dict[str, tuple[Path, torch.Tensor]], tmp_path: Path
) -> None:
    tensors = load_file(files["lora"][0])
    few = {name: t for name, t in tensors.items() if "mid_block" in name}
    write_tensors(tmp_path / "few.safetensors", few, {})
    adapter = made("lora", RICH).attach(base)
    assert "layers begin at the base, because few.safetensors lacks them" in adapter.begin(tmp_path / "few.safetensors")
    adapter.detach()
