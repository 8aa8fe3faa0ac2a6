"""Teaching notebooks: the text (.py) is edited, `python -m notebooks` makes the .ipynb of it."""
