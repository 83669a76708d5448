"""What every room stands on: parameters, storage, console, workers. Imports nothing above it."""
