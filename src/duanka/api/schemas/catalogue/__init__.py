"""What the program itself holds: its rules."""
