"""How every picture looks. Nothing here knows what is drawn."""
