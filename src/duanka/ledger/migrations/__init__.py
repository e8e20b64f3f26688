"""Migrations of the order database: one step from each version of its tables to the next, by Alembic.

`upgrading` does them all in one transaction; `steps` says what each changes; `trail_facts` reads the audit trail before
anything is changed; `people` makes persons of the names of release 0.1.0; `baseline` tells the trail how the rows are
afterwards. Imported only when a database is of an older version.
"""
