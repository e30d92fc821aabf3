"""From labelled images to a model bundle, and back from a bundle to labels with probabilities.

Owns data sets, architectures, fitting, evaluation, calibration, export, and the reading side that workers use:
`bundle`, `preprocessing` and `classifier`, which import no TensorFlow. Knows neither the database nor Celery.
"""
