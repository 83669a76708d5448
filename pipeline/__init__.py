"""The stages, one file each: corpus, extract, standardize, train, evaluate, plot, and predict.

The only package that knows the disk and the command line. ``dvc.yaml`` is its table of contents.
"""
