"""What judged responses add up to, on plain numbers: for analysis and reports alike."""
