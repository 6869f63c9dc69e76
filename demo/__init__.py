"""The gallery: sick trainings, the same trainings mended, and healthy ones."""
