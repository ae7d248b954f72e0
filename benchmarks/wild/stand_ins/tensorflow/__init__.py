"""Only what reads MNIST in batches."""
