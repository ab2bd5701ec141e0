"""The parameters of the microworld, each with its reason. This file is the one place where they stand.

They were chosen by principle before any verdict was computed, and are not tuned until a claim comes out. What the
principles are: a base model should know facts and skills but follow few instructions, so that post-training has
something to teach; every source of supervision is imperfect at a stated rate, as the real ones are; tests are new
instances, never new skills; and neither the base nor the best model should sit at an end of a scale.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.microworld.words import ATTRIBUTES, NAMES

FACTS = len(NAMES) * len(ATTRIBUTES)
# Instances are drawn until one belongs to the split that is wanted: the fewer there are, the longer that takes.
LEAST_SHARE = 0.01

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
KeptShare = Annotated[float, Field(ge=LEAST_SHARE, le=1, allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rates(_Spec):
    """How a scripted speaker answers: independent chances of right content, of the requested form, and of rambling."""

    content: Share
    form: Share
    ramble: Share


class JudgeSpec(_Spec):
    """The local judge. Its log-odds that the first answer is better are

    (score(first) − score(second)) / temperature + length_bias · ln(characters(first) / characters(second))
    + position_bias + noise · z(first, second),   where z is a fixed standard normal draw and z(a, b) = −z(b, a).
    """

    seed: int = 1
    # Scores lie in [0, 1]; a wrong form costs up to 0.35 of them, which is then 2.9 logits: 95 of 100 judged rightly.
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.12
    # Between equally good answers the one of twice the length wins 57 of 100: a bias that length control can find,
    # but smaller than what rambling costs a right answer. (Bias towards length is the best documented fault of judges.)
    length_bias: Annotated[float, Field(allow_inf_nan=False)] = 0.4
    # Disagreement of a judge with itself over paraphrases; small beside one wrong form (2.9).
    noise: Spread = 0.5
    # Off, because suites answer it by showing pairs in random order; a study of position bias turns it on.
    position_bias: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    # Points of ten: repeated real ratings of one answer differ by about this much.
    rating_noise: Spread = 0.5


class WorldSpec(_Spec):
    """The world: same spec, same bytes. Sizes are rows, shares and rates are in [0, 1]."""

    seed: int = 0

    # --- lists that skills work on
    # Short enough that a model of one million parameters learns every single step from a few million tokens.
    shortest_list: Annotated[int, Field(ge=3)] = 3
    longest_list: Annotated[int, Field(le=8)] = 5

    # --- what is kept apart (shares of all instances, by digest; the rest is for training)
    test_share: KeptShare = 0.1
    validation_share: KeptShare = 0.1
    # Facts are few, so they are split by count: asked in post-training (half), validation (a tenth), tests (the rest).
    facts_taught: Share = 0.5
    facts_validation: Share = 0.1

    # --- pretraining text
    # About 3.7 million tokens: seven minutes for one million parameters on one core.
    documents: Count = 150_000
    # Kinds of document; what is left of 1 are informal dialogues.
    # Each of the five statements of a fact is then told 30 times, beside the questions about it.
    fact_documents: Share = 0.12
    # From lists that are said over and over a model learns to copy, which every skill is made of.
    refrain_documents: Share = 0.1
    skill_documents: Share = 0.33
    question_documents: Share = 0.22
    # Rare on purpose: the base has met two-step instructions, but has not mastered them.
    pretraining_compositions: Share = 0.03
    # Casual speech: what is said is mostly right, how it was asked for is mostly ignored, half of it goes on too long.
    dialogue_forms: Share = 0.6  # share of dialogues that ask for a form
    dialogues: Rates = Rates(content=0.95, form=0.2, ramble=0.5)

    # --- post-training data
    demonstrations: Count = 4_000
    demonstrations_test: Count = 200
    # Crowd-made demonstrations: one in eight has wrong content, one in five ignores the form. Imitation alone cannot
    # be perfect, so what a preference step adds can be seen.
    demonstrators: Rates = Rates(content=0.88, form=0.8, ramble=0.15)
    pairs: Count = 3_000
    pairs_test: Count = 200
    helpsteer: Annotated[int, Field(ge=2, multiple_of=2)] = 3_000  # rows 2k and 2k+1 share a prompt
    helpsteer_validation: Annotated[int, Field(ge=2, multiple_of=2)] = 200
    # The ladder of responders that pairs and scored answers come from (UltraFeedback drew from 17 models).
    responders: Annotated[tuple[Rates, ...], Field(min_length=2)] = (
        Rates(content=0.5, form=0.3, ramble=0.5),
        Rates(content=0.7, form=0.5, ramble=0.35),
        Rates(content=0.85, form=0.75, ramble=0.2),
        Rates(content=0.97, form=0.95, ramble=0.05),
    )
    # Spread of an annotator's score on the ten-point scale. One wrong form is worth up to 3.2 points: few inversions.
    score_noise: Spread = 1.0
    # Spread of a HelpSteer2 grade on its five-point scale, the same share of its range.
    grade_noise: Spread = 0.45
    solutions: Count = (
        1_000  # chains of additions and subtractions with their steps; all are right, as NuminaMath's mostly are
    )
    solutions_test: Count = 100

    # --- benchmarks
    # Mostly what post-training can teach (forms, two steps), some of what the base knows, to see it forgotten.
    alpaca_forms: Count = 90
    alpaca_compositions: Count = 60
    alpaca_skills: Count = 30
    alpaca_facts: Count = 20
    # The model to beat is decent but flawed: a perfect model wins 86 of 100 against it and an empty answer 9, and the
    # pretrained base, which knows much and hears little of how it was asked, starts near the middle between them.
    baseline: Rates = Rates(content=0.6, form=0.45, ramble=0.25)
    mt_bench_per_category: Count = 10  # four categories
    board_items: Count = 80  # per task; at most the facts that are kept for tests

    judge: JudgeSpec = JudgeSpec()

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.fact_documents + self.refrain_documents + self.skill_documents + self.question_documents > 1:
            raise ValueError("the shares of fact, refrain, skill and question documents must add up to at most 1")
        if self.test_share + self.validation_share > 1 - LEAST_SHARE:
            raise ValueError(f"test_share and validation_share must leave {LEAST_SHARE} of all instances to train on")
        if self.shortest_list > self.longest_list:
            raise ValueError("shortest_list must be at most longest_list")
        return self

    @model_validator(mode="after")
    def _facts_suffice(self) -> Self:
        taught, kept, tested = self.facts_split
        if min(taught, kept) < 1 or tested < 1:
            raise ValueError(
                f"facts_taught and facts_validation split the {FACTS} facts into {taught} that are taught, {kept} for "
                f"validation and {tested} for tests: each wants one at least"
            )
        for name in ("board_items", "alpaca_facts"):
            if getattr(self, name) > tested:
                raise ValueError(
                    f"{name}: {getattr(self, name)} are asked for, and of the {FACTS} facts facts_taught and "
                    f"facts_validation leave {tested} for tests"
                )
        return self

    @model_validator(mode="after")
    def _responders_differ(self) -> Self:
        if all((one.content, one.form, one.ramble) == (1, 1, 0) for one in self.responders):
            raise ValueError("responders: all of them always give the right answer, so there is nothing to compare")
        return self

    @property
    def facts_split(self) -> tuple[int, int, int]:
        """How many facts are asked in post-training, in validation, and in tests."""
        taught = round(self.facts_taught * FACTS)
        kept = round(self.facts_validation * FACTS)
        return taught, kept, FACTS - taught - kept
