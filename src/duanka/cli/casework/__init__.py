"""Commands of casework: cases, clues, victims, accounts."""
