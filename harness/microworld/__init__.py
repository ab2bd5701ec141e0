"""A small closed world in which a whole study runs on two processor cores, with every real part in place.

The world has facts (names and their attributes), skills (what can be done to a short list), compositions of two of
them, forms in which an answer can be asked for, and follow-up requests. Every request stands for a task with one right
answer, so that whatever a model says can be graded. `build.build_world` writes, for one `spec.WorldSpec`:

    world.json, rubric.jsonl            the spec; the tasks behind all requests of the judged benchmarks
    tokenizer/                          one token a word, with a chat template
    pretraining/documents.jsonl         facts, skills and casual talk that mostly ignores requested forms
    ultrachat_200k/ ultrafeedback_binarized/ helpsteer2/ numinamath_cot/
                                        post-training data in the real columns, imperfect at stated rates
    alpaca_eval/ mt_bench/ open_llm/ math/
                                        benchmarks in the real shapes, on instances that training never sees

Facts stand only in the pretraining text, and the facts asked in post-training are not those asked in tests. Instances
of skills belong to training, validation or test by the digest of their content, whatever form they are asked in.

The parts, from the bottom: operations, forms (what can be asked) → tasks, rubric (what is right, how it is graded) →
words, instructions (how it is said) → sampling, responders (who asks what, who answers how) → pretraining,
post_training, benchmarks, boards, tokenizer → build. judge, judge_prompts, judge_api and judge_server are the judge,
which grades over HTTP.
"""
