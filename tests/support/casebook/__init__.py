"""What the tests of the casebook share: published cases of wrongful stops, as records and as stories."""
