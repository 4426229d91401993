"""How the machines of this room are run: the same steps every time, and counted.

A machine draws operations, does them to the product and to a model of its own, and compares.
It knows the rules of the trade and nothing of planted bugs. Each says in `EXAMPLES` and
`LENGTH` how far it goes; `run` returns how many steps were really done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

from fep.domain.faults import Refused


class Stepping(RuleBasedStateMachine):
    """A machine whose steps are counted: every rule that came to its end."""

    EXAMPLES: ClassVar[int] = 100
    LENGTH: ClassVar[int] = 100
    done: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).done -= 1  # invariants are looked at once before the first step

    @invariant()
    def counted(self) -> None:
        """Count the step that has just been done."""
        type(self).done += 1


def promised(machine: type[Stepping]) -> int:
    """Return how many steps a machine promises at least: a few examples end early."""
    return machine.EXAMPLES * machine.LENGTH * 85 // 100


def run(machine: type[Stepping]) -> int:
    """Run a machine as far as it promises; returns its steps. Raises what it found."""
    machine.done = 0
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=machine.EXAMPLES,
            stateful_step_count=machine.LENGTH,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return machine.done


def outcome(work: Callable[..., Any], *args: Any) -> Any:
    """Return what a call answers, a refusal or a failed assertion as its name."""
    try:
        return work(*args)
    except Refused as refused:
        return refused.code
    except AssertionError:
        return "BUG"
