"""Workbooks of spreadsheet programs (.xlsx), read row by row in bounded memory."""

from duanka.records.workbook import forms
from duanka.records.workbook.forms import NotRead
from duanka.records.workbook.reading import WorkbookReading

__all__ = ["NotRead", "WorkbookReading", "forms"]
