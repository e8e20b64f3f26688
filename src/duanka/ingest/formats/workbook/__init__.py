"""Reader of spreadsheet workbooks (.xlsx), row by row in bounded memory."""

from duanka.ingest.formats.workbook import forms
from duanka.ingest.formats.workbook.forms import NotRead
from duanka.ingest.formats.workbook.reading import WorkbookReading

__all__ = ["NotRead", "WorkbookReading", "forms"]
