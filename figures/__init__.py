"""One module per figure; `python -m figures` draws them again."""
