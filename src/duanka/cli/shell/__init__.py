"""What every command stands on: deferred imports, the process, language, completion."""
