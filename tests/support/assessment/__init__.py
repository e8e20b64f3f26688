"""Support of the tests of the assessment."""
