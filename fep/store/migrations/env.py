"""Alembic wants this file; the environment is set up in fep/store/opening.py."""
