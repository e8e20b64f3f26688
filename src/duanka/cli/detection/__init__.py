"""Commands about records and rules: scan, rules, live, morning, mapping."""
