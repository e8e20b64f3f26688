"""The report of the assessment: those who act and those acted upon, as PDF and as a workbook."""
