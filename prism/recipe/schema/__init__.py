"""The recipe's sections, one file each. Every key has its default, unit and source where it is defined."""
