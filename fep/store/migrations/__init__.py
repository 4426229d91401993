"""Alembic steps; `fep.store.opening` runs them, there is no alembic.ini."""
