"""The first tables: profiles, arms, stages, scores, items and training curves."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables; the empty database of a test is the only one that lacks them."""
    op.create_table(
        "profiles",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("recorded", sa.DateTime, nullable=False),
    )
    op.create_index("ix_profiles_name", "profiles", ["name"])
    op.create_table(
        "arms",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("profile", sa.Text, sa.ForeignKey("profiles.digest"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.UniqueConstraint("profile", "name", "seed"),
    )
    op.create_table(
        "stages",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("artifact", sa.Text),
        sa.Column("content", sa.Text),
        sa.Column("started", sa.DateTime),
        sa.Column("seconds", sa.Float(53)),
        sa.Column("host", sa.Text),
        sa.Column("commit", sa.Text),
        sa.Column("dirty", sa.Boolean),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("command", sa.Text),
    )
    op.create_table(
        "arm_stages",
        sa.Column("arm_id", sa.Integer, sa.ForeignKey("arms.id"), primary_key=True),
        sa.Column("stage_key", sa.Text, sa.ForeignKey("stages.key"), primary_key=True),
    )
    op.create_table(
        "scores",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("arm_id", sa.Integer, sa.ForeignKey("arms.id"), nullable=False),
        sa.Column("stage_key", sa.Text, sa.ForeignKey("stages.key"), nullable=False),
        sa.Column("suite", sa.Text, nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("standard_error", sa.Float(53)),
        sa.Column("n_expected", sa.Integer, nullable=False),
        sa.Column("n_scored", sa.Integer, nullable=False),
        sa.Column("higher_is_better", sa.Boolean, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("itemised", sa.Boolean, nullable=False),
        sa.UniqueConstraint("arm_id", "suite", "metric"),
    )
    op.create_table(
        "items",
        sa.Column("score_id", sa.Integer, sa.ForeignKey("scores.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column("value", sa.Float(53)),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_table(
        "training_curves",
        sa.Column("stage_key", sa.Text, sa.ForeignKey("stages.key"), primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("examples", sa.Integer, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("value", sa.Float(53)),
    )
