"""Support of the tests of casework."""
