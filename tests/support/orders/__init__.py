"""What the tests of orders share."""
