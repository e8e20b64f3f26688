"""Ways to the police: a folder, SFTP, HTTP. Each puts a clue there whole and once, or not at all."""
