"""Claims, verdicts and reported numbers; what a score was computed from; indices that keep large stores quick."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds only: what was recorded before stays as it is, and has no evidence. Unit and mean stood in the detail."""
    op.add_column("scores", sa.Column("unit", sa.Text))
    op.add_column("scores", sa.Column("is_mean", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("scores", sa.Column("evidence", sa.Text))
    _say_what_is_a_mean()
    op.create_index("ix_scores_stage_key", "scores", ["stage_key"])
    op.create_index("ix_arm_stages_stage_key", "arm_stages", ["stage_key"])
    op.create_index("items_outcomes", "items", ["score_id", "item", "value"])
    op.create_table(
        "reported_numbers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("paper", sa.Text, nullable=False),
        sa.Column("printed_in", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("training_data", sa.Text, nullable=False),
        sa.Column("benchmark", sa.Text, nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("source_note", sa.Text, nullable=False),
        sa.Column("notes", sa.JSON, nullable=False),
    )
    op.create_index("ix_reported_numbers_paper", "reported_numbers", ["paper"])
    op.create_table(
        "claims",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("paper", sa.Text, nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("recorded", sa.DateTime, nullable=False),
    )
    op.create_table(
        "verdicts",
        sa.Column("profile", sa.Text, sa.ForeignKey("profiles.digest"), primary_key=True),
        sa.Column("claim", sa.Text, primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("claim_digest", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("effect", sa.Float(53)),
        sa.Column("low", sa.Float(53)),
        sa.Column("high", sa.Float(53)),
        sa.Column("relative", sa.Float(53)),
        sa.Column("relative_low", sa.Float(53)),
        sa.Column("relative_high", sa.Float(53)),
        sa.Column("p_value", sa.Float(53)),
        sa.Column("p_holm", sa.Float(53)),
        sa.Column("reported", sa.Float(53)),
        sa.Column("n_seeds", sa.Integer, nullable=False),
        sa.Column("n_items", sa.Integer, nullable=False),
        sa.Column("confidence", sa.Float(53), nullable=False),
        sa.ForeignKeyConstraint(["claim", "claim_digest"], ["claims.id", "claims.digest"]),
    )


def _say_what_is_a_mean() -> None:
    scores = sa.table(
        "scores",
        sa.column("id", sa.Integer),
        sa.column("detail", sa.JSON),
        sa.column("unit", sa.Text),
        sa.column("is_mean", sa.Boolean),
    )
    connection = op.get_bind()
    said = [
        {"score": id_, "its_unit": detail.get("unit"), "mean": detail.get("aggregate") == "mean"}
        for id_, detail in connection.execute(sa.select(scores.c.id, scores.c.detail))
    ]
    change = sa.update(scores).where(scores.c.id == sa.bindparam("score"))
    if said:
        connection.execute(change.values(unit=sa.bindparam("its_unit"), is_mean=sa.bindparam("mean")), said)
