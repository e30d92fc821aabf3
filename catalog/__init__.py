"""The product catalog: its tables, and what may be said of them.

Owns the tables, the sessions, registering images, chunks and their leases, writing predictions and tags,
read-only queries and the SQL views. Leaves Celery, the net and the files on disk to others.
"""
