"""File access: safe opening, directory walk, bounded decompression."""
