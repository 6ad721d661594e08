"""What prepare.py, train.py and export.py are made of. See README.md beside them."""
