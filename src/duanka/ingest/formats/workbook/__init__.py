"""Reader of spreadsheet workbooks (.xlsx), row by row in bounded memory."""
