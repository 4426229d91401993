"""What can be turned at the simulated UKEY. Seconds, unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from fep.sim.knobs import Turned


@dataclass(slots=True)
class Knobs(Turned):
    """Time of a signature and faults; counts are used up as they strike."""

    sign_s: float = 0.0
    # SAR code of the next `fails` calls of the operation `fails_at` (its SKF name), in hex.
    fails: int = 0
    fails_at: str = "ECCSignData"
    fails_with: str = "0A000001"
    wrong_signatures: int = 0
    removed_signs: int = 0  # pulled out in the middle of that many signatures
    hangs: int = 0  # calls that are never answered
    loses: int = 0  # calls of `fails_at` that are carried out, and never answered
    no_certificate: bool = False
    no_tries: bool = False  # VerifyPIN does not say how many are left

    def turn(self, name: str, text: str) -> None:
        """Set a knob from text; a SAR code is hex. Raises ValueError as the others do."""
        if name == "fails_with":
            int(text, 16)
        Turned.turn(self, name, text)  # slots make a new class, which super() does not know
