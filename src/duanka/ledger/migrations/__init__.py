"""Migrations of the order database by Alembic: one step per version of its tables.

`upgrading` runs them in one transaction; `steps` defines the changes; `trail_facts` reads the audit trail beforehand;
`people` turns the names of release 0.1.0 into persons; `baseline` records the resulting rows in the trail. Imported
only for a database of an older version.
"""
