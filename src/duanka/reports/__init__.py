"""cards_at_risk.csv, its workbook, and report.html of a scan."""
