"""Text as words that don't depend on how it is written: case, white space, signs, forms of numbers.

Deduplication and decontamination compare documents by them.
"""
