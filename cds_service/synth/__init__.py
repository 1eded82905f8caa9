"""Made-up patients with a known answer: generator, hand-written truth, scorer; knows nothing of the core."""
