"""Measuring inside a training: what runs in the step, and what runs on the host beside it."""
