"""What Gradient Health costs, measured by programs that anyone can run."""
