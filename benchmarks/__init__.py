"""What Gradient Health costs and how well it diagnoses, measured by programs that anyone can run."""
