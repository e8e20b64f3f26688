"""One transaction of the order database, and the four-eyes rules that it keeps."""
