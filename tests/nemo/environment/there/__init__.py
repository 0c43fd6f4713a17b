"""Programs of the tests that run in NeMo's environment. Nothing else of the tests is imported there."""
