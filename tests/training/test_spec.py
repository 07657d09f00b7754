import subprocess
import sys

import pytest
from pydantic import ValidationError

from training.spec import Train


def test_every_default_is_said_and_a_written_spec_reads_back() -> None:
    spec = Train()
    assert Train.model_validate(spec.model_dump(mode="json")) == spec
    assert spec.adapter.kind == "lora"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"step": 3}, "step"),
        ({"steps": 0}, "greater than or equal to 1"),
        (
            {"adapter": {"kind": "lora", "rnak": 4}},
            "rnak: no such key; known here: alpha, alphas, convolutions, dropout, max_norm",
        ),
        ({"optimizer": "adam"}, "no optimizer called 'adam'; did you mean adamw\\? known: adafactor, adamw"),
        ({"text_encoder": {"learning_rate": 1e-5}}, "steps"),
        ({"class_pictures": {"prompts": []}}, "at least 1 item"),
        ({"objective": {"kind": "epsilon", "debiased": True, "min_snr_gamma": 5}}, "two weightings"),
        ({"objective": {"kind": "epsilon", "zero_terminal_snr": True}}, "no such key"),
        ({"caption_dropout": 1.5}, "less than or equal to 1"),
        ({"precision": "fp8"}, "precision"),
        ({"batch_size": 6, "accumulate": 2, "processes": 2}, "must be a multiple of that, such as 8"),
        ({"ema": 0.99, "optimizer": "schedule_free"}, "averages what it trains by itself; leave out ema"),
        ({"quantise": "nf4", "adapter": "full"}, "full cannot sit on; take lora, locon"),
        ({"captions": {"tokens": 150}, "text_encoder": {"learning_rate": 1e-5, "steps": 9}}, "leave them out"),
        ({"captions": {"tokens": 100}}, "75, 150 or 225"),
        ({"masks": {}}, "say where masks come from"),
        ({"buckets": {"steps": 64}}, "steps"),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_its_path(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Train.model_validate(wrong)


def test_reading_a_spec_imports_nothing_heavy() -> None:
    code = (
        "import sys; from training.spec import Train; Train();"
        "assert not {'torch', 'diffusers', 'peft'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
