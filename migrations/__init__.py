"""The history of the catalog's schema: Alembic's environment, its versions, and `hangtag db …`.

A version spells its tables out and imports no model class: it must mean tomorrow what it meant when it ran.
"""
