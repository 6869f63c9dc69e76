"""Carries measurements through a compiled step: what runs where the step runs."""
