"""From winner to use: the best networks of a study, trained on, scored on the test subset, used, and exported.

A study's files may come from somebody else. Whatever names a file here is checked first, and weights are read from
safetensors, which cannot run code.
"""
