"""What runs in the fork server and in the programs' processes: the standard library alone, and no import of prism."""
