"""The command groups of `prism`: parse, call, print."""
