"""Writes a whole world into a folder: its tokenizer, its training data, its benchmarks and what its judge knows."""

from pathlib import Path

from harness.microworld import benchmarks, post_training
from harness.microworld.boards import write_boards
from harness.microworld.files import write_rows, write_value
from harness.microworld.mt_bench_prompts import judge_prompts
from harness.microworld.pretraining import documents
from harness.microworld.sampling import draw_world
from harness.microworld.spec import WorldSpec
from harness.microworld.tokenizer import write_tokenizer


def build_world(spec: WorldSpec, out: Path) -> None:
    """Writes the world of `spec` into `out`: the same spec gives the same bytes. Raises UserError where the spec asks
    for more different items than the world holds."""
    world = draw_world(spec)
    write_value(out / "world.json", spec.model_dump(mode="json"))
    write_tokenizer(out / "tokenizer")
    write_rows(out / "pretraining" / "documents.jsonl", ({"text": text} for text in documents(world)))

    ultrachat, feedback, helpsteer = (
        out / name for name in ("ultrachat_200k", "ultrafeedback_binarized", "helpsteer2")
    )
    write_rows(ultrachat / "train_sft.jsonl", post_training.ultrachat(world, "train", spec.demonstrations))
    write_rows(ultrachat / "test_sft.jsonl", post_training.ultrachat(world, "validation", spec.demonstrations_test))
    write_rows(feedback / "train_prefs.jsonl", post_training.ultrafeedback(world, "train", spec.pairs))
    write_rows(feedback / "test_prefs.jsonl", post_training.ultrafeedback(world, "validation", spec.pairs_test))
    write_rows(helpsteer / "train.jsonl", post_training.helpsteer2(world, "train", spec.helpsteer))
    write_rows(helpsteer / "validation.jsonl", post_training.helpsteer2(world, "validation", spec.helpsteer_validation))
    write_rows(out / "numinamath_cot" / "train.jsonl", post_training.numinamath(world))
    write_rows(out / "math" / "test.jsonl", post_training.math_problems(world))

    alpaca = benchmarks.alpaca_eval(world)
    instructions, baseline = benchmarks.alpaca_files(world, alpaca)
    write_value(out / "alpaca_eval" / "instructions.json", instructions)
    write_value(out / "alpaca_eval" / "baseline.json", baseline)
    questions = benchmarks.mt_bench(world)
    write_rows(out / "mt_bench" / "question.jsonl", benchmarks.mt_bench_questions(questions))
    write_rows(out / "mt_bench" / "judge_prompts.jsonl", judge_prompts())
    references = out / "mt_bench" / "reference_answer" / "microworld.jsonl"
    write_rows(references, benchmarks.mt_bench_references(questions))
    baseline_answers = out / "mt_bench" / "model_answer" / f"{benchmarks.BASELINE_NAME}.jsonl"
    write_rows(baseline_answers, benchmarks.mt_bench_baseline(world, questions))
    asked = [conversation for _, conversation in (*alpaca, *questions)]
    write_rows(out / "rubric.jsonl", benchmarks.rubric_rows(asked))
    write_boards(world, out / "open_llm")
