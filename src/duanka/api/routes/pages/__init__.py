"""Pages in a browser, served beside the API: the holder's and the console."""
