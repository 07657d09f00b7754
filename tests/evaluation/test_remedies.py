"""What remedies put on a base: each is there, differs from the adapter as it says, and is gone afterwards."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backbones.backbone import Backbone
from backbones.family import family_of
from backbones.merging import changes, parts_of
from core.errors import MissingBase, RecipeError
from evaluation.candidate import Candidate, from_file
from evaluation.remedies.control import edges
from evaluation.remedies.merge import Merge
from evaluation.remedies.replace_text_encoder import ReplaceTextEncoder
from evaluation.remedies.stop_earlier import StopEarlier
from evaluation.remedies.weaken import Weaken
from evaluation.remedy import Patient, Remedy
from tests.backbones.tiny import make_sd15
from tests.evaluation.things import picture
from training.adapter import Adapter

X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
NEEDED: dict[str, dict[str, object]] = {"control": {"model": "somewhere"}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return family_of(str(make_sd15(tmp_path_factory.mktemp("remedies") / "base", layers=1))).load()


def trained(tiny: Backbone, folder: Path, seed: int, *, words: bool) -> Path:
    """A LoRA file as a run writes it, of network and (if asked) text encoder, moved by chance instead of training."""
    adapter = Adapter.parse({"kind": "lora", "rank": 2})
    attached = adapter.attach_with_words(tiny, 0.5, 10) if words else adapter.attach(tiny)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for group in attached.groups:
            for parameter in group.parameters:
                parameter += 0.2 * torch.randn(parameter.shape, generator=rng)
    attached.export(folder, {})
    attached.detach()
    return folder / adapter.files["weights"]


@pytest.fixture(scope="module")
def patient(tiny: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Patient:
    place = tmp_path_factory.mktemp("weights")
    files = {step: trained(tiny, place / str(step), step, words=True) for step in (2, 4)}
    return Patient(files[4], 4, files)


@torch.no_grad()
def answer(tiny: Backbone) -> torch.Tensor:
    return tiny.predict(X, torch.tensor([100, 700]), tiny.encode_text(["a dog", "b"]))


def answers(tiny: Backbone, candidates: list[Candidate]) -> Iterator[torch.Tensor]:
    for candidate in candidates:
        with candidate.on(tiny):
            yield answer(tiny)


@pytest.mark.parametrize("kind", [kind for kind in Remedy.kinds() if kind != "control"])
def test_every_remedy_leaves_the_base_as_it_was_and_names_what_it_tries(
    kind: str, tiny: Backbone, patient: Patient
) -> None:
    before, remedy = answer(tiny), Remedy.parse(kind)
    candidates = remedy.candidates(patient, tiny)
    (whole,) = answers(tiny, [from_file(patient.file)])
    assert candidates and len({one.key for one in candidates}) == len({one.name for one in candidates})
    for changed in answers(tiny, candidates):
        assert not torch.allclose(changed, before) and not torch.allclose(changed, whole)
    assert torch.equal(answer(tiny), before) and not tiny.tunings
    assert Remedy.parse(remedy.dump()).fingerprint == remedy.fingerprint


def test_a_weaker_adapter_is_nearer_to_the_base(tiny: Backbone, patient: Patient) -> None:
    base = answer(tiny)
    away = [float((one - base).norm()) for one in answers(tiny, Weaken().candidates(patient, tiny))]
    assert away == sorted(away, reverse=True)


def test_earlier_checkpoints_are_those_of_the_run(tiny: Backbone, patient: Patient) -> None:
    (earlier,) = StopEarlier().candidates(patient, tiny)
    (got,) = answers(tiny, [earlier])
    (wanted,) = answers(tiny, [from_file(patient.checkpoints[2])])
    assert earlier.name == "step 2" and torch.equal(got, wanted)


def test_the_bases_words_are_put_back_and_the_network_stays_tuned(tiny: Backbone, patient: Patient) -> None:
    plain = tiny.encode_text(["a dog"])["hidden"]
    (candidate,) = ReplaceTextEncoder().candidates(patient, tiny)
    with from_file(patient.file).on(tiny):
        assert not torch.allclose(tiny.encode_text(["a dog"])["hidden"], plain)
    with candidate.on(tiny):
        assert torch.equal(tiny.encode_text(["a dog"])["hidden"], plain)
        tuned = tiny.predict(X, torch.tensor([100, 700]), {"hidden": plain.expand(2, -1, -1)})
    assert not torch.allclose(tuned, tiny.predict(X, torch.tensor([100, 700]), {"hidden": plain.expand(2, -1, -1)}))


def test_a_text_encoder_that_was_not_trained_needs_no_replacing(tiny: Backbone, tmp_path: Path) -> None:
    file = trained(tiny, tmp_path, 1, words=False)
    assert ReplaceTextEncoder().candidates(Patient(file), tiny) == []


def test_merging_with_the_base_takes_back_what_was_added_there(tiny: Backbone, patient: Patient) -> None:
    parts = ("down_blocks", "mid_block", "up_blocks", "text_encoder")
    nothing, whole = Merge(weights=(dict.fromkeys(parts, 0.0), {})).candidates(patient, tiny)
    kept, full = answers(tiny, [nothing, whole])
    (applied,) = answers(tiny, [from_file(patient.file)])
    torch.testing.assert_close(kept, answer(tiny), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(full, applied, rtol=1e-3, atol=1e-4)


def test_two_adapters_are_mixed_by_their_shares(tiny: Backbone, patient: Patient) -> None:
    (other,) = answers(tiny, [from_file(patient.checkpoints[2])])
    (all_of_it,) = answers(tiny, Merge(other=str(patient.checkpoints[2]), share=1.0).candidates(patient, tiny))
    torch.testing.assert_close(all_of_it, other, rtol=1e-3, atol=1e-4)
    (half,) = answers(tiny, Merge(other=str(patient.checkpoints[2])).candidates(patient, tiny))
    assert not torch.allclose(half, other)


def added(tiny: Backbone, candidate: Candidate) -> dict[torch.nn.Parameter, torch.Tensor]:
    """What a candidate adds to each of the base's parameters."""
    before = {parameter: parameter.data.clone() for parameter in parts_of(tiny)}
    with candidate.on(tiny):
        return {parameter: parameter.data - was for parameter, was in before.items()}


def test_another_model_fills_what_is_not_kept_in_each_part(tiny: Backbone, patient: Patient) -> None:
    other = patient.checkpoints[2]
    merge = Merge(other=str(other), weights=({"up_blocks": 0.8, "text_encoder": 0.0},), share=0.3)
    (candidate,) = merge.candidates(patient, tiny)
    own, theirs, found = changes(tiny, patient.file), changes(tiny, other), added(tiny, candidate)
    parts, kept = parts_of(tiny), {"up_blocks": 0.8, "text_encoder": 0.0}
    assert {parts[parameter] for parameter in own} == {"down_blocks", "mid_block", "up_blocks", "text_encoder"}
    for parameter, change in own.items():
        weight = kept.get(parts[parameter], 0.7)
        mixed = weight * change + (1 - weight) * theirs[parameter]
        torch.testing.assert_close(found[parameter], mixed, rtol=1e-4, atol=1e-6)
    assert candidate.name == "kohya: 20% in up blocks, 100% in text encoder, 30% elsewhere"
    assert candidate.use.endswith("--weights 0.7,0.3 --blocks up_blocks=0.8,0.2 --blocks text_encoder=0,1 --out FILE")


def test_layers_beside_the_blocks_are_mixed_by_their_share_too(
    tiny: Backbone, tmp_path: Path, patient: Patient
) -> None:
    layer = tiny.network.get_submodule("time_embedding.linear_1").weight
    assert isinstance(layer, torch.nn.Parameter)
    save_file({"lora_unet_time_embedding_linear_1.diff": torch.ones_like(layer.data)}, tmp_path / "o.safetensors")
    (candidate,) = Merge(other=str(tmp_path / "o.safetensors"), share=0.25).candidates(patient, tiny)
    torch.testing.assert_close(added(tiny, candidate)[layer], torch.full_like(layer.data, 0.25))


def test_a_model_that_is_not_there_and_a_mix_of_nothing_are_refused(tiny: Backbone, patient: Patient) -> None:
    with pytest.raises(MissingBase, match=r"no adapter or checkpoint.*gone\.safetensors"):
        Merge(other="gone.safetensors").candidates(patient, tiny)
    with pytest.raises(RecipeError, match="nothing of the other one"):
        Remedy.parse({"kind": "merge", "other": "x", "share": 0})


@pytest.mark.parametrize(("kind", "weakened"), [("textual_inversion", 0), ("hypernetwork", 3)])
def test_what_has_no_blocks_is_not_merged_and_words_are_not_weakened(
    kind: str, weakened: int, tiny: Backbone, tmp_path: Path
) -> None:
    adapter = Adapter.parse({"kind": kind, **({"word": "qzx"} if kind == "textual_inversion" else {})}).attach(tiny)
    adapter.export(tmp_path, {})
    adapter.detach()
    patient = Patient(tmp_path / Adapter.of_kind(kind).files["weights"])
    assert Merge().candidates(patient, tiny) == []
    found = Weaken().candidates(patient, tiny)
    assert len(found) == weakened
    answers(tiny, found)


def test_parts_that_no_network_has_are_told() -> None:
    with pytest.raises(RecipeError, match="no part heads"):
        Remedy.parse({"kind": "merge", "weights": [{"heads": 0.5}]})


def test_edges_are_where_the_picture_changes() -> None:
    seen = np.full((32, 32, 3), 255, np.uint8)
    seen[8:24, 8:24] = 0
    lines = edges(seen)[..., 0] > 0
    assert lines[7:9, 10:22].any() and not lines[12:20, 12:20].any() and not lines[:5].any()
    assert edges(picture("any")).shape == (16, 16, 3)
