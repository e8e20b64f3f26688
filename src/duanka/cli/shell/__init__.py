"""Common parts of all commands: deferred imports, process, language, completion."""
