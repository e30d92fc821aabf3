"""The service: settings, the Celery app and its tasks, enqueueing a folder, the root of the command line.

How a model is trained stands in `training`, how a row is stored in `catalog`.
"""
