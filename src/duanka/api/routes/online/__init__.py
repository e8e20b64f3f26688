"""Online checks: by the session of a link, picture by picture, and without a link."""
