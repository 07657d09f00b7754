from pathlib import Path

import pytest
import torch

from backbones.backbone import Backbone
from training.adapter import Adapter

X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def answer(base: Backbone) -> torch.Tensor:
    base.network.eval()
    return base.predict(X, torch.tensor([100, 700]), base.encode_text(["a", "b"]))


def disturb(parameters: list[torch.nn.Parameter]) -> None:
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in parameters:
            parameter += 0.05 * torch.randn(parameter.shape, generator=rng)


@pytest.mark.parametrize("kind", Adapter.kinds())
def test_every_adapter_starts_at_the_base_is_restored_exactly_and_leaves_no_trace(kind: str, base: Backbone) -> None:
    before, names = answer(base), [name for name, _ in base.network.named_parameters()]
    adapter = Adapter.of_kind(kind)().attach(base)
    trained = [parameter for group in adapter.groups for parameter in group.parameters]
    assert trained
    assert all(parameter.requires_grad and parameter.dtype == torch.float32 for parameter in trained)
    assert torch.equal(answer(base), before), "nothing is learned yet"
    disturb(trained)
    state = {name: tensor.clone() for name, tensor in adapter.state().items()}
    changed = answer(base)
    assert not torch.equal(changed, before)
    with base.untuned():
        assert torch.equal(answer(base), before)
    assert torch.equal(answer(base), changed)
    disturb(trained)
    adapter.restore(state)
    assert torch.equal(answer(base), changed)
    adapter.detach()
    assert torch.equal(answer(base), before)
    assert [name for name, _ in base.network.named_parameters()] == names
    assert not any(parameter.requires_grad for parameter in base.network.parameters())


@pytest.mark.parametrize("kind", Adapter.kinds())
def test_every_adapter_writes_the_same_bytes_again(kind: str, base: Backbone, tmp_path: Path) -> None:
    written = []
    for name in ("first", "second"):
        with torch.random.fork_rng():
            torch.manual_seed(6)
            adapter = Adapter.of_kind(kind)().attach(base)
        adapter.export(tmp_path / name, {"b": "2", "a": "1"})
        adapter.detach()
        written.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert written[0]
