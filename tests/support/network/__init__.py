"""What the tests of network share."""
