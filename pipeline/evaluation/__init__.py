"""What predictions are worth: scores, their tables, and what predicted variances say."""
