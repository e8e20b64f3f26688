"""Database: connection, tables, statements, versions."""
