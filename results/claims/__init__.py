"""Published claims as data, and verdicts on them from the store: reproduced, contradicted, inconclusive or not run."""
