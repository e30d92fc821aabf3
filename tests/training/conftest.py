"""Everything here needs TensorFlow's switches set before Keras is imported, and neither database nor Redis."""

from training.backend import prepare_backend

prepare_backend()
