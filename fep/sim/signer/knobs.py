"""What can be turned at the simulated UKEY. Seconds, unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Knobs:
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
        """Set a knob from text. Raises ValueError for a name or value that is none."""
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        if name not in kinds:
            raise ValueError(f"no knob {name}; there are {', '.join(kinds)}")
        if name == "fails_with":
            int(text, 16)
        value: object = text in ("1", "true", "on") if kinds[name] is bool else kinds[name](text)
        setattr(self, name, value)

    def strikes(self, name: str) -> bool:
        """Say whether a counted fault strikes now, and use it up."""
        left: int = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return left > 0
