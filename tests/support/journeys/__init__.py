"""What the tests of journeys share."""
