"""What the tests of api share."""
