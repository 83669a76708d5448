"""Recurrent networks written from their equations and looped by a scan, on Keras 3.

Knows nothing of corpora or files.
"""
