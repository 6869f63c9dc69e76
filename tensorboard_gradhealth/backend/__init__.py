"""The plugin inside TensorBoard's server. Needs no TensorFlow."""
