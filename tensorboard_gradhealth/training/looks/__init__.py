"""Looks at the batch of a step once more, beside the step."""
