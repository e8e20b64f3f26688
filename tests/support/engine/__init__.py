"""What the tests of engine share."""
