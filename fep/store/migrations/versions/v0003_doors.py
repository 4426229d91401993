"""Version 3: doors, far side, tills. Its SQL lies beside this file, a file a subject, and is
frozen with the first release that has it: later schemas add steps."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run every `v0003_*.sql`, in the order of their names; they do not depend on each other."""
    for script in sorted(Path(__file__).parent.glob("v0003_*.sql")):
        for statement in script.read_text("utf-8").split(";\n"):
            if statement.strip():
                op.execute(statement)
