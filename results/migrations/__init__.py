"""How older stores become those of results/schema.py: Alembic's environment, one file a revision in versions/."""
