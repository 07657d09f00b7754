import itertools

import pytest
import torch
from torch import nn

from training.schedule import Schedule

STEPS = 40


def rates(schedule: Schedule, *, resumed_at: int = -1) -> list[float]:
    def fresh() -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
        return optimizer, schedule.build(optimizer, STEPS)

    optimizer, lr = fresh()
    found = []
    for step in range(STEPS):
        if step == resumed_at:
            states = optimizer.state_dict(), lr.state_dict()
            optimizer, lr = fresh()
            optimizer.load_state_dict(states[0])
            lr.load_state_dict(states[1])
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        lr.step()
    return found


@pytest.mark.parametrize("kind", Schedule.kinds())
def test_every_schedule_warms_up_and_resumes_where_it_was(kind: str) -> None:
    schedule = Schedule.parse({"kind": kind, "warmup": 4})
    straight = rates(schedule)
    assert straight[:5] == pytest.approx([0, 0.025, 0.05, 0.075, 0.1])
    assert max(straight) == pytest.approx(0.1)
    assert rates(schedule, resumed_at=17) == straight


@pytest.mark.parametrize("kind", ["linear", "cosine", "cosine_with_restarts", "polynomial"])
def test_a_falling_schedule_is_near_zero_at_the_end(kind: str) -> None:
    assert rates(Schedule.parse(kind))[-1] < 0.02


def test_restarts_jump_back_up() -> None:
    waves = rates(Schedule.parse({"kind": "cosine_with_restarts", "cycles": 4}))
    assert sum(later > earlier for earlier, later in itertools.pairwise(waves)) == 3


def test_a_polynomial_of_power_one_is_a_line_and_ends_where_it_is_told() -> None:
    line = rates(Schedule.parse({"kind": "polynomial", "power": 1, "warmup": 4}))
    assert line == pytest.approx(rates(Schedule.parse({"kind": "linear", "warmup": 4})))
    assert rates(Schedule.parse({"kind": "polynomial", "end": 0.5}))[-1] == pytest.approx(0.05, rel=0.01)
