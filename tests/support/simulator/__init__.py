"""What the tests of simulator share."""
