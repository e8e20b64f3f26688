"""The database: connection, tables, statements, versions."""
