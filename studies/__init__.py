"""What docs/results.md says about accuracy, a command each."""
