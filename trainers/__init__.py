"""Floor 2: data, chat and tokens, objectives, reference log-probs, the training loop."""
