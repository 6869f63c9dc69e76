"""What a Keras model is, in the user's own names, and which replica of it speaks."""
